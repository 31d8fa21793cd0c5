"""Instances of a volume by blocks, for tests: the stages one after another in a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from jaxseg import blocks, io
from jaxseg.blocks import BlockGrid, Ledger
from jaxseg.config import Channel, Watershed
from jaxseg.decoding import plan, settle, settled, watershed_by_plan
from jaxseg.labels.objects import compact

Decode = Callable[[np.ndarray], np.ndarray]


def peak_mib() -> float:
    """The most memory that this program ever had.

    The figure of ``getrusage`` survives a fork: it would be that of the tests, which are larger.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def decoder(
    planes: np.ndarray,
    channels: tuple[Channel, ...],
    grid: BlockGrid,
    options: Watershed | None = None,
) -> Decode:
    """What decodes one block of a volume of planes."""
    options = options or Watershed()

    def parts():
        for block in grid:
            core = block.core.relative_to(block.read.start)
            yield planes[block.read.slices], core.slices

    chosen = plan(channels, ndim=len(grid.shape), options=options)
    found = settled(chosen, settle(chosen, parts))
    if found is None:
        return lambda box: np.zeros(box.shape[:-1], np.uint16)
    return lambda box: watershed_by_plan(box, found, options).labels


def create(
    folder: Path, grid: BlockGrid, planes: np.ndarray, decode: Decode, numbers: range | None = None
) -> Ledger:
    """Instance creation of some blocks."""
    ledger = blocks.open_creation(folder / "creation", grid, {"seed": 0})
    work = blocks.creation_work(ledger, lambda box: planes[box.slices], decode)
    blocks.run_blocks(ledger, range(len(grid)) if numbers is None else numbers, work)
    return ledger


def merge(folder: Path, created: Ledger, *, threshold: float = 0.5, min_size: int = 1) -> Ledger:
    """Instance merging of all blocks."""
    every = range(len(created.grid))
    compared = blocks.open_contacts(folder / "contacts", created, {"threshold": threshold})
    blocks.run_blocks(compared, every, blocks.contacts_work(compared, created, threshold=threshold))
    ledger = blocks.open_labels(
        folder / "labels",
        created,
        compared,
        {"min_size": min_size},
        target=folder / "final" / "labels.zarr",
        spacing=(1.0,) * len(created.grid.shape),
        min_size=min_size,
    )
    if len(blocks.finished(ledger)) < len(ledger.grid):
        blocks.run_blocks(ledger, every, blocks.labels_work(ledger, created))
    blocks.publish(ledger)
    return ledger


def labels_of(ledger: Ledger) -> np.ndarray:
    """The final labels."""
    return io.open_labels(ledger.data, ndim=len(ledger.grid.shape)).array()


def instances(
    folder: Path, grid: BlockGrid, planes: np.ndarray, decode: Decode, **options
) -> np.ndarray:
    """All stages."""
    return labels_of(merge(folder, create(folder, grid, planes, decode), **options))


def canonical(labels: np.ndarray) -> np.ndarray:
    """Ids 1..N in the order of the first voxels."""
    ids, first = np.unique(labels, return_index=True)
    order = ids[np.argsort(first)]
    table = np.zeros(int(labels.max(initial=0)) + 1, np.int64)
    table[order[order > 0]] = np.arange(1, np.count_nonzero(order) + 1)
    return table[compact(labels) if labels.max(initial=0) > 2**24 else labels]
