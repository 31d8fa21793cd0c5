"""Fragments by blocks, to the last voxel those of the whole volume.

A fragment is what pointers from voxel to voxel connect, and a block knows the pointers in its core
and a band around it. It numbers what they connect there. Pieces of two blocks that share any voxel
are then parts of one fragment, and every pointer across the side of a block has both its ends in
the bands of both blocks: joining such pieces gives the fragments, however far they reach. Connected
background, of which some turns out to be holes of objects, is found in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from jaxseg.blocks import Block, BlockGrid
from jaxseg.blocks.stage import Arrays, Made, Output, Result, Results, Stage
from jaxseg.decoding.affinities.fragments import EMPTY, Ascents, components
from jaxseg.labels.contacts import face_connected
from jaxseg.stages.contacts import Slabs, ends_bytes, shared_labels
from jaxseg.stages.joining import read_pieces
from jaxseg.stages.pieces import CREATED, CREATION, kept_pieces

Find = Callable[[Block, Results, Arrays], Ascents]


def with_reach(grid: BlockGrid, reach: Sequence[int]) -> BlockGrid:
    """The blocks, reading as far as the pointers in the band look."""
    return replace(grid, halo=tuple(b + r for b, r in zip(grid.band, reach, strict=True)))


def fragmented(grid: BlockGrid, find: Find, *, background: bool, **options: Any) -> Stage:
    """The stage that finds the pieces of fragments of every block.

    Parameters
    ----------
    grid : of :func:`with_reach`
    find : pointers (*read) of a block
    background : number connected background, too, after the fragments
    options : of the stage

    Returns
    -------
    Stage, whose blocks tell in ``fragments`` how many of the pieces are such
    """

    def work(block: Block, results: Results, known: Arrays) -> Made:
        wide = block.wide.relative_to(block.read.start).slices
        found = find(block, results, known)
        labels = np.zeros(found.kinds.shape, np.int32)
        core = block.core.relative_to(block.wide.start).slices
        part = Ascents(found.steps[wide], found.kinds[wide])
        labels[wide], count = _pieces(part, core, background=background)
        return kept_pieces(grid, block, labels, fragments=count)

    output = Output(spacing=(1.0,) * len(grid.shape), dtype=np.uint32, what="pieces of objects")
    return Stage(name=CREATION, phase=CREATION, grid=grid, work=work, output=output, done=CREATED,
                 beside=ends_bytes(grid),
                 **options)  # fmt: skip


def _pieces(found: Ascents, core: tuple[slice, ...], *, background: bool) -> tuple[np.ndarray, int]:
    """What is connected and has a voxel in the core, fragments first; the number of fragments."""
    labels = components(found)
    solid = int(labels.max(initial=0))
    if background:
        parts, _ = face_connected(found.kinds == EMPTY)
        labels = np.where(parts > 0, parts.astype(np.int32) + solid, labels)
    kept = np.zeros(int(labels.max(initial=0)) + 1, bool)
    kept[labels[core]] = True
    kept[0] = False
    return np.where(kept[labels], labels, 0), int(np.count_nonzero(kept[: solid + 1]))


def shared_voxels(
    grid: BlockGrid, block: Block, read: Callable[[int], Slabs]
) -> Iterator[tuple[int, np.ndarray]]:
    """Pieces of a block and of neighbours of larger number that share a voxel.

    Parameters
    ----------
    grid, block : which block
    read : the slabs of a block by its number, empty for a block without pieces

    Yields
    ------
    number of the neighbour, and (n, 2) int64 ids of this block and of the neighbour; only where
    there are any
    """
    for other, own, theirs in shared_labels(grid, block, read):
        both = (own > 0) & (theirs > 0)
        codes = own[both].astype(np.int64) << 32 | theirs[both].astype(np.int64)
        pairs = np.unique(codes)
        if len(pairs):
            yield other.number, np.stack([pairs >> 32, pairs & (2**32 - 1)], axis=-1)


def which_are_fragments(
    created: Result, numbered: Result, blocks: int
) -> tuple[np.ndarray, np.ndarray]:
    """Of every id of the volume, its voxels and whether it is a fragment and not background.

    Parameters
    ----------
    created : of :func:`fragmented`
    numbered : of the stage that numbered its pieces
    blocks : number of blocks

    Returns
    -------
    voxels : (ids + 1,) int64
    solid : (ids + 1,) bool
    """
    pieces = read_pieces(created, blocks)
    ids = np.asarray(numbered.known["ids"]).astype(np.int64)
    voxels = np.bincount(ids, pieces.voxels, minlength=1).astype(np.int64)
    solid = np.zeros(len(voxels), bool)
    for number, first in enumerate(pieces.offsets[:-1]):
        solid[ids[first : first + created.counts(number)["fragments"]]] = True
    voxels[0], solid[0] = 0, False
    return voxels, solid
