"""Instances of a volume by blocks, for tests: the stages one after another in a folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from jaxseg import io
from jaxseg.blocks import Block, BlockGrid, Ledger
from jaxseg.blocks.stage import Arrays, Made, Output, Results, Stage
from jaxseg.config import Channel, Watershed
from jaxseg.decoding import plan, settle, settled, watershed_by_plan
from jaxseg.labels.objects import compact
from jaxseg.stages.joining import compared, label_type, labelled
from jaxseg.stages.pieces import created
from support.stages import begun, by_blocks

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


def creation(grid: BlockGrid, planes: np.ndarray, decode: Decode) -> Stage:
    """Instance creation."""

    def find(block: Block, results: Results, known: Arrays) -> Made:
        return Made(decode(planes[block.read.slices]))

    return created(grid, find, values={"seed": 0})


def create(
    folder: Path, grid: BlockGrid, planes: np.ndarray, decode: Decode, numbers: range | None = None
) -> Ledger:
    """Instance creation of some blocks."""
    return begun(folder, creation(grid, planes, decode), numbers)


def merge(folder: Path, created: Ledger, *, threshold: float = 0.5, min_size: int = 1) -> Ledger:
    """Instance merging of all blocks."""
    return by_blocks(folder, merging(folder, created, threshold, min_size), given=created).ledger


def merging(folder: Path, created: Ledger, threshold: float = 0.5, min_size: int = 1) -> Stage:
    """The stages after instance creation."""
    first = Stage(name=created.stage, phase=created.stage, grid=created.grid)
    pairs = compared(first, threshold=threshold, values={"threshold": threshold})
    target, spacing = folder / "final" / "labels.zarr", (1.0,) * len(created.grid.shape)
    output = Output(spacing=spacing, dtype=label_type, target=target)
    return labelled(first, pairs, output, min_size=min_size, values={"min_size": min_size})


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
