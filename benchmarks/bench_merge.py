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

import numpy as np
import zarr
from scipy import ndimage
from timing import timed

from jaxseg import blocks
from jaxseg.blocks import BlockGrid, Ledger
from jaxseg.metrics import matching

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


def create(folder: Path, grid: BlockGrid, truth: np.ndarray) -> Ledger:
    """The pieces of every block."""
    ledger = blocks.open_creation(folder / "creation", grid, {})
    work = blocks.creation_work(ledger, lambda box: truth[box.slices], lambda labels: labels)
    blocks.run_blocks(ledger, range(len(grid)), work)
    return ledger


def merge(folder: Path, created: Ledger) -> Ledger:
    """What is timed."""
    every = range(len(created.grid))
    compared = blocks.open_contacts(folder / "contacts", created, {})
    work = blocks.contacts_work(compared, created, threshold=0.5)
    blocks.run_blocks(compared, every, work, workers=2)
    ledger = blocks.open_labels(
        folder / "labels",
        created,
        compared,
        {},
        target=folder / "final.zarr",
        spacing=(1.0, 1.0, 1.0),
    )
    blocks.run_blocks(ledger, every, blocks.labels_work(ledger, created), workers=2)
    blocks.publish(ledger)
    return ledger


# ------------------------------------------------------------------------------- reference


def write_tiles(path: Path, grid: BlockGrid, created: Ledger) -> zarr.Array:
    """The pieces as 64-bit ids in one store."""
    source = zarr.open_array(created.data / "0", mode="r")
    array = zarr.create_array(path, shape=grid.shape, chunks=grid.block, dtype="uint64")
    for block in grid:
        array[block.core.slices] = source[block.core.slices]
    return array


def plain_merge(array: zarr.Array, grid: BlockGrid, threshold: float = 0.3) -> None:
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
    array: zarr.Array, grid: BlockGrid, block: blocks.Block, axis: int, threshold: float
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
    created = create(folder, grid, truth)
    ours, ledger = timed(merge, folder, created)
    array = write_tiles(folder / "tiles.zarr", grid, created)
    theirs, _ = timed(plain_merge, array, grid)
    labels = zarr.open_array(ledger.data / "0", mode="r")[...]
    figures = (ours, theirs, theirs / ours, 1e3 * ours / len(grid))
    print(
        f"{side:6d}{len(grid):8d}{len(np.unique(truth)) - 1:9d}"
        + "".join(f"{figure:10.2f}" for figure in figures)
        + f"{right(truth, labels):9.4f}{right(truth, array[...]):9.4f}",
        flush=True,
    )


def number(count: int) -> None:
    """One line of the second table: eight pieces per block, three contacts each."""
    rng = np.random.default_rng(0)
    pieces = 8 * count
    voxels, first = rng.integers(1, 1000, pieces), rng.permutation(pieces)
    ends = rng.integers(0, pieces, 3 * count)
    pairs = np.stack([ends, np.minimum(ends + rng.integers(1, 100, 3 * count), pieces - 1)], axis=1)
    seconds, found = timed(blocks.number_objects, voxels, first, pairs)
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
