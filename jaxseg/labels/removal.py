"""Removal of whole objects: by size, at the border. Ids of the others stay as they are."""

from __future__ import annotations

import fastremap
import numpy as np


def remove_small_objects(labels: np.ndarray, size: float) -> np.ndarray:
    """Remove objects of fewer than ``size`` voxels.

    Parameters
    ----------
    labels : (*S) non-negative integers, any ids; 0 = background
    size : in voxels; an object of exactly so many stays

    Returns
    -------
    (*S) labels of the same type

    >>> remove_small_objects(np.array([9, 9, 4, 0, 9]), 2).tolist()
    [9, 9, 0, 0, 9]
    """
    ids, counts = _sizes(labels)
    return without(labels, ids[counts < size])


def remove_large_objects(labels: np.ndarray, size: float) -> np.ndarray:
    """Remove objects of more than ``size`` voxels.

    Parameters
    ----------
    labels : (*S) non-negative integers, any ids; 0 = background
    size : in voxels; an object of exactly so many stays

    Returns
    -------
    (*S) labels of the same type

    >>> remove_large_objects(np.array([9, 9, 4, 0, 9]), 2).tolist()
    [0, 0, 4, 0, 0]
    """
    ids, counts = _sizes(labels)
    return without(labels, ids[counts > size])


def clear_border(labels: np.ndarray, *, z_faces: bool = True) -> np.ndarray:
    """Remove objects with a voxel at the border of the image, with all their parts.

    An axis of a single voxel has no border.

    Parameters
    ----------
    labels : (*S) non-negative integers, any ids; 0 = background
    z_faces : in 3D, the first and the last slice are border, too

    Returns
    -------
    (*S) labels of the same type

    >>> clear_border(np.array([[3, 0, 0, 0], [0, 5, 0, 3], [0, 0, 0, 0]])).tolist()
    [[0, 0, 0, 0], [0, 5, 0, 0], [0, 0, 0, 0]]
    """
    first = 1 if labels.ndim == 3 and not z_faces else 0
    axes = [axis for axis in range(first, labels.ndim) if labels.shape[axis] > 1]
    faces = [np.take(labels, end, axis).ravel() for axis in axes for end in (0, -1)]
    return without(labels, np.unique(np.concatenate(faces)) if faces else labels.ravel()[:0])


def without(labels: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Labels without the objects of some ids.

    Parameters
    ----------
    labels : (*S) non-negative integers, any ids
    ids : (n,) of the type of the labels; 0 and ids that do not occur change nothing

    Returns
    -------
    (*S) labels of the same type

    >>> without(np.array([0, 3, 4]), np.array([4])).tolist()
    [0, 3, 0]
    """
    return fastremap.mask(np.ascontiguousarray(labels), ids, in_place=False)


def _sizes(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ids of objects, and their numbers of voxels."""
    ids, counts = fastremap.unique(np.ascontiguousarray(labels), return_counts=True)
    return ids[ids > 0], counts[ids > 0]
