"""Pieces of objects: those of every block, found in its core and halo, each block alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from jaxseg.blocks import Block, BlockGrid
from jaxseg.blocks.stage import Arrays, Made, Noted, Output, Results, Stage
from jaxseg.decoding.judging import steps_of
from jaxseg.geometry import Box
from jaxseg.labels.objects import compact
from jaxseg.stages.contacts import ends_bytes, slabs_of
from jaxseg.stages.numbering import NOWHERE

CREATION, CREATED = "instance_creation", "created"
# The labels of what a block reads, any ids; of an image in one block, its objects.
Find = Callable[[Block, Results, Arrays], Made]


class Pieces(NamedTuple):
    """The objects of one block.

    Parameters
    ----------
    labels : (*wide) uint32, ids 1..n of this block
    voxels : (n,) int64, voxels in the core
    first : (n,) int64, place of the first of them in the volume in C order, ``NOWHERE`` without any
    touching : pieces in the core that reach the outer end of the halo, where they are cut
    steps : (n,) int64, sum of the foreground over those voxels, see
        :func:`jaxseg.decoding.judging.steps_of`; None where it does not matter
    """

    labels: np.ndarray
    voxels: np.ndarray
    first: np.ndarray
    touching: int
    steps: np.ndarray | None = None


def pieces_of(
    grid: BlockGrid, block: Block, labels: np.ndarray, foreground: np.ndarray | None = None
) -> Pieces:
    """What a block keeps of the labels of its core and halo.

    Parameters
    ----------
    grid, block : which block
    labels : (*read) non-negative integers, any ids
    foreground : (*core) float, how sure each voxel is of an object; None where it does not matter

    Returns
    -------
    Pieces
    """
    wide = compact(labels[block.wide.relative_to(block.read.start).slices])
    count = int(wide.max(initial=0))
    core = wide[block.core.relative_to(block.wide.start).slices]
    places = np.flatnonzero(core)
    ids = core.ravel()[places].astype(np.int64) - 1
    first = np.full(count, NOWHERE, np.int64)
    # Of several values for one element the last one stays: the first voxel.
    first[ids[::-1]] = places[::-1]
    owned = first < NOWHERE
    inside = np.unravel_index(first[owned], core.shape)
    moved = [at + start for at, start in zip(inside, block.core.start, strict=True)]
    first[owned] = np.ravel_multi_index(moved, grid.shape)
    return Pieces(
        wide.astype(np.uint32, copy=False),
        np.bincount(ids, minlength=count),
        first,
        _cut_objects(grid, block, labels),
        None if foreground is None else steps_of(core, foreground, count + 1)[1:],
    )


def _cut_objects(grid: BlockGrid, block: Block, labels: np.ndarray) -> int:
    """Objects with a voxel in the core that reach the end of the halo inside the volume."""
    cut: list[np.ndarray] = [np.zeros(0, labels.dtype)]
    for axis, size in enumerate(grid.shape):
        if block.read.start[axis] > 0:
            cut.append(np.unique(np.take(labels, 0, axis)))
        if block.read.stop[axis] < size:
            cut.append(np.unique(np.take(labels, -1, axis)))
    core = labels[block.core.relative_to(block.read.start).slices]
    found = np.intersect1d(np.concatenate(cut), core)
    return int(np.count_nonzero(found))


def created(
    grid: BlockGrid,
    find: Find,
    *,
    whole: bool = False,
    foreground: Callable[[Box, Results], np.ndarray] | None = None,
    values: Mapping[str, Any],
    **options: Any,
) -> Stage:
    """The stage that finds the objects of every block.

    Parameters
    ----------
    grid : the blocks
    find : (*read) labels of a block, see :data:`Find`
    whole : of one block, whose labels are objects already
    foreground : how sure each voxel of a box is of an object; None where it does not matter
    values : that decide the result
    options : of the :class:`jaxseg.blocks.stage.Stage`
    """

    def work(block: Block, results: Results, known: Arrays) -> Made:
        found = find(block, results, known)
        labels = found.array
        assert labels is not None
        if whole:
            return found._replace(note=lambda: Noted(counts=_of_whole(labels)))
        plane = None if foreground is None else foreground(block.core, results)
        return kept_pieces(grid, block, labels, plane)

    output = Output(spacing=(1.0,) * len(grid.shape), dtype=np.uint32, what="pieces of objects")
    # Pieces without these sums are others.
    values = values if foreground is None else {**values, "sums": "foreground"}
    return Stage(name=CREATION, phase=CREATION, grid=grid, work=work, output=output, done=CREATED,
                 beside=ends_bytes(grid), values=values, **options)  # fmt: skip


def _of_whole(labels: np.ndarray) -> dict[str, int]:
    return {"objects": int(labels.max(initial=0)), "cut": 0}


def kept_pieces(
    grid: BlockGrid,
    block: Block,
    labels: np.ndarray,
    foreground: np.ndarray | None = None,
    **counts: int,
) -> Made:
    """The core of a block, and what is told of its pieces.

    Parameters
    ----------
    grid, block, labels, foreground : as for :func:`pieces_of`
    counts : more to tell
    """
    found = pieces_of(grid, block, labels, foreground)

    def note() -> Noted:
        tables = {"voxels": found.voxels, "first": found.first}
        tables |= {} if found.steps is None else {"steps": found.steps}
        tables |= slabs_of(grid, block, found.labels)
        count = {"objects": len(found.voxels), "cut": found.touching, **counts}
        return Noted(tables if len(found.voxels) else {}, count)

    return Made(found.labels[block.core.relative_to(block.wide.start).slices], note)
