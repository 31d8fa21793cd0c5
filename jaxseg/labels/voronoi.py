"""Objects that fill a mask: every voxel goes to the nearest object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from jaxseg.labels.contacts import face_connected
from jaxseg.labels.numbering import numbered

# Voxels looked up at a time; bounds the memory.
BLOCK = 2**20


def voronoi(
    labels: np.ndarray,
    mask: np.ndarray,
    *,
    spacing: Sequence[float] | None = None,
    mode: Literal["objects", "centroids"] = "objects",
    islands: bool = False,
) -> np.ndarray:
    """Divide a mask among objects (Voronoi tessellation).

    What objects have outside the mask is cut off first, so that an object outside vanishes.

    Parameters
    ----------
    labels : (*S) non-negative integers, any ids; 0 = background
    mask : (*S) bool
    spacing : size of a voxel, (z)yx, µm; None = 1
    mode : objects: objects stay as they are, and every other voxel of the mask goes to the object
        with the nearest voxel. centroids: every voxel of the mask goes to the object with the
        nearest centroid, so that objects change, too
    islands : fill parts of the mask (connected through faces) in which no object lies, too;
        otherwise they stay empty

    Returns
    -------
    (*S) labels of the same type, 0 outside the mask; nothing without objects. Of equally near
    objects the choice depends on their places, not on their ids

    >>> voronoi(np.array([[0, 7, 0, 0, 0, 3]]), np.array([[1, 1, 1, 1, 1, 0]], bool)).tolist()
    [[7, 7, 7, 7, 7, 0]]
    >>> voronoi(np.array([[7, 0, 0, 0, 3]]), np.array([[1, 1, 1, 0, 1]], bool)).tolist()
    [[7, 7, 7, 0, 3]]
    """
    inside = np.where(mask, labels, 0)
    if not inside.any():
        return inside
    sizes = tuple(spacing) if spacing is not None else (1.0,) * labels.ndim
    if not islands:
        parts, count = face_connected(mask)
        occupied = np.zeros(count + 1, bool)
        occupied[parts[inside > 0]] = True
        mask = occupied[parts]
    if mode == "centroids":
        return _nearest_centroid(inside, mask, sizes)
    index = ndimage.distance_transform_edt(
        inside == 0, sampling=sizes, return_distances=False, return_indices=True
    )
    return np.where(mask, inside[tuple(index)], 0)


def _nearest_centroid(labels: np.ndarray, mask: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
    """Every voxel of the mask to the object whose mean position is nearest."""
    numbers, ids = numbered(labels)
    places = np.nonzero(numbers)
    own = numbers[places]
    count = np.bincount(own)[1:]
    sums = [np.bincount(own, weights=axis)[1:] for axis in places]
    centroids = np.stack(sums, axis=-1) / count[:, None]
    tree = cKDTree(centroids * spacing)
    found, flat = np.zeros(labels.size, labels.dtype), np.flatnonzero(mask)
    for start in range(0, flat.size, BLOCK):
        block = flat[start : start + BLOCK]
        points = np.stack(np.unravel_index(block, labels.shape), axis=-1) * np.asarray(spacing)
        found[block] = ids[tree.query(points, workers=-1)[1] + 1]
    return found.reshape(labels.shape)
