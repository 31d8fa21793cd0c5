"""Marker-controlled watershed: scikit-image's flooding, of the contested voxels only.

Voxels still without a label form connected parts. A part that meets one seed belongs to it,
whatever the surface looks like; only a part where seeds meet must be flooded, starting from the
seed voxels along its rim. Parts do not influence one another, so they are flooded in threads.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from skimage.segmentation import watershed

from jaxseg.labels.contacts import face_connected, face_pairs, label_range

# Far below the smallest float32 but 0, even half a billion times.
TINY = 1e-60


def flood(
    surface: np.ndarray, seeds: np.ndarray, mask: np.ndarray, *, workers: int = 0
) -> np.ndarray:
    """Grow seeds over a mask, low places of the surface first.

    The same as ``skimage.segmentation.watershed(surface, seeds, mask=mask)``, except that voxels
    of exactly equal value and distance from two seeds may go to the other one: on a surface of up
    to 32 bit it is the one that reaches them from the first voxel in the order of the array, so
    that what happens in a part of an image does not depend on the rest.

    Parameters
    ----------
    surface : (*S) float
    seeds : (*S) non-negative integers below 2**31; those outside the mask are ignored
    mask : (*S) bool
    workers : threads; 0 = one per core

    Returns
    -------
    (*S) int32; 0 outside the mask, and where no seed reaches through face neighbours

    >>> flood(np.array([[0, 1, 3, 2, 0]]), np.array([[1, 0, 0, 0, 2]]), np.ones((1, 5), bool))
    array([[1, 1, 1, 2, 2]], dtype=int32)
    """
    # scikit-image 0.26 floods arrays in Fortran order wrongly.
    surface, seeds, mask = (np.ascontiguousarray(array) for array in (surface, seeds, mask))
    labels = np.where(mask, seeds, 0).astype(np.int32, copy=False)
    waiting = mask & (labels == 0)
    parts, count = face_connected(waiting)
    if not count:
        return labels
    lowest, highest = label_range(parts, labels, count)
    only = np.where(lowest == highest, highest, 0)
    only[0] = 0
    grown = np.where(waiting, only[parts], labels)
    contested = np.flatnonzero(lowest < highest)
    groups = _groups(parts, contested, workers or os.cpu_count() or 1)
    with ThreadPoolExecutor(max(len(groups), 1)) as pool:
        list(pool.map(lambda group: _flood_group(surface, labels, parts, group, grown), groups))
    return grown


def flood_slices(surface: np.ndarray, seeds: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Flood every slice of the first axis on its own; see :func:`flood`.

    A slice where an object has no seed voxel does not get that object.
    """
    slices = [flood(*planes) for planes in zip(surface, seeds, mask, strict=True)]
    return np.stack(slices) if slices else np.zeros(mask.shape, np.int32)


def _groups(parts: np.ndarray, contested: np.ndarray, number: int) -> list[tuple[int, int]]:
    """Ranges of part numbers with about equally many contested voxels.

    Parts are numbered in the order of the array, so that a range lies in a slab of it.
    """
    if not contested.size:
        return []
    sizes = np.bincount(parts.ravel())[contested]
    share = np.cumsum(sizes) * number // (sizes.sum() + 1)
    pieces = [contested[share == place] for place in range(number)]
    return [(int(piece[0]), int(piece[-1])) for piece in pieces if piece.size]


def _flood_group(
    surface: np.ndarray,
    labels: np.ndarray,
    parts: np.ndarray,
    group: tuple[int, int],
    grown: np.ndarray,
) -> None:
    """Flood the contested parts of a range and write them into ``grown``, which others share."""
    inside = (parts >= group[0]) & (parts <= group[1])
    rows = np.flatnonzero(inside.reshape(len(inside), -1).any(axis=1))
    slab = slice(max(rows[0] - 1, 0), rows[-1] + 2)
    labels, inside = labels[slab], inside[slab]
    inside &= grown[slab] == 0
    rim = np.zeros_like(inside)
    for here, there in face_pairs(inside.ndim):
        rim[here] |= inside[there]
    rim &= labels > 0
    values = _in_order(surface[slab], rim)
    flooded = watershed(values, np.where(rim, labels, 0), mask=inside | rim)
    grown[slab][inside] = flooded[inside]


def _in_order(surface: np.ndarray, rim: np.ndarray) -> np.ndarray:
    """The surface with seed voxels of equal value told apart, in the order of the array.

    scikit-image takes them in the order of its heap, which depends on all other seeds. It works in
    float64: between two values of float32 there is room for half a billion others.
    """
    if surface.dtype.itemsize > 4:
        return surface
    values = surface.astype(np.float64)
    seeds = values[rim]
    step = np.maximum(np.spacing(np.abs(seeds)), TINY)
    values[rim] = seeds - np.arange(seeds.size, 0, -1) * step
    return values
