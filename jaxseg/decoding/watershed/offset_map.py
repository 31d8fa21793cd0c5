"""Boundaries and foreground out of offsets from the centre (H, V, Z).

Inside an object the offset along an axis rises in the direction of the axis; across a boundary it
falls: from the end of one object to the beginning of the next, or to the 0 of the background.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


def offset_boundary(
    offsets: Mapping[int, np.ndarray], mask: np.ndarray, *, soft: float, jump: float
) -> np.ndarray:
    """How much like a boundary between objects a voxel is, from 0 to 1.

    Along each axis, the larger of two signs of a boundary; then the largest of the axes.

    The fall from the voxel before to the voxel after, over the sum of their magnitudes: 1 where the
    sign changes from + to -, or the object ends, whatever its size. The jump between the voxel and
    a neighbour that breaks the even rise on both sides, in either direction: it shows boundaries on
    which both objects lie on the same side of their centres, as non-convex objects may.

    Unlike a derivative scaled by its range in the image (Graham et al. 2019, HoVer-Net), both
    depend on neighbouring voxels only.

    Parameters
    ----------
    offsets : for each axis, (*S) float offsets *from* the centre
    mask : (*S) bool, where objects are; offsets outside count as 0
    soft : added to the sum of magnitudes, so that noise about 0, near centres, is no boundary; in
        the units of the offsets
    jump : the jump that is a full boundary, in the units of the offsets

    Returns
    -------
    (*S) float32; 0 outside the mask; the image border is no boundary

    >>> two = np.array([-1, 0, 1, -1, 0, 1], float)
    >>> offset_boundary({0: two}, np.ones(6, bool), soft=0.0, jump=2.0).tolist()
    [0.0, 0.0, 1.0, 1.0, 0.0, 0.0]
    """
    boundary = np.zeros(mask.shape, np.float32)
    for axis, offset in offsets.items():
        inside = np.where(mask, offset, 0).astype(np.float32)
        for sign in (_fall(inside, axis, soft), _jump(inside, axis) / jump):
            np.maximum(boundary, np.minimum(sign, 1), out=boundary, casting="same_kind")
    return np.where(mask, boundary, np.float32(0))


def _fall(offset: np.ndarray, axis: int, soft: float) -> np.ndarray:
    """Fall over two voxels, relative to their magnitudes; negative where the offset rises."""
    before, after = _neighbours(offset, axis)
    scale = np.abs(before) + np.abs(after) + np.float32(soft)
    return (before - after) / np.maximum(scale, np.finfo(np.float32).tiny)


def _jump(offset: np.ndarray, axis: int) -> np.ndarray:
    """The larger jump to either neighbour along an axis.

    The step between two voxels is compared with the steps before and after it; the smaller of the
    two differences counts, so that a mere change of slope, as at the centre, is no jump.
    """
    change = np.abs(np.diff(offset, n=2, axis=axis))
    if not change.size:
        return np.zeros_like(offset)
    first, last = np.take(change, [0], axis), np.take(change, [-1], axis)
    # The first and the last step have one neighbour.
    to_previous = np.concatenate([first, change], axis)
    to_next = np.concatenate([change, last], axis)
    steps = np.minimum(to_previous, to_next)
    nothing = np.zeros_like(first)
    return np.maximum(
        np.concatenate([nothing, steps], axis), np.concatenate([steps, nothing], axis)
    )


def offset_size(offsets: Mapping[int, np.ndarray]) -> np.ndarray:
    """Largest magnitude of the offsets of a voxel along any axis.

    Parameters
    ----------
    offsets : for each axis, (*S) float

    Returns
    -------
    (*S) float32, in the units of the offsets
    """
    sizes = np.stack([np.abs(offset) for offset in offsets.values()])
    return sizes.max(axis=0).astype(np.float32, copy=False)


def offset_centre(offsets: Mapping[int, np.ndarray]) -> np.ndarray:
    """Whether the offsets rise along every axis, as they do about the centre of an object.

    Parameters
    ----------
    offsets : for each axis, (*S) float offsets *from* the centre

    Returns
    -------
    (*S) bool

    >>> offset_centre({0: np.array([0, -1, 0, 1, 0])}).tolist()
    [False, False, True, False, False]
    """
    rises = []
    for axis, offset in offsets.items():
        before, after = _neighbours(offset, axis)
        rises.append(after > before)
    return np.logical_and.reduce(rises)


def _neighbours(values: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """The values of the voxel before and the voxel after; at the border, the voxel's own."""
    widths = [(1, 1) if a == axis % values.ndim else (0, 0) for a in range(values.ndim)]
    padded = np.pad(values, widths, mode="edge")
    length = values.shape[axis]
    before = np.take(padded, range(length), axis)
    after = np.take(padded, range(2, length + 2), axis)
    return before, after
