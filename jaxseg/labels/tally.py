"""What several label images say of the same voxels: the different combinations, counted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

# Rows of parts that wait until they are put together; bounds the memory.
WAITING = 2**20


class Tally(NamedTuple):
    """Combinations of values, and how many voxels have each.

    All that counts voxels takes the columns in place of images, and ``voxels`` beside them: the
    result is that of the images. Tallies of parts of an image are put together, see :func:`merged`.

    Parameters
    ----------
    columns : per image, (rows,) of its type; rows in ascending order, the first column first
    voxels : (rows,) int64
    """

    columns: tuple[np.ndarray, ...]
    voxels: np.ndarray


def tally(*images: np.ndarray) -> Tally:
    """Count the voxels of every combination of values.

    Parameters
    ----------
    images : (*S) of one shape, of any types

    Returns
    -------
    Tally; time grows with the number of voxels, memory with that of places where a value changes

    >>> found = tally(np.array([[0, 5], [5, 0]]), np.array([[1, 2], [2, 1]]))
    >>> [column.tolist() for column in found.columns], found.voxels.tolist()
    ([[0, 5], [1, 2]], [2, 2])
    """
    flat = [np.ascontiguousarray(image).ravel() for image in images]
    changes = np.logical_or.reduce([values[1:] != values[:-1] for values in flat])
    size = flat[0].size
    starts = np.concatenate([np.zeros(min(size, 1), np.int64), np.flatnonzero(changes) + 1])
    lengths = np.diff(starts, append=size)
    return _summed(Tally(tuple(values[starts] for values in flat), lengths))


def merged(parts: Iterable[Tally]) -> Tally:
    """The tally of an image from those of parts that cover it once, at least one.

    >>> parts = [tally(np.array([3, 3])), tally(np.array([0, 3]))]
    >>> merged(parts).voxels.tolist()
    [1, 3]
    """
    waiting: list[Tally] = []
    for part in parts:
        waiting.append(part)
        if sum(len(one.voxels) for one in waiting[1:]) > max(WAITING, len(waiting[0].voxels)):
            waiting = [_joined(waiting)]
    return _joined(waiting)


def _joined(parts: list[Tally]) -> Tally:
    columns = zip(*(part.columns for part in parts), strict=True)
    voxels = np.concatenate([part.voxels for part in parts])
    return _summed(Tally(tuple(np.concatenate(column) for column in columns), voxels))


def _summed(rows: Tally) -> Tally:
    """Every combination once."""
    order = np.lexsort(rows.columns[::-1])
    columns, voxels = [column[order] for column in rows.columns], rows.voxels[order]
    if not len(voxels):
        return rows
    new = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    first = np.concatenate([[0], np.flatnonzero(new) + 1])
    return Tally(tuple(column[first] for column in columns), np.add.reduceat(voxels, first))
