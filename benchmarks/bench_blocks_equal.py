"""How far objects by blocks are those of the whole volume, beside a merge by two planes.

    python benchmarks/bench_blocks_equal.py [--planes P.npy --labels L.npy --channels A]
        [--sizes 28 40 56 50x128x128] [--halo 16] [--threshold 0.2 --inside 0.8 --merge 0.7]

Without planes, of true planes of touching ellipsoids, decoded by watershed, and of blurred and
noisy affinities of curved neurites through the whole volume, decoded by agglomeration. Every volume
is decoded as a whole and in blocks of several sizes. ``same`` is the part of the objects of the
whole that blocks give to the last voxel, ``.99`` that with an IoU of at least 0.99, ``F1`` is
against the true labels. The columns ``2p`` are of the usual way: each
block with its halo is decoded alone, as an image of its own, and objects of two blocks are joined
if the voxels on both sides of a face have an IoU above 0.3.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from bench_merge import plain_merge
from scipy import ndimage
from timing import timed

from jaxseg.blocks import BlockGrid
from jaxseg.channels import encode
from jaxseg.config import Agglomeration, Channel, Watershed, ch
from jaxseg.decoding import decode, decoder_of
from jaxseg.labels.objects import drop_small
from jaxseg.metrics import matching

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from support import blockwise, blockwise_affinities
from support.synthetic_objects import touching_balls

BAND = 4
Options = Agglomeration | Watershed


def neurites(side: int, *, spread: float = 5.0, seed: int = 0) -> np.ndarray:
    """Tubes that wind through a cube from one face to the other, side by side."""
    rng = np.random.default_rng(seed)
    grid = np.indices((side, side, side), np.float32)
    warp = [ndimage.gaussian_filter(rng.normal(size=(side,) * 3), 12) for _ in range(2)]
    y, x = (axis + spread * shift / shift.std() for axis, shift in zip(grid[1:], warp, strict=True))
    centres = rng.uniform(-4 * spread, side + 4 * spread, ((side // 12) ** 2, 2))
    nearest, labels = np.full((side,) * 3, np.inf, np.float32), np.zeros((side,) * 3, np.int32)
    for number, (cy, cx) in enumerate(centres, start=1):
        away = np.hypot(y - cy, x - cx)
        closer = away < nearest
        labels[closer], nearest[closer] = number, away[closer]
    return drop_small(labels, 100)


def blurred(planes: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Soft affinities with errors of several voxels, as networks make them."""
    rng = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(rng.normal(size=planes.shape[:-1]), 3)
    soft = ndimage.gaussian_filter(planes, (0.5, 0.5, 0.5, 0))
    soft = soft + 0.1 * (smooth / smooth.std())[..., None] + rng.normal(0, 0.05, planes.shape)
    return np.clip(soft, 0, 1).astype(np.float32)


# --------------------------------------------------------------------------------- both ways


def by_blocks(
    planes: np.ndarray, channels: tuple[Channel, ...], options: Options, grid: BlockGrid
) -> np.ndarray:
    """Ours, from planes in memory through all stores."""
    with tempfile.TemporaryDirectory() as folder:
        if isinstance(options, Agglomeration):
            return blockwise_affinities.agglomerated(Path(folder), grid, planes, channels, options)
        find = blockwise.decoder(planes, channels, grid, options)
        return blockwise.instances(Path(folder), grid, planes, find, min_size=options.min_size)


def by_two_planes(
    planes: np.ndarray, channels: tuple[Channel, ...], options: Options, grid: BlockGrid
) -> np.ndarray:
    """Every block alone, then the merge of neighbouring planes."""
    found, every = np.zeros(grid.shape, np.uint64), dataclasses.replace(options, min_size=1)
    for block in grid:
        labels = decode(planes[block.read.slices], channels, options=every)
        core = block.core.relative_to(block.read.start)
        found[block.core.slices] = labels[core.slices]
    plain_merge(found, grid)
    numbers = np.unique(found, return_inverse=True)[1].reshape(found.shape)
    return drop_small(numbers, options.min_size)


def compare(
    name: str,
    planes: np.ndarray,
    truth: np.ndarray,
    channels: tuple[Channel, ...],
    options: Options,
    sizes: list[tuple[int, ...]],
    halo: int,
) -> None:
    """Print a line per size of blocks."""
    seconds, whole = timed(lambda: decode(planes, channels, options=options))
    print(
        f"\n{name}: {planes.shape[:-1]} voxels, {int(whole.max())} objects in {seconds:.1f} s, "
        f"F1 {f1(truth, whole):.3f}\n" + HEADS,
        flush=True,
    )
    for size in sizes:
        sides = tuple(min(a, b) for a, b in zip(size, truth.shape, strict=True))
        grid = BlockGrid(truth.shape, sides, (halo,) * 3, (min(BAND, *sides),) * 3)
        taken, ours = timed(by_blocks, planes, channels, options, grid)
        plain = by_two_planes(planes, channels, options, grid)
        text = f"{'x'.join(map(str, sides)):>12s}{len(grid):8d}{taken:8.1f}"
        for labels in (ours, plain):
            text += f"{more(whole, labels):9.2f}%{part(whole, labels, 1 - 1e-12):8.4f}"
            text += f"{part(whole, labels, 0.99):8.4f}{f1(truth, labels):7.3f}"
        print(text, flush=True)


HEADS = f"{'block':>12s}{'blocks':>8s}{'s':>8s}" + "".join(
    f"{head + 'count':>10s}{head + 'same':>8s}{head + '.99':>8s}{head + 'F1':>7s}"
    for head in ("", "2p ")
)


def more(whole: np.ndarray, labels: np.ndarray) -> float:
    """Objects too many, in percent of those of the whole."""
    return 100 * (int(labels.max()) - int(whole.max())) / max(int(whole.max()), 1)


def part(whole: np.ndarray, labels: np.ndarray, least: float) -> float:
    """Part of the objects of the whole that have a partner with such an IoU."""
    return matching(whole, labels, thresholds=(least,))[0].recall


def f1(truth: np.ndarray, labels: np.ndarray) -> float:
    return matching(truth, labels, thresholds=(0.5,))[0].f1


def synthetic(sizes: list[tuple[int, ...]], halo: int) -> None:
    """Both volumes made here."""
    balls = touching_balls(np.random.default_rng(0), (112,) * 3, count=250, radii=(6, 11))
    channels: tuple[Channel, ...] = (ch("F"), ch("C"))
    compare("ellipsoids F C", np.asarray(encode(balls, channels)), balls, channels,
            Watershed(), sizes, halo)  # fmt: skip
    truth = neurites(112)
    planes = blurred(np.asarray(encode(truth, (ch("A"),))))
    compare("neurites A", planes, truth, (ch("A"),),
            Agglomeration(threshold=(0.2,), min_size=100), sizes, halo)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--planes", type=Path, help="(z, y, x, K) .npy, with --labels")
    parser.add_argument("--labels", type=Path, help="(z, y, x) .npy")
    parser.add_argument("--channels", nargs="+", default=["A"])
    parser.add_argument("--sizes", nargs="+", default=["28", "40", "56", "50x128x128"])
    parser.add_argument("--halo", type=int, default=16)
    for option in ("threshold", "inside", "merge"):
        parser.add_argument(f"--{option}", type=float)
    parser.add_argument("--min_size", type=int, default=100)
    given = parser.parse_args()
    # Forcing small blocks to disk takes longer than all the rest.
    os.fsync = lambda descriptor: None  # type: ignore[assignment]
    sizes = [tuple(map(int, (text.split("x") * 3)[:3])) for text in given.sizes]
    if given.planes is None:
        synthetic(sizes, given.halo)
        return
    channels = tuple(ch(name) for name in given.channels)
    options: Any = Watershed(min_size=given.min_size)
    if decoder_of(channels) == "agglomeration":
        set_here = {name: getattr(given, name) for name in ("inside", "merge")}
        set_here = {name: value for name, value in set_here.items() if value is not None}
        limit = () if given.threshold is None else (given.threshold,)
        options = Agglomeration(threshold=limit, min_size=given.min_size, **set_here)
    planes, truth = np.load(given.planes), np.load(given.labels)
    compare(given.planes.stem, planes, truth, channels, options, sizes, given.halo)


if __name__ == "__main__":
    main()
