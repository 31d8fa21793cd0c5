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
from pathlib import Path

import numpy as np

from jaxseg.blocks.contacts import Slabs, shared_labels
from jaxseg.blocks.creation import ReadBox, keep_pieces
from jaxseg.blocks.engine import Work
from jaxseg.blocks.grid import Block, BlockGrid
from jaxseg.blocks.ledger import Ledger, Record, known_file, read_ledger, record_of
from jaxseg.blocks.merging import read_pieces
from jaxseg.blocks.store import open_data
from jaxseg.decoding.affinities.fragments import EMPTY, Ascents, components
from jaxseg.labels.contacts import face_connected

Find = Callable[[np.ndarray], Ascents]


def with_reach(grid: BlockGrid, reach: Sequence[int]) -> BlockGrid:
    """The blocks, reading as far as the pointers in the band look."""
    return replace(grid, halo=tuple(b + r for b, r in zip(grid.band, reach, strict=True)))


def fragments_work(ledger: Ledger, read: ReadBox, find: Find, *, background: bool) -> Work:
    """The function that finds and writes the pieces of fragments of one block.

    Parameters
    ----------
    ledger : of instance creation, with the blocks of :func:`with_reach`
    read : a box of the planes, (*box.shape, K)
    find : planes (*S, K) to pointers (*S)
    background : number connected background, too, after the fragments

    Returns
    -------
    number of a block to the record for its marker; there, ``fragments`` of the pieces are such
    """
    array = open_data(ledger)

    def work(number: int) -> Record:
        block = ledger.grid[number]
        wide = block.wide.relative_to(block.read.start).slices
        found = find(read(block.read))
        labels = np.zeros(found.kinds.shape, np.int32)
        core = block.core.relative_to(block.wide.start).slices
        part = Ascents(found.steps[wide], found.kinds[wide])
        labels[wide], count = _pieces(part, core, background=background)
        return {**keep_pieces(ledger, array, block, labels), "fragments": count}

    return work


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


def which_are_fragments(created: Ledger, numbered: Path) -> tuple[np.ndarray, np.ndarray]:
    """Of every id of the volume, its voxels and whether it is a fragment and not background.

    Parameters
    ----------
    created : the finished ledger of :func:`fragments_work`
    numbered : folder of the ledger that numbered its pieces

    Returns
    -------
    voxels : (ids + 1,) int64
    solid : (ids + 1,) bool
    """
    pieces = read_pieces(created)
    ids = np.load(known_file(read_ledger(numbered), "ids.npy"), allow_pickle=False)
    ids = ids.astype(np.int64)
    voxels = np.bincount(ids, pieces.voxels, minlength=1).astype(np.int64)
    solid = np.zeros(len(voxels), bool)
    for number, first in enumerate(pieces.offsets[:-1]):
        solid[ids[first : first + record_of(created, number)["fragments"]]] = True
    voxels[0], solid[0] = 0, False
    return voxels, solid
