"""Parts of a mask connected through faces, and which labels they share faces with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import cc3d
import numpy as np

Slices = tuple[slice, ...]


# By dimension: how many neighbours share a face with a voxel.
FACES: dict[int, Literal[4, 6]] = {2: 4, 3: 6}


def face_connected(mask: np.ndarray) -> tuple[np.ndarray, int]:
    """Number the parts of a mask that are connected through faces.

    Parameters
    ----------
    mask : (*S) bool, 2D or 3D

    Returns
    -------
    parts : (*S) unsigned integers, 0 and 1..N in the order of their first voxels
    count : N

    >>> parts, count = face_connected(np.array([[1, 0], [0, 1]], bool))
    >>> parts.tolist(), count
    ([[1, 0], [0, 2]], 2)
    """
    return cc3d.connected_components(
        np.ascontiguousarray(mask), connectivity=FACES[mask.ndim], return_N=True
    )


def face_pairs(ndim: int) -> Iterator[tuple[Slices, Slices]]:
    """Index expressions of all voxels and their face neighbours, in both directions.

    >>> [(np.arange(3)[here] - np.arange(3)[there]).tolist() for here, there in face_pairs(1)]
    [[-1, -1], [1, 1]]
    """
    for axis in range(ndim):
        before, after = [slice(None)] * ndim, [slice(None)] * ndim
        before[axis], after[axis] = slice(None, -1), slice(1, None)
        yield tuple(before), tuple(after)
        yield tuple(after), tuple(before)


def label_range(parts: np.ndarray, labels: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest label that every part shares a face with.

    Parameters
    ----------
    parts : (*S) integers 0..count, 0 = no part
    labels : (*S) non-negative integers, 0 where ``parts`` is not
    count : number of parts

    Returns
    -------
    lowest, highest : (count + 1,) of the type of ``labels``; a part without a labelled neighbour
        has the largest value of the type and 0

    >>> label_range(np.array([0, 1, 1, 0]), np.array([3, 0, 0, 2], np.int8), 1)
    (array([127,   2], dtype=int8), array([0, 3], dtype=int8))
    """
    lowest = np.full(count + 1, np.iinfo(labels.dtype).max, labels.dtype)
    highest = np.zeros(count + 1, labels.dtype)
    around = np.pad(np.ascontiguousarray(labels), 1)
    flat, places = around.ravel(), np.flatnonzero(np.pad(parts, 1))
    own = parts[parts > 0]
    for stride in around.strides:
        for step in (stride // around.itemsize, -(stride // around.itemsize)):
            label = flat[places + step]
            meets = label > 0
            part, label = own[meets], label[meets]
            np.minimum.at(lowest, part, label)
            np.maximum.at(highest, part, label)
    return lowest, highest
