"""Large objects that were cut into pieces: pieces are given back, holes are filled."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from jaxseg.instances import fill_holes, numbered


class _Contacts(NamedTuple):
    """Pairs of neighbours, in both directions; 0 = background.

    Parameters
    ----------
    own, other : (pairs,) numbers of the two
    faces : (pairs,) voxel faces that they share
    """

    own: np.ndarray
    other: np.ndarray
    faces: np.ndarray


def repair_large(
    labels: np.ndarray, size: float, *, contact: float = 0.5, contained: float = 0.7
) -> np.ndarray:
    """Merge large objects with the small ones that are part of them, then fill their holes.

    An object joins a larger neighbour that is large if it shares enough of its surface with it, or
    lies mostly within the box around it. Of several such neighbours it joins the one it shares most
    faces with, of equal ones the larger one, then the one that begins first. What joins an object
    that joins a third one ends up there. Objects of equal size never merge. Holes are background
    only, see :func:`jaxseg.instances.fill_holes`.

    Parameters
    ----------
    labels : (*S) non-negative integers, any ids; 0 = background
    size : voxels from which on an object is large
    contact : least part of the voxel faces of an object's surface, those at the image border left
        out, that it shares with the large one; above 0
    contained : least part of its voxels within the bounding box of the large one; above 0

    Returns
    -------
    (*S) labels of the same type; merged objects have the id of the largest of them

    >>> repair_large(np.array([[3, 3, 3], [3, 9, 3], [3, 0, 3], [3, 3, 3]]), 5).tolist()
    [[3, 3, 3], [3, 3, 3], [3, 3, 3], [3, 3, 3]]
    """
    numbers, ids = numbered(labels)
    sizes = np.bincount(numbers.ravel(), minlength=len(ids))
    large = sizes >= size
    large[0] = False
    if not large.any():
        return labels.copy()
    contacts = _contacts(numbers, len(ids))
    surface = np.bincount(contacts.own, weights=contacts.faces, minlength=len(ids))
    smaller = (sizes[contacts.own] < sizes[contacts.other]) & (contacts.own > 0)
    pairs = _Contacts(*(values[smaller & large[contacts.other]] for values in contacts))
    joins = pairs.faces >= contact * surface[pairs.own]
    joins |= _part_inside(numbers, pairs) >= contained * sizes[pairs.own]
    target = _targets(_Contacts(*(values[joins] for values in pairs)), sizes)
    merged = target[numbers]
    filled = fill_holes(merged)
    return ids[np.where(large[filled], filled, merged)]


def _contacts(numbers: np.ndarray, count: int) -> _Contacts:
    """Who shares how many voxel faces with whom."""
    codes = []
    for axis in range(numbers.ndim):
        before, after = (
            np.take(numbers, range(start, numbers.shape[axis] - 1 + start), axis)
            for start in (0, 1)
        )
        differ = before != after
        first, second = before[differ].astype(np.int64), after[differ].astype(np.int64)
        codes += [first * count + second, second * count + first]
    pairs, faces = np.unique(np.concatenate(codes), return_counts=True)
    return _Contacts(*np.divmod(pairs, count), faces)


def _part_inside(numbers: np.ndarray, pairs: _Contacts) -> np.ndarray:
    """Voxels of the first of every pair within the bounding box of the second."""
    inside = np.zeros(len(pairs.own), np.int64)
    boxes = ndimage.find_objects(numbers.astype(np.int32))
    for big in np.unique(pairs.other):
        present, counts = np.unique(numbers[boxes[big - 1]], return_counts=True)
        rows = np.flatnonzero(pairs.other == big)
        found = np.isin(pairs.own[rows], present)
        inside[rows[found]] = counts[np.searchsorted(present, pairs.own[rows[found]])]
    return inside


def _targets(pairs: _Contacts, sizes: np.ndarray) -> np.ndarray:
    """For every number the one it becomes."""
    order = np.lexsort((pairs.other, -sizes[pairs.other], -pairs.faces, pairs.own))
    own, first = np.unique(pairs.own[order], return_index=True)
    target = np.arange(len(sizes))
    target[own] = pairs.other[order][first]
    # Every step leads to a larger object, so that the end is reached.
    while not np.array_equal(target[target], target):
        target = target[target]
    return target
