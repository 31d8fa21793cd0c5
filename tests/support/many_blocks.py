"""Ledger, merging and status of a grid of very many blocks, most of them empty.

As a script it prints the seconds of every step and the memory of the process::

    python tests/support/many_blocks.py FOLDER SIDE

with SIDE³ blocks. Pieces are written as instance creation would leave them, without their voxels.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import numpy as np

from jaxseg import blocks
from jaxseg.blocks import BlockGrid, Ledger, Stage, Stored
from jaxseg.blocks.ledger import mark
from jaxseg.blocks.store import write_table
from jaxseg.cli import app
from jaxseg.stages.contacts import slabs_of
from jaxseg.stages.pieces import pieces_of
from support import blockwise
from support.blockwise import peak_mib

# One object in this many blocks, reaching into the next block along the last axis.
SPARSE = 20


def create(folder: Path, grid: BlockGrid) -> Ledger:
    """Markers and tables of all blocks."""
    ledger = blocks.open_stage(blockwise.creation(grid, np.zeros(0), lambda box: box), folder, {})
    for block in grid:
        begins = block.number % SPARSE == 0 and block.index[-1] + 1 < grid.count[-1]
        goes_on = block.number % SPARSE == 1 and block.index[-1] > 0
        labels = np.zeros(block.read.shape, np.uint32)
        core = block.core.relative_to(block.read.start)
        line = labels[core.start[:-1]]
        if begins:
            line[core.stop[-1] - 1 :] = 1
        if goes_on:
            line[: core.start[-1] + 1] = 1
        pieces = pieces_of(grid, block, labels)
        tables = {"voxels": pieces.voxels, "first": pieces.first}
        tables |= slabs_of(grid, block, pieces.labels)
        count = len(pieces.voxels)
        written = write_table(ledger, block.number, tables) if count else ""
        mark(ledger, block.number, {"objects": count, "cut": 0, "tables": written})
    return ledger


def main(folder: Path, side: int) -> dict[str, float]:
    """Seconds of every step, MiB of memory, objects found."""
    os.fsync = lambda descriptor: None  # the disk is not what is measured
    grid = BlockGrid((side * 2,) * 3, (2,) * 3, (1,) * 3, (1,) * 3)
    seconds, start = {}, time.perf_counter()

    def lap(name: str) -> None:
        nonlocal start
        seconds[name], start = time.perf_counter() - start, time.perf_counter()

    created = create(folder / "creation", grid)
    lap("creation")
    last = blockwise.merging(folder, created)
    pairs = last.needs[1]
    assert isinstance(pairs, Stage)
    results = {pairs.needs[0]: Stored(created)}
    compared = blocks.open_stage(pairs, folder / "contacts", results)
    blocks.run_blocks(compared, range(len(grid)), blocks.work_of(pairs, compared, results))
    lap("contacts")
    results[pairs] = Stored(compared)
    ledger = blocks.open_stage(last, folder / "labels", results)
    lap("numbering")
    app.main(["status", str(folder)])
    lap("status")
    objects = int(blocks.known_of(ledger)["counts"][0])
    return {**seconds, "MiB": peak_mib(), "objects": objects, "blocks": len(grid)}


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]))))
