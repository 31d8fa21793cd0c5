"""Large objects that were cut into pieces: pieces are given back, holes are filled."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from jaxseg.labels.numbering import numbered
from jaxseg.labels.objects import fill_holes


class Faces(NamedTuple):
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
    only, see :func:`jaxseg.labels.objects.fill_holes`.

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
    first, second = (np.concatenate(side) for side in zip(*faces_of(numbers), strict=True))
    codes, faces = np.unique(first.astype(np.int64) * len(ids) + second, return_counts=True)
    contacts = Faces(*np.divmod(codes, len(ids)), faces)
    pairs = absorbable(contacts, sizes, large)
    inside = _part_inside(numbers, pairs)
    merged = absorbing(contacts, pairs, inside, sizes=sizes, contact=contact, contained=contained)[
        numbers
    ]
    return ids[filled_where(merged, large)]


def filled_where(labels: np.ndarray, large: np.ndarray) -> np.ndarray:
    """Labels without holes in some objects, told by a table (largest id + 1,) bool."""
    filled = fill_holes(labels)
    return np.where(large[filled], filled, labels)


def faces_of(
    labels: np.ndarray, core: Sequence[int] | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The labels on the two sides of every voxel face between different ones, and turned round.

    Parameters
    ----------
    labels : (*S)
    core : (axes,) of a part of a volume, read with the next voxel on along every axis: voxels of
        the part itself, to which the faces on its upper side belong; None = all of it

    Yields
    ------
    (n,) labels on the one side, and on the other
    """
    core = labels.shape if core is None else core
    for axis in range(labels.ndim):
        own = tuple(slice(0, n) for n in core)
        last = min(core[axis], labels.shape[axis] - 1)
        before = labels[(*own[:axis], slice(0, last), *own[axis + 1 :])]
        after = labels[(*own[:axis], slice(1, last + 1), *own[axis + 1 :])]
        differ = before != after
        yield before[differ], after[differ]
        yield after[differ], before[differ]


def absorbable(contacts: Faces, sizes: np.ndarray, large: np.ndarray) -> Faces:
    """The pairs of an object and a larger neighbour that is large.

    Parameters
    ----------
    contacts : of all numbers
    sizes, large : (largest number + 1,) voxels, and whether that is large; background is not

    Returns
    -------
    Faces
        Those of the contacts, (n,) each.
    """
    smaller = (sizes[contacts.own] < sizes[contacts.other]) & (contacts.own > 0)
    return Faces(*(values[smaller & large[contacts.other]] for values in contacts))


def absorbing(
    contacts: Faces,
    pairs: Faces,
    inside: np.ndarray,
    *,
    sizes: np.ndarray,
    contact: float,
    contained: float,
) -> np.ndarray:
    """For every number the one it becomes; see :func:`repair_large`.

    Parameters
    ----------
    contacts, pairs : see :func:`absorbable`; numbers in the order of the objects' first voxels
    inside : (pairs,) voxels of the first of a pair within the bounding box of the second
    sizes : (largest number + 1,) voxels
    contact, contained : least parts

    Returns
    -------
    (largest number + 1,) int64
    """
    surface = np.bincount(contacts.own, weights=contacts.faces, minlength=len(sizes))
    joins = pairs.faces >= contact * surface[pairs.own]
    joins |= inside >= contained * sizes[pairs.own]
    return _absorbing(Faces(*(values[joins] for values in pairs)), sizes)


def _part_inside(numbers: np.ndarray, pairs: Faces) -> np.ndarray:
    """Voxels of the first of every pair within the bounding box of the second."""
    inside = np.zeros(len(pairs.own), np.int64)
    boxes = ndimage.find_objects(numbers.astype(np.int32))
    for big in np.unique(pairs.other):
        present, counts = np.unique(numbers[boxes[big - 1]], return_counts=True)
        rows = np.flatnonzero(pairs.other == big)
        found = np.isin(pairs.own[rows], present)
        inside[rows[found]] = counts[np.searchsorted(present, pairs.own[rows[found]])]
    return inside


def _absorbing(pairs: Faces, sizes: np.ndarray) -> np.ndarray:
    """For every number the one it becomes."""
    order = np.lexsort((pairs.other, -sizes[pairs.other], -pairs.faces, pairs.own))
    own, first = np.unique(pairs.own[order], return_index=True)
    target = np.arange(len(sizes))
    target[own] = pairs.other[order][first]
    # Every step leads to a larger object, so that the end is reached.
    while not np.array_equal(target[target], target):
        target = target[target]
    return target
