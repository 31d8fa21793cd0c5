"""Clustering of embeddings against the plain greedy loop, with equal results.

    python benchmarks/bench_embedseg.py [--rounds 3] [--side 512]

Each round runs ours and the reference in turn on the same points; the ratio is the median over
rounds of reference over ours. The points are what a network might predict for round cells on a
grid: places near the centres, kernels of varying size, seediness with noise.

few, many     cells of 40 and of 12 voxels across, in 2D
volume        cells of 12 voxels across, in 3D, one quarter as many voxels
reference     every cluster is compared with all foreground voxels (as EmbedSeg and BiaPy do, in
              NumPy)
"""

from __future__ import annotations

import argparse
import math
import statistics
from typing import NamedTuple

import numpy as np
from timing import timed

from jaxseg.decoding.clustering import cluster

LEAST_CERTAIN, STOP_AT, MIN_SIZE, MIN_FREE = 0.5, 0, 10, 0.5


class Points(NamedTuple):
    """What is clustered."""

    name: str
    places: np.ndarray
    narrow: np.ndarray
    certainty: np.ndarray


def cells(name: str, shape: tuple[int, ...], across: int) -> Points:
    """Discs or balls on a grid, their voxels scattered about the centres."""
    rng = np.random.default_rng(0)
    grid = np.indices(shape).reshape(len(shape), -1).T
    centres = (grid // across + 0.5) * across
    from_centre = np.linalg.norm(grid - centres, axis=1)
    inside = from_centre < 0.45 * across
    places = centres[inside] + rng.normal(0, 0.06 * across, (inside.sum(), len(shape)))
    margin = 0.4 * across * np.exp(rng.normal(0, 0.15, places.shape))
    certainty = np.exp(-math.log(2) * (from_centre[inside] / (0.5 * across)) ** 2)
    certainty += rng.normal(0, 0.02, len(places))
    return Points(name, places, math.log(2) / margin**2, certainty)


def our_cluster(points: Points) -> np.ndarray:
    """What the library does."""
    return cluster(*points[1:], least_certain=LEAST_CERTAIN, stop_at=STOP_AT, min_size=MIN_SIZE,
                   min_free=MIN_FREE)  # fmt: skip


def plain_cluster(points: Points) -> np.ndarray:
    """Every cluster against all points."""
    _, places, narrow, certainty = points
    columns = np.ascontiguousarray(places.T)
    found, count = np.zeros(len(places), np.int32), 0
    waiting, left = certainty.copy(), len(places)
    while left > STOP_AT:
        seed = int(waiting.argmax())
        if waiting[seed] < LEAST_CERTAIN:
            break
        square = np.square(columns - columns[:, seed, None])
        near = (narrow[seed][:, None] * square).sum(axis=0) < math.log(2)
        members = near & (waiting > -np.inf)
        waiting[members] = -np.inf
        taken = int(members.sum())
        left -= taken
        if taken >= MIN_SIZE and taken > MIN_FREE * near.sum():
            count += 1
            found[members] = count
    return found


def report(points: Points, rounds: int) -> None:
    """Run ours and the reference in turn and print a line."""
    ours, theirs = list[float](), list[float]()
    for _ in range(rounds):
        seconds, result = timed(our_cluster, points)
        reference, expected = timed(plain_cluster, points)
        ours, theirs = [*ours, seconds], [*theirs, reference]
    ratio = statistics.median(b / a for a, b in zip(ours, theirs, strict=True))
    print(
        f"{points.name:8s}{len(points.places):9d}{result.max():9d}{statistics.median(ours):9.3f}"
        f"{statistics.median(theirs):9.3f}{ratio:8.1f}{np.array_equal(result, expected)!s:>7s}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side", type=int, default=512)
    options = parser.parse_args()
    side = options.side
    heads = ("points", "voxels", "objects", "ours s", "ref. s", "ratio", "equal")
    print("{:8s}{:>9s}{:>9s}{:>9s}{:>9s}{:>8s}{:>7s}".format(*heads))
    report(cells("few", (side, side), 40), options.rounds)
    report(cells("many", (side, side), 12), options.rounds)
    report(cells("volume", (side // 16, side // 2, side // 2), 12), options.rounds)


if __name__ == "__main__":
    main()
