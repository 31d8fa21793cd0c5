"""Instances by blocks of a volume on disk, for the memory that it takes.

As a script it prints the memory of the process before and after::

    python tests/support/large_blocks.py FOLDER SIDE
"""

from __future__ import annotations

import functools
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from jaxseg import blocks, io
from jaxseg.blocks import Block, BlockGrid, Ledger, Stage
from jaxseg.blocks.stage import Arrays, Made, Results
from jaxseg.config import Watershed, ch
from jaxseg.decoding import plan, settle, settled, watershed_by_plan
from jaxseg.labels.morphology import dilate
from jaxseg.labels.objects import fill_holes
from jaxseg.metrics import matching
from jaxseg.stages.changes import Nearby, Operation, WholeObjects, like, operated
from jaxseg.stages.counting import counted, tallied
from jaxseg.stages.measuring import measurements
from jaxseg.stages.pieces import created
from jaxseg.volume import Volume
from support import blockwise
from support.stages import begun, by_blocks

CHANNELS = (ch("F"), ch("C"))
BLOCK = 64


def tile() -> np.ndarray:
    """Foreground and contours of balls of radius 6, 16 apart, (BLOCK, BLOCK, BLOCK, 2)."""
    grid = np.indices((BLOCK,) * 3) % 16 - 8
    radius = np.sqrt((grid**2).sum(axis=0))
    return np.stack([radius < 6, abs(radius - 6) < 1], axis=-1).astype(np.float32)


def main(folder: Path, side: int) -> dict[str, float]:
    """MiB at the start and at most, objects found."""
    os.fsync = lambda descriptor: None  # the disk is not what is measured
    start = blockwise.peak_mib()
    shape, one = (side,) * 3, tile()
    grid = BlockGrid(shape, (BLOCK,) * 3, (16,) * 3, (4,) * 3)
    chunks = (BLOCK, BLOCK, BLOCK, 2)
    path = folder / "planes.zarr"
    with io.create_planes(path, shape=(*shape, 2), chunks=chunks, spacing=(1, 1, 1)) as store:
        for block in grid:
            store[(*block.core.slices, slice(None))] = one
    source = io.open_image(path, ndim=3)

    def parts():
        for block in grid:
            core = block.core.relative_to(block.read.start)
            yield source.read(block.read.start, block.read.stop), core.slices

    chosen = plan(CHANNELS, ndim=3)
    found = settled(chosen, settle(chosen, parts))

    def find(block: Block, results: Results, known: Arrays) -> Made:
        planes = source.read(block.read.start, block.read.stop)
        return Made(watershed_by_plan(planes, found, Watershed()).labels)

    ledger = begun(folder, created(grid, find))
    final = blockwise.merge(folder, ledger)
    objects = int(blocks.known_of(final)["counts"][0])
    io.write_labels_tiff(
        folder / "labels.tif", io.open_labels(final.data, ndim=3), spacing=(1.0, 1.0, 1.0)
    )
    compare(folder, final)
    most = blockwise.peak_mib()
    return {"start": start, "MiB": most, "objects": objects}


def compare(folder: Path, ledger: Ledger) -> None:
    """Filled and then grown objects; all must be found again."""
    grid, ones = ledger.grid, (1.0,) * 3
    labels = Stage(name=ledger.stage, phase="test", grid=grid)
    image = Volume(blocks.open_data(ledger), "zyx", ones)
    where = measurements(labels, image, grid)
    operations = {
        "filled": Operation(fill_holes, WholeObjects(), {}),
        "grown": Operation(functools.partial(dilate, radius=2), Nearby((3, 3, 3)), {}),
    }
    last = labels
    for name, one in operations.items():
        at = where if last is labels else last
        last = operated(last, one, grid, at, name=name, output=like(last, ones))

    def read(box: Any, results: Results, known: Arrays) -> list[np.ndarray]:
        return [results[stage].array[box.slices] for stage in (last, labels)]

    counts = counted("overlaps", grid, read, phase="test", needs=(last, labels))
    found = tallied(by_blocks(folder, counts, given=ledger), counts)
    assert matching(*found.columns, thresholds=(0.3,), voxels=found.voxels)[0].f1 == 1


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]))))
