"""Channel R and its decoder, against the compiled code of StarDist and a plain way to the same end.

    python benchmarks/bench_stardist.py [--rounds 3] [--side 512] [--depth 48]

Each round runs ours and the reference in turn on the same labels; the ratio is the median over
rounds of reference over ours.

rays     labels to distances; reference: StarDist's C++. It measures to a sample on the ray, ours to
         the face of the voxel: ``agree`` is the mean difference in voxels, larger in 3D, where
         StarDist does not take off the half voxel by which it oversteps
nms      candidates to those that are kept, ours the compiled one of StarDist; reference: every pair
         rasterised (as BiaPy); ``agree`` is the part of the candidates with the same fate
decode   planes to labels; reference: StarDist's own functions one after the other on the same
         planes, where all voxels are candidates; ``agree`` is the mean IoU of the objects
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import ndimage
from skimage.draw import polygon
from timing import timed

from jaxseg.channels import columns, encode
from jaxseg.config import StarDist, ch
from jaxseg.decoding import shapes, stardist
from jaxseg.decoding.star_shapes import suppressed
from jaxseg.labels.objects import compact
from jaxseg.metrics import matching
from jaxseg.targets import radial_distances, ray_directions

CHANNELS = (ch("Db"), ch("R", norm=False))
OVERLAP = 0.4


class Case(NamedTuple):
    """Ours, the reference, and how well their results agree."""

    name: str
    objects: int
    ours: Callable[[], Any]
    reference: Callable[[], Any]
    agree: Callable[[Any, Any], float]


def balls(shape: tuple[int, ...], radius: float) -> np.ndarray:
    """Balls of several sizes that touch and cut each other, on a third of the image."""
    rng = np.random.default_rng(0)
    count = int(0.5 * np.prod(shape) / (2 * radius) ** len(shape))
    points = np.zeros(shape, np.int32)
    points.flat[rng.choice(points.size, count, replace=False)] = np.arange(1, count + 1)
    distance, index = ndimage.distance_transform_edt(points == 0, return_indices=True)
    owner = points[tuple(index)]
    sizes = np.append(0, rng.uniform(0.6, 1.2, count) * radius)
    return compact(np.where(distance < sizes[owner], owner, 0))


def rays_case(labels: np.ndarray) -> Case:
    """Distances of all voxels along all rays."""
    from stardist.geometry import star_dist, star_dist3D
    from stardist.rays3d import Rays_Explicit

    directions = ray_directions(labels.ndim)
    spiral = Rays_Explicit(directions, np.zeros((1, 3), int)) if labels.ndim == 3 else None
    theirs = star_dist if spiral is None else lambda labels, _: star_dist3D(labels, spiral)
    inside = labels > 0
    return Case(
        f"rays {labels.ndim}D",
        int(labels.max()),
        lambda: radial_distances(labels),
        lambda: theirs(labels, len(directions)),
        lambda a, b: float(np.abs(a - b)[inside].mean()),
    )


def pairwise_kept(points: np.ndarray, distances: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Greedy suppression with a mask per polygon."""
    angles = 2 * np.pi * np.arange(distances.shape[1]) / distances.shape[1]
    kept: list[np.ndarray] = []
    fate = np.zeros(len(points), bool)
    for number, (point, lengths) in enumerate(zip(points, distances, strict=True)):
        mask = np.zeros(shape, bool)
        rows, cols = point[0] + lengths * np.sin(angles), point[1] + lengths * np.cos(angles)
        mask[polygon(rows, cols, shape)] = True
        area = int(np.count_nonzero(mask))
        shared = [
            np.count_nonzero(mask & other) / max(1, min(area, int(np.count_nonzero(other))))
            for other in kept
        ]
        fate[number] = max(shared, default=0) <= OVERLAP
        if fate[number]:
            kept.append(mask)
    return fate


def nms_case(labels: np.ndarray) -> Case:
    """Which candidates are kept, few enough for the reference."""
    planes = np.asarray(encode(labels, CHANNELS))
    found = shapes(planes, CHANNELS, options=StarDist(prob_threshold=0.7, candidates="all"))
    known: dict[str, Any] = {"directions": ray_directions(2), "spacing": (1.0, 1.0)}
    return Case(
        "nms 2D",
        len(found.points),
        lambda: ~suppressed(found.points, found.distances, threshold=OVERLAP, **known),
        lambda: pairwise_kept(found.points, found.distances, labels.shape),
        lambda a, b: float((a == b).mean()),
    )


def stardist_decode(planes: np.ndarray) -> np.ndarray:
    """StarDist's own steps for two dimensions."""
    from stardist.geometry import polygons_to_label
    from stardist.nms import non_maximum_suppression

    places = columns(CHANNELS, 2)
    probability, distances = planes[..., places["Db"].start], planes[..., places["R"]]
    points, scores, kept = non_maximum_suppression(
        distances, probability, b=None, nms_thresh=OVERLAP, prob_thresh=0.4
    )
    return polygons_to_label(kept, points, probability.shape, prob=scores)


def decode_case(labels: np.ndarray) -> Case:
    """From planes to labels."""
    planes = np.asarray(encode(labels, CHANNELS))
    return Case(
        "decode 2D",
        int(labels.max()),
        lambda: stardist(planes, CHANNELS),
        lambda: stardist_decode(planes),
        lambda a, b: matching(b, a)[0].mean_true_score,
    )


def report(case: Case, rounds: int) -> None:
    """Run ours and the reference in turn and print a line; what is compiled is so before."""
    case.ours()
    ours, theirs = list[float](), list[float]()
    for _ in range(rounds):
        seconds, result = timed(case.ours)
        reference, expected = timed(case.reference)
        ours, theirs = [*ours, seconds], [*theirs, reference]
    ratio = statistics.median(b / a for a, b in zip(ours, theirs, strict=True))
    print(
        f"{case.name:10s}{case.objects:9d}{statistics.median(ours):9.3f}"
        f"{statistics.median(theirs):9.3f}{ratio:8.1f}{case.agree(result, expected):9.4f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--depth", type=int, default=48)
    options = parser.parse_args()
    try:
        import stardist.nms  # noqa: F401
    except ImportError:
        print("stardist is not installed: nothing to compare with")
        return
    heads = ("what", "number", "ours s", "ref. s", "ratio", "agree")
    print("{:10s}{:>9s}{:>9s}{:>9s}{:>8s}{:>9s}".format(*heads))
    side = options.side
    plane, volume = balls((side, side), 14), balls((options.depth, side // 4, side // 4), 8)
    small = plane[: side // 2, : side // 2]
    for case in (rays_case(plane), rays_case(volume), nms_case(small), decode_case(plane)):
        report(case, options.rounds)


if __name__ == "__main__":
    main()
