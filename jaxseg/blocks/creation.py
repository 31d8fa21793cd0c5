"""Instance creation: the objects of every block, found in its core and halo, each block alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxseg import io
from jaxseg.blocks.contacts import slabs_of
from jaxseg.blocks.engine import Work
from jaxseg.blocks.grid import Block, BlockGrid
from jaxseg.blocks.ledger import Ledger, Record, open_ledger
from jaxseg.blocks.numbering import NOWHERE
from jaxseg.blocks.store import chunk_of, hash_of, open_data, write_box, write_table
from jaxseg.geometry import Box
from jaxseg.io.stored import ZarrArray
from jaxseg.labels.objects import compact

STAGE = "instance_creation"
Decode = Callable[[Any], np.ndarray]
ReadBox = Callable[[Box], Any]


class Pieces(NamedTuple):
    """The objects of one block.

    Parameters
    ----------
    labels : (*wide) uint32, ids 1..n of this block
    voxels : (n,) int64, voxels in the core
    first : (n,) int64, place of the first of them in the volume in C order, ``NOWHERE`` without any
    touching : pieces in the core that reach the outer end of the halo, where they are cut
    """

    labels: np.ndarray
    voxels: np.ndarray
    first: np.ndarray
    touching: int


def pieces_of(grid: BlockGrid, block: Block, labels: np.ndarray) -> Pieces:
    """What a block keeps of the labels of its core and halo.

    Parameters
    ----------
    grid, block : which block
    labels : (*read) non-negative integers, any ids

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


def open_creation(folder: Path, grid: BlockGrid, values: Mapping[str, Any]) -> Ledger:
    """Begin instance creation, or go on with it; see :func:`jaxseg.blocks.open_ledger`."""

    def fill(partial: Path) -> None:
        io.make_labels(
            partial / "data.zarr",
            name="pieces",
            shape=grid.shape,
            chunks=chunk_of(grid.block),
            dtype=np.uint32,
            spacing=(1.0,) * len(grid.shape),
            levels=False,
        )

    return open_ledger(folder, STAGE, grid, values, fill=fill)


def creation_work(ledger: Ledger, read: ReadBox, decode: Decode) -> Work:
    """The function that finds and writes the objects of one block.

    Parameters
    ----------
    ledger : of instance creation
    read : a box of the planes, (*box.shape, K), and of what else is to be decoded
    decode : what is read to labels (*S), of which a part of the volume is given

    Returns
    -------
    number of a block to the record for its marker
    """
    array = open_data(ledger)

    def work(number: int) -> Record:
        block = ledger.grid[number]
        return keep_pieces(ledger, array, block, decode(read(block.read)))

    return work


def keep_pieces(ledger: Ledger, array: ZarrArray, block: Block, labels: np.ndarray) -> Record:
    """Write the pieces of a block, of labels as for :func:`pieces_of`; their record."""
    found = pieces_of(ledger.grid, block, labels)
    core = found.labels[block.core.relative_to(block.wide.start).slices]
    write_box(ledger.data, array, block.core, core)
    tables = {"voxels": found.voxels, "first": found.first}
    tables |= slabs_of(ledger.grid, block, found.labels)
    return {
        "objects": len(found.voxels),
        "cut": found.touching,
        "hash": hash_of(core),
        "tables": write_table(ledger, block.number, tables) if len(found.voxels) else "",
    }
