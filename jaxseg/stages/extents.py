"""Where objects are and how large: noted by every stage that writes or measures them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from jaxseg.blocks.stage import Result, Stage
from jaxseg.errors import ResourceError
from jaxseg.geometry import Box
from jaxseg.labels.numbering import numbered

# Voxels that a block may read for the sake of its objects; bounds the memory.
MOST_VOXELS = 2**27


class Extents(NamedTuple):
    """Where objects are, and how large.

    Parameters
    ----------
    ids : (n,) ascending, of the type of the labels
    voxels : (n,) int64
    low, high : (n, axes) int64, first voxel and one past the last
    first : (n,) int64, in the order of the objects' first voxels in the volume
    """

    ids: np.ndarray
    voxels: np.ndarray
    low: np.ndarray
    high: np.ndarray
    first: np.ndarray

    def rows(self, chosen: np.ndarray) -> Extents:
        """Some of the objects."""
        return Extents(*(column[chosen] for column in self))

    def in_box(self, box: Box) -> np.ndarray:
        """(n,) bool, whether the box around an object shares voxels with another box."""
        return np.all((self.low < box.stop) & (self.high > box.start), axis=1)


def extents_of(labels: np.ndarray, start: Sequence[int], shape: Sequence[int]) -> Extents:
    """Where the objects of a part of a volume are.

    Parameters
    ----------
    labels : (*S) non-negative integers
    start : coordinates of the first voxel
    shape : of the volume

    >>> found = extents_of(np.array([[0, 7], [7, 7]]), (10, 20), (100, 100))
    >>> found.voxels.tolist(), found.low.tolist(), found.high.tolist(), found.first.tolist()
    ([3], [[10, 20]], [[12, 22]], [1021])
    """
    numbers, ids = numbered(labels)
    boxes = ndimage.find_objects(numbers.astype(np.int32))
    ends = np.array([[(s.start, s.stop) for s in box] for box in boxes], np.int64)
    ends = ends.reshape(-1, labels.ndim, 2) + np.asarray(start, np.int64)[:, None]
    order = np.argsort(ids[1:])
    voxels = np.bincount(numbers.ravel(), minlength=len(ids))[1:]
    # Objects are numbered in the order of their first voxels: each new maximum is one.
    highest = np.maximum.accumulate(numbers.ravel())
    places = np.unravel_index(np.searchsorted(highest, np.arange(1, len(ids))), labels.shape)
    moved = [at + low for at, low in zip(places, start, strict=True)]
    first = np.ravel_multi_index(moved, tuple(shape))
    columns = (ids[1:], voxels, ends[..., 0], ends[..., 1], first)
    return Extents(*(np.ascontiguousarray(column[order]) for column in columns))


def extents(result: Result, stage: Stage) -> Extents:
    """Where the objects of a volume are, of a stage that wrote or measured them."""
    parts = _parts(result, stage)
    columns = Extents(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    ids, place = np.unique(columns.ids, return_inverse=True)
    far = np.iinfo(np.int64).max
    voxels, first = np.zeros(len(ids), np.int64), np.full(len(ids), far)
    low = np.full((len(ids), len(stage.grid.shape)), far)
    high = np.zeros_like(low)
    np.add.at(voxels, place, columns.voxels)
    np.minimum.at(low, place, columns.low)
    np.maximum.at(high, place, columns.high)
    np.minimum.at(first, place, columns.first)
    return Extents(ids, voxels, low, high, first)


def _parts(result: Result, stage: Stage) -> Iterator[Extents]:
    """What the blocks noted, after one without objects."""
    shape = stage.grid.shape
    yield extents_of(np.zeros((1,) * len(shape), np.uint16), (0,) * len(shape), shape)
    for number in range(len(stage.grid)):
        if result.counts(number)["objects"]:
            # What is measured are merged objects, which are numbered by their first voxels.
            arrays = result.tables(number)
            arrays = {"first": arrays["ids"].astype(np.int64), **arrays}
            # Measurements name objects beside the block, too.
            yield Extents(*(arrays[name] for name in Extents._fields)).rows(arrays["voxels"] > 0)


def box_of_objects(where: Extents, core: Box, shape: Sequence[int]) -> Box:
    """The box around a core and all objects whose boxes it shares voxels with, and a voxel more.

    Raises
    ------
    ResourceError : it is larger than memory should hold; the largest object is named
    """
    rows = np.flatnonzero(where.in_box(core))
    start = tuple(map(int, np.min([core.start, *where.low[rows]], axis=0)))
    stop = tuple(map(int, np.max([core.stop, *where.high[rows]], axis=0)))
    box = Box(start, stop).grown((1,) * len(shape), shape)
    if box.size > max(MOST_VOXELS, core.grown((1,) * len(shape), shape).size):
        sides = (where.high - where.low)[rows]
        worst = rows[sides.prod(axis=1).argmax()]
        low, high = where.low[worst].tolist(), where.high[worst].tolist()
        raise ResourceError(
            f"the whole of object {where.ids[worst]} is needed, which reaches from {low} to {high}",
            expected=f"at most {MOST_VOXELS} voxels to read for the block at {core.start}",
            found=box.size,
            fix="leave out the operation that needs it, or remove such objects before",
        )
    return box
