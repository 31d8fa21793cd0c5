"""Coarser levels of an image: by how much, and how the values of a cell become one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

# Levels are added until no side is longer than this, about what a viewer draws at once.
LARGEST_SIDE = 256
# An axis is halved where its spacing is less than this factor from the finest: voxels of coarser
# levels stay as cubic as they are, or become so to less than a factor of 2.
NEAR = 2**0.5


def level_steps(shape: Sequence[int], spacing: Sequence[float]) -> tuple[tuple[int, ...], ...]:
    """How many voxels of a level make one of the next, for each level after the finest.

    Axes of long voxels are kept until the others have caught up.

    Parameters
    ----------
    shape, spacing : of the finest level, the same axes

    Returns
    -------
    tuple with one step, 1 or 2 along every axis, for each coarser level

    >>> level_steps((40, 900, 700), (2.0, 0.5, 0.5))
    ((1, 2, 2), (1, 2, 2))
    >>> level_steps((600, 600), (1.0, 1.2))
    ((2, 2), (2, 2))
    """
    sizes, lengths, steps = list(shape), list(spacing), []
    while max(sizes) > LARGEST_SIDE:
        fine = min(length for size, length in zip(sizes, lengths, strict=True) if size > 1)
        step = tuple(
            2 if size > 1 and length < NEAR * fine else 1
            for size, length in zip(sizes, lengths, strict=True)
        )
        sizes = coarser(sizes, step)
        lengths = [length * factor for length, factor in zip(lengths, step, strict=True)]
        steps.append(step)
    return tuple(steps)


def coarser(shape: Sequence[int], step: Sequence[int]) -> list[int]:
    """The shape of the next level: the last cell along an axis may be cut, but none is dropped."""
    return [-(-size // factor) for size, factor in zip(shape, step, strict=True)]


def average(values: np.ndarray, step: Sequence[int]) -> np.ndarray:
    """The mean of every cell.

    Parameters
    ----------
    values : any number of axes
    step : sides of a cell, one per axis

    Returns
    -------
    array of the same dtype; of a cell that is cut by the end of an axis, the mean of the rest

    >>> average(np.array([[1.0, 3.0, 5.0]]), (1, 2))
    array([[2., 5.]])
    """
    return _cells(values, step).mean(axis=-1, dtype=np.float32).astype(values.dtype)


def majority(labels: np.ndarray, step: Sequence[int]) -> np.ndarray:
    """The most frequent id of every cell; of equally many, an object before background.

    Parameters
    ----------
    labels : any number of axes, integers
    step : sides of a cell, one per axis

    Returns
    -------
    array of the same dtype, which holds no id that the cell does not hold

    >>> majority(np.array([[7, 7, 0, 0], [7, 9, 0, 5], [0, 4, 3, 2]]), (2, 2))
    array([[7, 0],
           [4, 3]])
    """
    cells = _cells(labels, step)
    found = cells[..., 0].copy()
    # Most cells are of one object or of background: only the others are counted.
    mixed = (cells != found[..., None]).any(axis=-1)
    votes = cells[mixed]
    counts = 2 * (votes[:, :, None] == votes[:, None, :]).sum(axis=-1, dtype=np.int8)
    best = np.argmax(counts + (votes > 0), axis=-1)
    found[mixed] = np.take_along_axis(votes, best[:, None], axis=-1)[:, 0]
    return found


def _cells(values: np.ndarray, step: Sequence[int]) -> np.ndarray:
    """The values of every cell along a new last axis; a cut cell repeats its last ones."""
    ends = [(0, -size % factor) for size, factor in zip(values.shape, step, strict=True)]
    whole = np.pad(values, ends, mode="edge") if any(after for _, after in ends) else values
    sizes = zip(whole.shape, step, strict=True)
    split = whole.reshape([part for size, factor in sizes for part in (size // factor, factor)])
    inner = tuple(range(1, split.ndim, 2))
    moved = np.moveaxis(split, inner, range(split.ndim - len(inner), split.ndim))
    return moved.reshape(*coarser(values.shape, step), -1)
