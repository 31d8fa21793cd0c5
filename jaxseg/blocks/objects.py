"""Changed objects by blocks: each stage reads finished labels and writes new ones.

Three kinds of change are the same by blocks as in a whole volume: a new id for every old one; what
depends on a few voxels around a voxel; and what depends on the boxes of the objects that a block
touches. Every stage notes how large its objects are and where, for the stages after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import ndimage

from jaxseg import io
from jaxseg.blocks.engine import Work
from jaxseg.blocks.ledger import Ledger, open_ledger, record_of, require
from jaxseg.blocks.store import (
    chunk_of,
    hash_of,
    open_data,
    read_table,
    write_box,
    write_known,
    write_table,
)
from jaxseg.errors import ResourceError
from jaxseg.geometry import Box
from jaxseg.labels.numbering import numbered
from jaxseg.volume import Readable

# The new labels in a box; and new labels out of those of any part of a volume.
Change = Callable[[Box], np.ndarray]
Function = Callable[[np.ndarray], np.ndarray]

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


def extents(ledger: Ledger) -> Extents:
    """Where the objects of a volume are, of a stage that wrote or measured them.

    Raises
    ------
    ConfigError : blocks are missing; they are named
    """
    require(ledger)
    columns = Extents(*(np.concatenate(column) for column in zip(*_parts(ledger), strict=True)))
    ids, place = np.unique(columns.ids, return_inverse=True)
    far = np.iinfo(np.int64).max
    voxels, first = np.zeros(len(ids), np.int64), np.full(len(ids), far)
    low = np.full((len(ids), len(ledger.grid.shape)), far)
    high = np.zeros_like(low)
    np.add.at(voxels, place, columns.voxels)
    np.minimum.at(low, place, columns.low)
    np.maximum.at(high, place, columns.high)
    np.minimum.at(first, place, columns.first)
    return Extents(ids, voxels, low, high, first)


def _parts(ledger: Ledger) -> Iterator[Extents]:
    """What the blocks noted, after one without objects."""
    shape = ledger.grid.shape
    yield extents_of(np.zeros((1,) * len(shape), np.uint16), (0,) * len(shape), shape)
    for number in range(len(ledger.grid)):
        if record_of(ledger, number)["objects"]:
            arrays = read_table(ledger, number)
            # What is measured are merged objects, which are numbered by their first voxels.
            arrays = {"first": arrays["ids"].astype(np.int64), **arrays}
            # Measurements name objects beside the block, too.
            own = arrays["voxels"] > 0
            yield Extents(*(arrays[name][own] for name in Extents._fields))


def open_objects(
    folder: Path,
    stage: str,
    before: Ledger,
    values: Mapping[str, Any],
    known: Callable[[], Mapping[str, np.ndarray]],
    *,
    spacing: Sequence[float],
    dtype: Any = None,
    target: Path | None = None,
) -> Ledger:
    """Begin to change objects, or go on with it; see :func:`jaxseg.blocks.open_ledger`.

    Parameters
    ----------
    folder, stage, values, target : of this stage
    before : the stage that wrote the objects
    known : arrays about the whole volume that every block needs, see :func:`known_of`; asked once
    spacing, dtype : of the new labels; None = the type of the objects before

    Raises
    ------
    ConfigError : blocks of the stage before are missing; they are named
    """
    require(before)

    def fill(partial: Path) -> None:
        write_known(partial, known())
        io.make_labels(
            partial / "data.zarr",
            name=io.stem_of((target or folder).name),
            shape=before.grid.shape,
            chunks=chunk_of(before.grid.block),
            dtype=dtype or open_data(before).dtype,
            spacing=spacing,
        )

    values = {**values, "before": before.digest}
    return open_ledger(folder, stage, before.grid, values, target=target, fill=fill)


def objects_work(ledger: Ledger, change: Change) -> Work:
    """The function that writes the changed objects of one block, and notes where they are.

    Parameters
    ----------
    ledger : of :func:`open_objects`
    change : the new labels in a box
    """
    array = open_data(ledger)

    def work(number: int) -> dict[str, Any]:
        core = ledger.grid[number].core
        labels = change(core).astype(array.dtype, copy=False)
        write_box(ledger.data, array, core, labels)
        found = extents_of(labels, core.start, ledger.grid.shape)
        tables = write_table(ledger, number, found._asdict()) if len(found.ids) else ""
        return {"objects": len(found.ids), "hash": hash_of(labels), "tables": tables}

    return work


# ------------------------------------------------------------------------------- changes


def renamed(source: Readable, table: np.ndarray) -> Change:
    """Every id becomes what a table says, (largest id + 1,)."""
    return lambda core: table[source[core.slices]]


def nearby(source: Readable, margin: Sequence[int], function: Function) -> Change:
    """What depends on the voxels up to a margin around each voxel.

    Parameters
    ----------
    source : (*S) labels, an array or anything that is read by slices
    margin : per axis
    function : labels of any part of the volume to labels of the same part

    >>> change = nearby(np.array([0, 0, 3, 0]), (1,), lambda part: np.full_like(part, part.max()))
    >>> change(Box((0,), (1,))), change(Box((1,), (2,)))
    (array([0]), array([3]))
    """
    return lambda core: _within(source, core.grown(margin, source.shape), core, function)


def around_objects(source: Readable, where: Extents, function: Function) -> Change:
    """What depends on the boxes around the objects that a voxel lies in the boxes of.

    Parameters
    ----------
    source : (*S) labels, an array or anything that is read by slices
    where : all objects in them
    function : labels of any part of the volume to labels of the same part

    Returns
    -------
    Change, which raises a ResourceError where objects make it read more than memory should hold
    """
    return lambda core: _within(source, box_of_objects(where, core, source.shape), core, function)


def _within(source: Readable, box: Box, core: Box, function: Function) -> np.ndarray:
    """A function of what lies in a box, as far as it lies in a core."""
    return function(source[box.slices])[core.relative_to(box.start).slices]


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
