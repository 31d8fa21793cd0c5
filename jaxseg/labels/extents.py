"""Refinement of a volume that is read part by part: how far it looks, what it removes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from jaxseg.config.postprocessing import Refine
from jaxseg.labels.refine import radii_of, size_of


def reach_of(one: Refine, spacing: Sequence[float]) -> tuple[int, ...] | None:
    """Voxels around a voxel that decide what becomes of it.

    Parameters
    ----------
    one : an operation
    spacing : size of a voxel, (z)yx, µm

    Returns
    -------
    per axis, or None for an operation on whole objects

    >>> reach_of(Refine("dilation", (2.5,)), (1.0, 1.0)), reach_of(Refine("fill_holes"), (1.0, 1.0))
    ((4, 4), None)
    """
    if one.operation not in ("dilation", "erosion"):
        return None
    return tuple(math.ceil(radius) + 1 for radius in radii_of(one, tuple(spacing)))


def removed_by(
    one: Refine,
    voxels: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    *,
    shape: Sequence[int],
    spacing: Sequence[float],
) -> np.ndarray | None:
    """Which objects an operation removes, told by their sizes and boxes.

    Parameters
    ----------
    one : an operation
    voxels : (n,) of every object
    low, high : (n, axes) first voxel of every object and one past the last
    shape : of the volume
    spacing : size of a voxel, (z)yx, µm

    Returns
    -------
    (n,) bool, or None for an operation that removes no whole objects

    >>> removed_by(Refine("remove_small_objects", (3,)), np.array([2, 3]), *np.zeros((2, 2, 1)),
    ...            shape=(9,), spacing=(1.0,))
    array([ True, False])
    """
    if one.operation == "clear_border":
        first = 1 if len(shape) == 3 and not one.z_faces else 0
        axes = [axis for axis in range(first, len(shape)) if shape[axis] > 1]
        at_end = (low == 0) | (high == np.asarray(shape))
        return at_end[:, axes].any(axis=1)
    if one.operation == "remove_small_objects":
        return voxels < size_of(one, tuple(spacing))
    if one.operation in ("remove_large_objects", "remove_big_objects"):
        return voxels > size_of(one, tuple(spacing))
    return None
