"""Planes to objects, matching and measuring, each against a plain way to the same result.

    python benchmarks/bench_decoding.py [--rounds 3] [--side 256] [--depth 32]

Each round runs ours and the reference in turn on the same data; the ratio is the median over rounds
of reference over ours, and the results are checked to be equal. The images are touching cells in a
volume, as contours and foreground predicted with some blur and noise: ``dense`` and ``many``, where
all of them touch, and ``clusters`` of a few.

watershed   seeds to labels; reference: scikit-image's watershed in one call
decode      planes to labels; reference: two thresholds, SciPy's labelling, scikit-image's watershed
matching    three thresholds; reference: dense table, dense assignment (as BiaPy and StarDist)
measure     size, centre, box, intensity; reference: scikit-image's regionprops_table
surface     areas of 3D objects; reference: marching cubes of every object's box
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from dense_matching import dense_matching
from scipy import ndimage
from skimage.measure import marching_cubes, mesh_surface_area, regionprops_table
from skimage.segmentation import find_boundaries
from skimage.segmentation import watershed as skimage_watershed
from timing import timed

from jaxseg.config import Watershed, ch
from jaxseg.decoding import watershed
from jaxseg.decoding.watershed.flood import flood
from jaxseg.decoding.watershed.seeds import label_seeds
from jaxseg.labels.objects import compact
from jaxseg.measurements import measure, surface_areas
from jaxseg.metrics import matching

THRESHOLDS = (0.3, 0.5, 0.75)
CHANNELS = (ch("F"), ch("C"))


class Volume(NamedTuple):
    """Labels, and the planes of F and C that a network might predict for them."""

    name: str
    labels: np.ndarray
    planes: np.ndarray


class Case(NamedTuple):
    """Ours, the reference, and whether their results agree (1 = fully)."""

    name: str
    ours: Callable[[], Any]
    reference: Callable[[], Any]
    agree: Callable[[Any, Any], float]


def volume(name: str, shape: tuple[int, int, int], radius: float, gap: float) -> Volume:
    """Cells about random points, one per ``radius`` cubed; ``gap`` is the part left empty."""
    rng = np.random.default_rng(0)
    points = np.zeros(shape, np.int32)
    count = int(np.prod(shape) / (2 * radius) ** 3)
    points.flat[rng.choice(points.size, count, replace=False)] = np.arange(1, count + 1)
    distance, index = ndimage.distance_transform_edt(points == 0, return_indices=True)
    noise = ndimage.gaussian_filter(rng.normal(size=shape), 4)
    empty = (distance > 1.4 * radius) | (noise < np.quantile(noise, gap))
    labels = np.where(empty, 0, points[tuple(index)])
    masks = np.stack([labels > 0, find_boundaries(labels, mode="thick")], axis=-1)
    soft = ndimage.gaussian_filter(masks.astype(np.float32), (0.7, 0.7, 0.7, 0))
    return Volume(name, labels, soft + rng.normal(0, 0.02, soft.shape).astype(np.float32))


# ------------------------------------------------------------------------------ references


def plain_decode(planes: np.ndarray) -> np.ndarray:
    """Seeds by SciPy, the flood in one call, small objects by size."""
    mask = planes[..., 0] > 0.5
    seeds, _ = ndimage.label(mask & (planes[..., 1] < 0.5))
    sizes = np.bincount(seeds.ravel())
    seeds = np.where(sizes[seeds] >= 10, seeds, 0)
    return skimage_watershed(planes[..., 1], seeds, mask=mask)


def mesh_areas(labels: np.ndarray) -> np.ndarray:
    """The surface of every object as a mesh of its padded box."""
    areas = []
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        mask = np.pad(labels[box] == label, 1).astype(np.float32)
        corners, faces, _, _ = marching_cubes(mask, 0.5)
        areas.append(mesh_surface_area(corners, faces))
    return np.array(areas)


# ------------------------------------------------------------------------------------ cases


def cases(data: Volume) -> list[Case]:
    """What is compared on one volume."""
    mask = data.planes[..., 0] > 0.5
    surface = np.ascontiguousarray(data.planes[..., 1])
    seeds = label_seeds(mask & (surface < 0.5), min_seed=10)
    grown = mask & (seeds == 0)
    options = Watershed(min_seed=10, fill_holes=False, seed_rule="thresholds")
    truth = compact(data.labels)
    columns = ("label", "area", "centroid", "bbox", "intensity_mean")
    return [
        Case(
            "watershed",
            lambda: flood(surface, seeds, mask),
            lambda: skimage_watershed(surface, seeds, mask=mask),
            lambda a, b: float((a == b)[grown].mean()),
        ),
        Case(
            "decode",
            lambda: watershed(data.planes, CHANNELS, options=options),
            lambda: plain_decode(data.planes),
            lambda a, b: matching(b, a)[0].mean_true_score,
        ),
        Case(
            "measure",
            lambda: measure(truth, intensity=surface, shape=False),
            lambda: regionprops_table(truth, surface, properties=columns),
            lambda a, b: float(np.allclose(a.intensity_mean, b["intensity_mean"])),
        ),
        Case(
            "surface",
            lambda: surface_areas(truth)[1:],
            lambda: mesh_areas(truth),
            lambda a, b: float(np.allclose(a, b, rtol=1e-4)),
        ),
    ]


def matching_case(data: Volume) -> Case:
    """Labels against labels decoded from the planes."""
    truth = compact(data.labels)
    found = watershed(data.planes, CHANNELS, options=Watershed(min_seed=3))
    return Case(
        "matching",
        lambda: [
            (m.tp, m.mean_matched_score * m.tp)
            for m in matching(truth, found, thresholds=THRESHOLDS)
        ],
        lambda: dense_matching(truth, found, THRESHOLDS),
        lambda a, b: float(np.allclose(a, b)),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--depth", type=int, default=32)
    options = parser.parse_args()
    shape = (options.depth, options.side, options.side)
    heads = ("volume", "objects", "what", "ours s", "ref. s", "ratio", "equal")
    print("{:10s}{:>8s}  {:10s}{:>9s}{:>9s}{:>8s}{:>9s}".format(*heads))
    dense, clusters = volume("dense", shape, 6, 0.1), volume("clusters", shape, 6, 0.6)
    many = volume("many", shape, 4, 0.1)
    pairs = [(dense, case) for case in cases(dense)]
    pairs += [(clusters, case) for case in cases(clusters)]
    for data, case in [*pairs, (many, matching_case(many))]:
        report(data, case, options.rounds)


def report(data: Volume, case: Case, rounds: int) -> None:
    """Run ours and the reference in turn and print a line."""
    ours, theirs = list[float](), list[float]()
    for _ in range(rounds):
        seconds, result = timed(case.ours)
        reference, expected = timed(case.reference)
        ours, theirs = [*ours, seconds], [*theirs, reference]
    ratio = statistics.median(b / a for a, b in zip(ours, theirs, strict=True))
    print(
        f"{data.name:10s}{data.labels.max():8d}  {case.name:10s}{statistics.median(ours):9.3f}"
        f"{statistics.median(theirs):9.3f}{ratio:8.1f}{case.agree(result, expected):9.5f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
