"""Deep supervision: the same truth for outputs of several resolutions (Lee et al. 2015)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import jax
import numpy as np

Array = TypeVar("Array", jax.Array, np.ndarray)


def level_weights(count: int) -> tuple[float, ...]:
    """Weights of the outputs of a network, the finest first: each half of the one before, sum 1.

    >>> level_weights(2), level_weights(1)
    ((0.6666666666666666, 0.3333333333333333), (1.0,))
    """
    halves = [0.5**level for level in range(count)]
    return tuple(weight / sum(halves) for weight in halves)


def level_steps(fine: Sequence[int], coarse: Sequence[int]) -> tuple[int, ...]:
    """How many voxels a coarser voxel is long along each axis.

    Parameters
    ----------
    fine, coarse : sizes of the same patch in voxels, (z)yx

    Returns
    -------
    one step per axis

    Raises
    ------
    ValueError : a size that does not divide

    >>> level_steps((8, 64, 64), (8, 32, 16))
    (1, 2, 4)
    """
    axes = list(zip(fine, coarse, strict=True))
    if any(n < 1 or size % n for size, n in axes):
        raise ValueError(f"an output of {tuple(coarse)} voxels does not divide {tuple(fine)}")
    return tuple(size // n for size, n in axes)


def at_level(array: Array, steps: Sequence[int]) -> Array:
    """The values of an array at the voxels nearest to the centres of coarser ones.

    Nothing is mixed, so that labels, masks and any channel stay what they are: a coarse voxel is
    asked for what a voxel in its middle is, in units of the fine ones.

    Parameters
    ----------
    array : (N, *S, ...)
    steps : of every axis of S, from :func:`level_steps`

    Returns
    -------
    (N, *coarse, ...)

    >>> at_level(np.arange(8).reshape(1, 8), (4,)).tolist()
    [[2, 6]]
    """
    return array[(slice(None), *(slice(step // 2, None, step) for step in steps))]
