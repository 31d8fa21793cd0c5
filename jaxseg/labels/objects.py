"""Cleaning of label images, all objects at once."""

from __future__ import annotations

import numpy as np

from jaxseg.labels.contacts import face_connected, label_range


def compact(labels: np.ndarray, keep: np.ndarray | None = None) -> np.ndarray:
    """Labels renumbered 1..N in the order of their ids.

    Parameters
    ----------
    labels : (*S) non-negative integers; a table with a row per id up to the largest is made
    keep : (largest id + 1,) bool, ids to keep; None = those that occur

    Returns
    -------
    (*S) uint16, or uint32 for more than 65,535 objects

    >>> compact(np.array([0, 7, 3, 7]))
    array([0, 2, 1, 2], dtype=uint16)
    """
    if keep is None:
        keep = np.bincount(labels.ravel(), minlength=1) > 0
    keep = np.concatenate([[False], keep[1:]])
    dtype = np.uint16 if np.count_nonzero(keep) < 2**16 else np.uint32
    numbers = np.where(keep, np.cumsum(keep), 0).astype(dtype)
    return numbers[labels]


def drop_small(labels: np.ndarray, min_size: int) -> np.ndarray:
    """Remove objects of fewer voxels and renumber the rest 1..N.

    Parameters
    ----------
    labels : (*S) non-negative integers
    min_size : in voxels; an object of exactly so many stays

    Returns
    -------
    (*S) uint16 or uint32, see :func:`compact`

    >>> drop_small(np.array([1, 1, 2, 0, 3, 3]), 2)
    array([1, 1, 0, 0, 2, 2], dtype=uint16)
    """
    return compact(labels, np.bincount(labels.ravel(), minlength=1) >= max(min_size, 1))


def fill_holes(labels: np.ndarray) -> np.ndarray:
    """Fill the holes of every object: background that touches one object and nothing else.

    Background that reaches the image border or touches two objects is no hole, and objects inside
    a hole stay. Voxels of a hole are connected through faces. An axis of a single voxel has no
    border, so that a volume of one slice is treated as that slice.

    Parameters
    ----------
    labels : (*S) non-negative integers

    Returns
    -------
    (*S) labels of the same type

    >>> fill_holes(np.array([[2, 2, 2], [2, 0, 2], [2, 2, 2]])).tolist()
    [[2, 2, 2], [2, 2, 2], [2, 2, 2]]
    """
    empty = labels == 0
    parts, count = face_connected(empty)
    if not count:
        return labels.copy()
    lowest, highest = label_range(parts, labels, count)
    lowest[_at_border(parts)] = 0
    owner = np.where(lowest == highest, highest, 0)
    owner[0] = 0
    return np.where(empty, owner[parts], labels)


def _at_border(parts: np.ndarray) -> np.ndarray:
    """Ids of parts with a voxel at the border of the image."""
    axes = [axis for axis in range(parts.ndim) if parts.shape[axis] > 1]
    faces = [np.take(parts, end, axis).ravel() for axis in axes for end in (0, -1)]
    return np.unique(np.concatenate(faces)) if faces else np.zeros(0, parts.dtype)
