"""Merging of blocks against a plain merge by two planes, and how its cost grows.

    python benchmarks/bench_merge.py [--sides 96 192 288] [--block 48] [--folder /dev/shm]

A volume of touching cells is cut into blocks, each with ids of its own, and merged again: ours by
what neighbours see in the same voxels, from stored pieces to stored labels with a marker for every
block; the reference in five passes over one store, as is common: largest id of every block, offsets
added in place, one plane of voxels on each side of a face compared pair by pair, union-find, ids
replaced in place. Blocks are labelled from the truth, so that a right merge gives it back. ``ours
s`` and ``ref. s`` are of the same stores in turn; ``right`` is the part of true objects that came
back to the last voxel. The folder lies in memory by default: on disk, forcing blocks of this size
to it takes longer than the work, and only ours does so.

The second table is of numbering alone, with tables as a hundred thousand blocks would leave them.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import zarr
from scipy import ndimage
from timing import timed

from jaxseg import blocks
from jaxseg.blocks import Block, BlockGrid, Made, Output, Result, Stage, Stored
from jaxseg.blocks.stage import Step
from jaxseg.metrics import matching
from jaxseg.stages.joining import compared, label_type, labelled
from jaxseg.stages.numbering import number_objects
from jaxseg.stages.pieces import created
from jaxseg.volume import Readable

TILE = 96


def cells(side: int) -> np.ndarray:
    """Voronoi cells with gaps, one pattern repeated with new ids."""
    rng = np.random.default_rng(0)
    points = np.zeros((TILE,) * 3, np.int32)
    points.flat[rng.choice(points.size, 150, replace=False)] = np.arange(1, 151)
    distance, index = ndimage.distance_transform_edt(points == 0, return_indices=True)
    tile = np.where(distance > 14, 0, points[tuple(index)])
    times = side // TILE
    shift = 150 * np.arange(times**3).reshape((times,) * 3)
    shift = shift.repeat(TILE, 0).repeat(TILE, 1).repeat(TILE, 2)
    labels = np.tile(tile, (times,) * 3)
    return np.where(labels > 0, labels + shift, 0)


# ------------------------------------------------------------------------------------ ours


def done(folder: Path, stage: Stage, results: dict[Step, Result], workers: int = 1) -> Stored:
    """The result of a stage, all of whose blocks are done; it is added to the results."""
    ledger = blocks.open_stage(stage, folder / stage.name, results)
    work = blocks.work_of(stage, ledger, results)
    blocks.run_blocks(ledger, range(len(ledger.grid)), work, workers=workers)
    blocks.publish(ledger)
    results[stage] = found = Stored(ledger)
    return found


def creation(grid: BlockGrid, truth: np.ndarray) -> Stage:
    """The pieces of every block."""
    return created(grid, lambda block, results, known: Made(truth[block.read.slices]), values={})


def merge(folder: Path, first: Stage, pieces: Stored) -> Stored:
    """What is timed."""
    results: dict[Step, Result] = {first: pieces}
    pairs = compared(first, values={})
    output = Output(spacing=(1.0,) * 3, dtype=label_type, target=folder / "final.zarr")
    done(folder, pairs, results, workers=2)
    return done(folder, labelled(first, pairs, output, values={}), results, workers=2)


# ------------------------------------------------------------------------------- reference


class Writable(Readable, Protocol):
    """An array that is written in place, in memory or stored."""

    def __setitem__(self, index: Any, value: Any, /) -> None:
        """Write a box."""


def write_tiles(path: Path, grid: BlockGrid, pieces: Stored) -> Writable:
    """The pieces as 64-bit ids in one store."""
    array = zarr.create_array(path, shape=grid.shape, chunks=grid.block, dtype="uint64")
    for block in grid:
        array[block.core.slices] = pieces.core(block.number)
    return array


def plain_merge(array: Writable, grid: BlockGrid, threshold: float = 0.3) -> None:
    """Five passes over one store."""
    largest = [int(array[block.core.slices].max()) for block in grid]
    offsets = np.concatenate([[0], np.cumsum(largest)])
    for block in grid:
        tile = array[block.core.slices]
        array[block.core.slices] = np.where(tile > 0, tile + np.uint64(offsets[block.number]), 0)
    parent: dict[int, int] = {}
    for block in grid:
        for axis in range(3):
            for a, b in face_pairs(array, grid, block, axis, threshold):
                low, high = sorted((root(parent, a), root(parent, b)))
                if low < high:
                    parent[high] = low
    for block in grid:
        tile = array[block.core.slices]
        ids, numbers = np.unique(tile, return_inverse=True)
        ids = np.array([root(parent, int(number)) for number in ids], np.uint64)
        array[block.core.slices] = ids[numbers].reshape(tile.shape)


def face_pairs(
    array: Writable, grid: BlockGrid, block: Block, axis: int, threshold: float
) -> list[tuple[int, int]]:
    """Ids on both sides of a face that cover each other."""
    if block.index[axis] + 1 == grid.count[axis]:
        return []
    here, there = list(block.core.slices), list(block.core.slices)
    stop = block.core.stop[axis]
    here[axis], there[axis] = slice(stop - 1, stop), slice(stop, stop + 1)
    one, other = array[tuple(here)].ravel().tolist(), array[tuple(there)].ravel().tolist()
    both = Counter((a, b) for a, b in zip(one, other, strict=True) if a and b)
    ones, others = Counter(one), Counter(other)
    return [
        (a, b)
        for (a, b), count in both.items()
        if count / (ones[a] + others[b] - count) > threshold
    ]


def root(parent: dict[int, int], member: int) -> int:
    """The smallest id of a set."""
    while member in parent:
        member = parent[member]
    return member


# ---------------------------------------------------------------------------------- tables


def right(truth: np.ndarray, labels: np.ndarray) -> float:
    """Part of the true objects that came back to the last voxel."""
    return matching(truth, labels, thresholds=(1 - 1e-12,))[0].recall


def compare(side: int, block: int, folder: Path) -> None:
    """One line of the first table."""
    truth = cells(side)
    grid = BlockGrid(truth.shape, (block,) * 3, (16,) * 3, (4,) * 3)
    first = creation(grid, truth)
    pieces = done(folder, first, {})
    ours, merged = timed(merge, folder, first, pieces)
    array = write_tiles(folder / "tiles.zarr", grid, pieces)
    theirs, _ = timed(plain_merge, array, grid)
    figures = (ours, theirs, theirs / ours, 1e3 * ours / len(grid))
    print(
        f"{side:6d}{len(grid):8d}{len(np.unique(truth)) - 1:9d}"
        + "".join(f"{figure:10.2f}" for figure in figures)
        + f"{right(truth, merged.array[...]):9.4f}{right(truth, array[...]):9.4f}",
        flush=True,
    )


def number(count: int) -> None:
    """One line of the second table: eight pieces per block, three contacts each."""
    rng = np.random.default_rng(0)
    pieces = 8 * count
    voxels, first = rng.integers(1, 1000, pieces), rng.permutation(pieces)
    ends = rng.integers(0, pieces, 3 * count)
    pairs = np.stack([ends, np.minimum(ends + rng.integers(1, 100, 3 * count), pieces - 1)], axis=1)
    seconds, found = timed(number_objects, voxels, first, pairs)
    print(f"{count:8d}{pieces:10d}{found.objects:10d}{seconds:10.2f}{1e9 * seconds / pieces:12.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--sides", type=int, nargs="+", default=[96, 192, 288])
    parser.add_argument("--block", type=int, default=48)
    parser.add_argument("--folder", type=Path, default=Path("/dev/shm"))
    options = parser.parse_args()
    heads = ("ours s", "ref. s", "ratio", "ms/block")
    print(f"{'side':>6s}{'blocks':>8s}{'objects':>9s}" + "".join(f"{h:>10s}" for h in heads)
          + f"{'right':>9s}{'ref. r.':>9s}")  # fmt: skip
    for side in options.sides:
        folder = Path(tempfile.mkdtemp(dir=options.folder if options.folder.is_dir() else None))
        try:
            compare(side, options.block, folder)
        finally:
            shutil.rmtree(folder)
    heads = ("pieces", "objects", "s", "ns/piece")
    print(f"\n{'blocks':>8s}" + "".join(f"{h:>10s}" for h in heads[:3]) + f"{heads[3]:>12s}")
    for count in (1_000, 10_000, 100_000):
        number(count)


if __name__ == "__main__":
    main()
