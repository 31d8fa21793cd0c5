"""Matching, measurement and refinement, each against the libraries in use.

    python benchmarks/bench_measure.py [--rounds 3] [--side 256] [--depth 24]

Each round runs ours and the reference in turn on the same labels; the ratio is the median over
rounds of reference over ours. ``equal`` says how far the results agree, 1 = fully. Peers that are
not installed are named and passed over. The objects are touching cells; those that they are matched
with are the same, shifted by a voxel.

matching    three thresholds; against a dense table with a dense assignment, StarDist's and BiaPy's
associate   who matches whom; against StarDist's matched pairs
measure     all columns; against scikit-image's regionprops_table with those that it has
erode       every object by one voxel; against scikit-image object by object, in its box
clear       objects at the border; against scikit-image's clear_border
"""

from __future__ import annotations

import argparse
import functools
import importlib
import resource
import statistics
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from dense_matching import dense_matching
from scipy import ndimage
from skimage.measure import regionprops_table
from skimage.segmentation import clear_border as skimage_clear_border
from timing import timed

from jaxseg.labels.morphology import erode
from jaxseg.labels.removal import clear_border
from jaxseg.measurements import measure
from jaxseg.metrics import associations, matching

THRESHOLDS = (0.3, 0.5, 0.75)
SCORES = ("tp", "fp", "fn", "f1", "mean_matched_score", "panoptic_quality")
# Ours and scikit-image's names of a column.
COLUMNS = {
    "npixels": "num_pixels",
    "centroid-0": "centroid-0",
    "bbox-1": "bbox-1",
    "intensity_mean": "intensity_mean",
    "intensity_min": "intensity_min",
    "intensity_max": "intensity_max",
    "intensity_std": "intensity_std",
}


class Case(NamedTuple):
    """Ours, the reference, and whether their results agree (1 = fully)."""

    name: str
    ours: Callable[[], Any]
    reference: Callable[[], Any]
    agree: Callable[[Any, Any], float]


def cells(shape: tuple[int, ...], radius: float) -> np.ndarray:
    """Touching cells about random points, one per box of the double radius, with some gaps."""
    rng = np.random.default_rng(0)
    points = np.zeros(shape, np.int32)
    count = int(np.prod(shape) / (2 * radius) ** len(shape))
    points.flat[rng.choice(points.size, count, replace=False)] = np.arange(1, count + 1)
    distance, index = ndimage.distance_transform_edt(points == 0, return_indices=True)
    return np.where(distance > 1.4 * radius, 0, points[tuple(index)])


# ------------------------------------------------------------------------------ references


def eroded_one_by_one(labels: np.ndarray) -> np.ndarray:
    """SciPy's erosion of every object in its box, the image border taking nothing away."""
    result = np.zeros_like(labels)
    cross = ndimage.generate_binary_structure(labels.ndim, 1)
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is None:
            continue
        wide = tuple(slice(max(side.start - 1, 0), side.stop + 1) for side in box)
        inside = ndimage.binary_erosion(labels[wide] == label, cross, border_value=1)
        result[wide][inside] = label
    return result


# ------------------------------------------------------------------------------------ cases


def vars_of(scores: Any) -> dict[str, float]:
    """Scores by name."""
    return scores if isinstance(scores, dict) else scores._asdict()


def same_scores(ours: Any, theirs: Any) -> float:
    """Part of the scores that are equal at all thresholds; some peers return dictionaries."""
    theirs = [vars_of(one) for one in theirs]
    pairs = [(getattr(a, s), b[s]) for a, b in zip(ours, theirs, strict=True) for s in SCORES]
    return float(np.mean([np.isclose(a, b) for a, b in pairs]))


def matching_cases(truth: np.ndarray, labels: np.ndarray) -> Iterator[Case]:
    """Ours against every way to match that is here."""
    yield Case(
        "matching, dense",
        lambda: [
            (m.tp, m.mean_matched_score * m.tp)
            for m in matching(truth, labels, thresholds=THRESHOLDS)
        ],
        lambda: dense_matching(truth, labels, THRESHOLDS),
        lambda a, b: float(np.allclose(a, b)),
    )
    for package, module in (("stardist", "stardist.matching"), ("biapy", "biapy.utils.matching")):
        try:
            peer = importlib.import_module(module)
        except ImportError:
            print(f"{package} is not installed: passed over")
            continue
        yield Case(
            f"matching, {package}",
            lambda: matching(truth, labels, thresholds=THRESHOLDS),
            functools.partial(peer.matching, truth, labels, thresh=THRESHOLDS),
            same_scores,
        )
        if package == "stardist":
            yield Case(
                "associate, stardist",
                lambda: associations(truth, labels).gt_assoc,
                functools.partial(peer.matching, truth, labels, report_matches=True),
                lambda a, b: float((a.tag == "TP").sum() == b.tp),
            )


def object_cases(labels: np.ndarray, image: np.ndarray) -> Iterator[Case]:
    """Measuring and refining."""
    flat = labels.ndim == 2
    names = {**COLUMNS, **({"perimeter": "perimeter"} if flat else {})}
    wanted = sorted({name.split("-")[0] for name in names.values()})
    yield Case(
        "measure",
        lambda: measure(labels, intensity=image, shape=flat),
        lambda: regionprops_table(labels, image, properties=wanted),
        lambda a, b: float(np.mean([np.allclose(a[one], b[two]) for one, two in names.items()])),
    )
    yield Case(
        "erode",
        lambda: erode(labels, 1),
        lambda: eroded_one_by_one(labels),
        lambda a, b: float((a == b).mean()),
    )
    yield Case(
        "clear",
        lambda: clear_border(labels),
        lambda: skimage_clear_border(labels),
        lambda a, b: float((a == b).mean()),
    )


def report(name: str, count: int, case: Case, rounds: int) -> None:
    """Run ours and the reference in turn and print a line."""
    ours, theirs = list[float](), list[float]()
    for _ in range(rounds):
        seconds, result = timed(case.ours)
        reference, expected = timed(case.reference)
        ours, theirs = [*ours, seconds], [*theirs, reference]
    ratio = statistics.median(b / a for a, b in zip(ours, theirs, strict=True))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{name:14s}{count:8d}  {case.name:20s}{statistics.median(ours):9.4f}"
        f"{statistics.median(theirs):9.3f}{ratio:9.1f}{case.agree(result, expected):9.5f}"
        f"{peak:9.2f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--depth", type=int, default=24)
    options = parser.parse_args()
    side = options.side
    heads = ("image", "objects", "what", "ours s", "ref. s", "ratio", "equal", "GiB")
    print("{:14s}{:>8s}  {:20s}{:>9s}{:>9s}{:>9s}{:>9s}{:>9s}".format(*heads))
    shapes = {(2 * side, 2 * side): 5, (options.depth, side, side): 4.5}
    for shape, radius in shapes.items():
        truth = cells(shape, radius)
        labels = np.roll(truth, 1, axis=-1)
        image = np.random.default_rng(1).normal(100, 20, shape)
        name, count = "×".join(map(str, shape)), int(truth.max())
        for case in (*object_cases(truth, image), *matching_cases(truth, labels)):
            report(name, count, case, options.rounds)


if __name__ == "__main__":
    main()
