"""Instances by blocks of a volume on disk, for the memory that it takes.

As a script it prints the memory of the process before and after::

    python tests/large_blocks.py FOLDER SIDE
"""

from __future__ import annotations

import functools
import json
import os
import sys
from pathlib import Path

import numpy as np

from jaxseg import blocks, io
from jaxseg.blocks import BlockGrid, Ledger
from jaxseg.config import Watershed, ch
from jaxseg.decoding import plan, settle, settled, watershed_by_plan
from jaxseg.labels.morphology import dilate
from jaxseg.labels.objects import fill_holes
from jaxseg.metrics import matching
from support import blockwise

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
    ledger = blocks.open_creation(folder / "creation", grid, {})
    work = blocks.creation_work(
        ledger,
        lambda box: source.read(box.start, box.stop),
        lambda box: watershed_by_plan(box, found, Watershed()).labels,
    )
    blocks.run_blocks(ledger, range(len(grid)), work)
    final = blockwise.merge(folder, ledger)
    objects = json.loads((final.folder / "summary.json").read_text())["objects"]
    io.write_labels_tiff(
        folder / "labels.tif", io.open_labels(final.data, ndim=3), spacing=(1.0, 1.0, 1.0)
    )
    compare(folder, refine(folder, final), final)
    most = blockwise.peak_mib()
    return {"start": start, "MiB": most, "objects": objects}


def refine(folder: Path, labels: Ledger) -> Ledger:
    """Filled and then grown objects."""
    numbers, spacing = range(len(labels.grid)), (1.0,) * 3
    source = blocks.open_data(labels)
    ledger = blocks.open_measurements(folder / "measurements", labels, {})
    work = blocks.measuring_work(
        ledger, lambda box: source[box.slices], lambda box: source[box.slices], spacing=spacing
    )
    blocks.run_blocks(ledger, numbers, work)
    where = blocks.extents(ledger)
    grow = functools.partial(dilate, radius=2)
    for name in ("filled", "grown"):
        change = (
            blocks.around_objects(source, where, fill_holes)
            if name == "filled"
            else blocks.nearby(source, (3, 3, 3), grow)
        )
        labels = blocks.open_objects(folder / name, name, labels, {}, dict, spacing=spacing)
        blocks.run_blocks(labels, numbers, blocks.objects_work(labels, change))
        source = blocks.open_data(labels)
    return labels


def compare(folder: Path, labels: Ledger, others: Ledger) -> None:
    """All objects must be found again."""
    ledger = blocks.open_tallies(folder / "overlaps", "overlaps", labels.grid, {})
    sources = blocks.open_data(labels), blocks.open_data(others)
    work = blocks.tally_work(ledger, lambda box: [source[box.slices] for source in sources])
    blocks.run_blocks(ledger, range(len(labels.grid)), work)
    found = blocks.tallied(ledger)
    assert matching(*found.columns, thresholds=(0.3,), voxels=found.voxels)[0].f1 == 1


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]))))
