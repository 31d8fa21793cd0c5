"""Decoders of affinities: how many objects survive errors of the planes, and at what speed.

    python benchmarks/bench_affinities.py [--rounds 3] [--labels LABELS.tif] [--shape 32 96 96]

True affinities of a label volume (synthetic cells, or a corner of the file given) are blurred, and
noise is added that is even over several voxels, so that boundaries have gaps. The first table is F1
at IoU 0.5 of each decoder with its default settings, and of the watershed with the best of several
seed thresholds, on the same planes. The second is the time to join the same fragments: ours against
waterz in one run, the results compared by mean IoU. Packages that are not installed are named.
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
from typing import Any, Literal

import cc3d
import numpy as np
import tifffile
from scipy import ndimage
from timing import timed

from jaxseg.channels import encode
from jaxseg.config import Agglomeration, Channel, Mutex, Watershed, ch
from jaxseg.decoding import agglomeration, agglomeration_steps, mutex, watershed
from jaxseg.decoding.affinities.agglomeration import joined, joined_by_waterz
from jaxseg.labels.objects import compact, drop_small
from jaxseg.metrics import matching

NEAR = (ch("A"),)
FAR = (ch("A", neighborhood=6, offsets=((0, 0, 3), (0, 3, 0), (3, 0, 0), (0, 0, 9), (0, 9, 0))),)
FACES = ((0, 0, 1), (0, 1, 0), (1, 0, 0))
# Blur in voxels, noise that is even over several voxels, noise of single voxels.
DAMAGES = ((0.0, 0.0, 0.0), (0.5, 0.1, 0.05), (0.7, 0.1, 0.1))
SMALL = 100


def synthetic(shape: tuple[int, ...]) -> np.ndarray:
    """Cells that fill the volume, one per 16 voxels cubed."""
    rng = np.random.default_rng(0)
    points = np.zeros(shape, np.int32)
    count = int(np.prod(shape) / 16**3)
    points.flat[rng.choice(points.size, count, replace=False)] = np.arange(1, count + 1)
    index = ndimage.distance_transform_edt(points == 0, return_distances=False, return_indices=True)
    return points[tuple(index)]


def damaged(
    truth: np.ndarray, channels: tuple[Channel, ...], damage: tuple[float, float, float]
) -> np.ndarray:
    """Affinities as a network might predict them."""
    blur, even, single = damage
    rng = np.random.default_rng(0)
    planes = np.asarray(encode(truth, channels))
    smooth = ndimage.gaussian_filter(rng.normal(size=truth.shape), 3)
    soft = ndimage.gaussian_filter(planes, (blur, blur, blur, 0))
    noise = even * (smooth / smooth.std())[..., None] + single * rng.normal(size=planes.shape)
    return np.clip(soft + noise, 0, 1).astype(np.float32)


def f1(truth: np.ndarray, labels: np.ndarray) -> float:
    return matching(truth, labels, thresholds=(0.5,))[0].f1


def best_watershed(truth: np.ndarray, planes: np.ndarray) -> float:
    """F1 with the best of several seed thresholds."""
    settings = [Watershed(seed_thresholds=(seed,), min_size=SMALL) for seed in (0.6, 0.7, 0.8, 0.9)]
    return max(f1(truth, watershed(planes, NEAR, options=one)) for one in settings)


def quality(truth: np.ndarray, damage: tuple[float, float, float]) -> None:
    """Print a line of F1."""
    planes = damaged(truth, NEAR, damage)
    joint = agglomeration(planes, NEAR, options=Agglomeration(min_size=SMALL))
    found = [
        f1(truth, watershed(planes, NEAR, options=Watershed(min_size=SMALL))),
        best_watershed(truth, planes),
        f1(truth, joint),
    ]
    text = "".join(f"{value:12.3f}" for value in found)
    if importlib.util.find_spec("mwatershed"):
        far = mutex(damaged(truth, FAR, damage), FAR, options=Mutex(min_size=SMALL))
        text += f"{f1(truth, far):12.3f}"
    print(f"{damage!s:18s}{text}", flush=True)


def speed(truth: np.ndarray, rounds: int) -> None:
    """Print a line per score: ours against waterz on the same fragments."""
    planes = damaged(truth, NEAR, DAMAGES[-1])
    fragments = agglomeration_steps(planes, NEAR).seeds
    for score in ("mean", "quantile"):
        report(score, fragments, planes, rounds)


def report(score: Literal["mean", "quantile"], fragments: Any, planes: Any, rounds: int) -> None:
    """Run ours and waterz in turn and print a line."""
    given = fragments, planes, FACES, Agglomeration(score=score, min_contact=1)
    ours, theirs = list[float](), list[float]()
    for _ in range(rounds):
        seconds, mine = timed(lambda: joined(*given))
        other, reference = timed(lambda: joined_by_waterz(*given))
        ours, theirs = [*ours, seconds], [*theirs, other]
    ratio = statistics.median(b / a for a, b in zip(ours, theirs, strict=True))
    alike = matching(compact(reference), compact(mine))[0]
    print(
        f"{score:10s}{fragments.max():10d}{statistics.median(ours):9.2f}"
        f"{statistics.median(theirs):9.2f}{ratio:8.2f}{alike.mean_true_score:9.4f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--labels", default="")
    parser.add_argument("--shape", type=int, nargs=3, default=(32, 96, 96))
    options = parser.parse_args()
    shape = tuple(options.shape)
    truth = synthetic(shape)
    if options.labels:
        corner = tifffile.imread(options.labels)[tuple(slice(n) for n in shape)]
        truth = cc3d.connected_components(corner, connectivity=6)
    truth = drop_small(truth, SMALL)
    print(f"{truth.max()} objects in {truth.shape}; F1 at IoU 0.5")
    heads = ("watershed", "best seeds", "agglomer.", "mutex far")
    print("{:18s}{:>12s}{:>12s}{:>12s}{:>12s}".format("damage", *heads))
    for damage in DAMAGES:
        quality(truth, damage)
    for name in ("waterz", "mwatershed"):
        if not importlib.util.find_spec(name):
            print(f"{name} is not installed: skipped")
    if importlib.util.find_spec("waterz"):
        names = ("score", "fragments", "ours s", "waterz s", "ratio", "alike")
        print("{:10s}{:>10s}{:>9s}{:>9s}{:>8s}{:>9s}".format(*names))
        speed(truth, options.rounds)


if __name__ == "__main__":
    main()
