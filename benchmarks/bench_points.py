"""Points: a million of them decoded and matched, and real nuclei beside blobs of scikit-image.

    python benchmarks/bench_points.py [--points 1000000] [--data DATA] [--found TABLES]

million   planes of a volume to points, block by block, and points against true ones: seconds and
          the most memory that the process took beyond what it had before. Reference on one block:
          scikit-image's peak_local_max and SciPy's assignment of all pairs.
grow      objects around points, and scikit-image's watershed of the whole volume from the same
          seeds: seconds, and the part of the voxels that is the same.
real      with ``--data``, a folder with ``train`` and ``test`` of ``raw`` and ``label``: centroids
          of the true labels against scikit-image's blob_log, its radius and threshold chosen on the
          training images, and with ``--found`` against tables that a run wrote
          (``per_image_points``), all on the test images.
"""

from __future__ import annotations

import argparse
import itertools
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import ndimage
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from skimage.feature import blob_log, peak_local_max
from skimage.segmentation import watershed
from timing import timed

from jaxseg import io
from jaxseg.config import Detection, Grow
from jaxseg.decoding.growing import Around, grown, surface_of
from jaxseg.decoding.points import Points, points_in, points_margin, sorted_points
from jaxseg.geometry import Box
from jaxseg.labels.balls import balls
from jaxseg.metrics.points import match_points, pooled_points
from jaxseg.tasks.point_truth import centroids

# Voxels between points, so that a million take 216 million voxels; and a block.
STEP, BLOCK = 6, 120
GIB = 2**30


class Spots(NamedTuple):
    """Spots on a shaken grid, whose plane is computed where it is read."""

    shape: tuple[int, int, int]
    shifts: np.ndarray

    @classmethod
    def of(cls, number: int) -> Spots:
        """So many spots, or a few more."""
        side = int(np.ceil(number ** (1 / 3)))
        shifts = np.random.default_rng(0).integers(-1, 2, (side, side, side, 3)).astype(np.int8)
        return cls((STEP * side,) * 3, shifts)

    @property
    def places(self) -> np.ndarray:
        """(n, 3) true positions."""
        grid = np.moveaxis(np.indices(self.shifts.shape[:3]), 0, -1)
        return (STEP * grid + STEP // 2 + self.shifts).reshape(-1, 3).astype(float)

    def plane(self, box: Box) -> np.ndarray:
        """The nearest spot of the own cell, as a Gaussian."""
        axes = np.ix_(
            *(np.arange(low, high) for low, high in zip(box.start, box.stop, strict=True))
        )
        own = self.shifts[tuple(axis // STEP for axis in axes)]
        square = sum(
            np.square(axis % STEP - STEP // 2 - own[..., number]).astype(np.float32)
            for number, axis in enumerate(axes)
        )
        return np.exp(-square / np.float32(4.5))


def decoded(spots: Spots, options: Detection) -> tuple[float, Points]:
    """The points of all blocks together, and the seconds without those of making the planes."""
    seconds = 0.0
    margin = points_margin(3, spacing=(1.0,) * 3, options=options)
    corners = itertools.product(*(range(0, side, BLOCK) for side in spots.shape))
    parts = []
    for corner in corners:
        core = Box(
            corner, tuple(min(a + BLOCK, n) for a, n in zip(corner, spots.shape, strict=True))
        )
        wide = core.grown(margin, spots.shape)
        plane = spots.plane(wide)
        more, part = timed(lambda: points_in(plane, wide, core, spots.shape, options=options))  # noqa: B023
        parts.append(part)
        seconds += more
    joined = Points(*map(np.concatenate, zip(*parts, strict=True)))
    more, found = timed(lambda: sorted_points(joined, options=options))
    return seconds + more, found


def million(number: int) -> None:
    """Times and memory."""
    spots, options = Spots.of(number), Detection(min_distance=2.0, threshold=0.5, remove_close=2.5)
    truth = spots.places
    before = _peak()
    seconds, found = decoded(spots, options)
    _row(f"decode {len(found.places):,} points of {spots.shape}", seconds, _peak() - before)
    noisy = truth + np.random.default_rng(1).normal(0, 0.3, truth.shape)
    before = _peak()
    seconds, result = timed(lambda: match_points(noisy, found.places, tolerance=2.0))
    _row(f"match, F1 {result.f1:.4f}", seconds, _peak() - before)
    core = Box((0,) * 3, tuple(min(BLOCK, n) for n in spots.shape))
    plane = spots.plane(core)
    ours, found = timed(lambda: points_in(plane, core, core, core.shape, options=options))
    theirs, peaks = timed(lambda: peak_local_max(plane, min_distance=2, threshold_abs=0.5,
                                                 exclude_border=False))  # fmt: skip
    print(f"one block of {core.shape}: ours {ours:.2f} s, {len(found.places)} points; "
          f"peak_local_max {theirs:.2f} s, {len(peaks)} points")  # fmt: skip
    few = truth[:2000], truth[:2000] + 0.3
    ours, _ = timed(lambda: match_points(*few, tolerance=2.0))
    theirs, _ = timed(lambda: linear_sum_assignment(np.minimum(cdist(*few), 1e3)))
    print(f"2,000 points: ours {ours:.3f} s, assignment of all pairs {theirs:.3f} s")


def growth() -> None:
    """Objects around points."""
    rng, shape, options = np.random.default_rng(0), (60, 240, 240), Grow(max_radius=10.0)
    grid = np.stack(np.meshgrid(*(np.arange(10, n, 20) for n in shape), indexing="ij"), -1)
    places = (grid.reshape(-1, 3) + rng.integers(-3, 4, (grid.size // 3, 3))).astype(float)
    whole, ones = Box((0,) * 3, shape), (1.0,) * 3
    inside = balls(places, whole, radius=8.0) > 0
    noisy = 100.0 * inside + rng.normal(0, 5, shape)
    image = ndimage.gaussian_filter(noisy, 1).astype(np.float32)
    surface = surface_of(image, None, spacing=ones, options=options)
    around, classes = Around(whole, surface, image, image > 50), np.zeros(len(places), int)
    ours, (labels, seeds) = timed(
        lambda: grown(around, places, classes, spacing=ones, options=options)
    )
    theirs, other = timed(lambda: watershed(surface, seeds, mask=image > 50))
    same = (labels == other)[(labels > 0) | (other > 0)].mean()
    print(f"grow {len(places)} points: ours {ours:.1f} s, one watershed {theirs:.1f} s, "
          f"{same:.4f} of the voxels are the same")  # fmt: skip


def _peak() -> float:
    """The most memory that this process ever had, GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def _row(name: str, seconds: float, memory: float) -> None:
    print(f"{name}: {seconds:.1f} s, {memory:.2f} GiB more")


# --------------------------------------------------------------------------------------- real


class Case(NamedTuple):
    """An image and its true points."""

    name: str
    image: np.ndarray
    truth: np.ndarray
    spacing: tuple[float, ...]


def cases(folder: Path, ndim: int) -> Iterator[Case]:
    """The images of a folder with ``raw`` and ``label``, intensities from 0 to 1."""
    for pair in io.pair_files(folder / "raw", folder / "label"):
        assert pair.labels is not None
        volume = io.open_image(pair.raw, ndim=ndim)
        image = volume.array().astype(np.float32).mean(-1)
        low, high = np.percentile(image, (1, 99.8))
        labels = io.open_labels(pair.labels, ndim=ndim)
        truth = centroids(labels).places
        scaled = np.clip((image - low) / max(high - low, 1e-6), 0, 1)
        yield Case(pair.stem, scaled, truth, volume.spacing)


def blobs(case: Case, radius: float, threshold: float) -> np.ndarray:
    """Positions that blob_log finds, of one radius in µm; bright or dark, whichever is less."""
    image = 1 - case.image if np.median(case.image) > 0.5 else case.image
    sigma = radius / np.sqrt(image.ndim) / np.asarray(case.spacing)
    found = blob_log(image, min_sigma=sigma, max_sigma=1.5 * sigma, num_sigma=3,
                     threshold=threshold, overlap=0.5)  # fmt: skip
    return found[:, : image.ndim]


def scored(found: dict[str, np.ndarray], given: list[Case], tolerance: float) -> str:
    """F1, precision and recall of all points."""
    return "F1 {:.3f}, precision {:.3f}, recall {:.3f}".format(*_pooled(found, given, tolerance))


def _pooled(
    found: dict[str, np.ndarray], given: list[Case], tolerance: float
) -> tuple[float, float, float]:
    results = [match_points(case.truth, found[case.name], tolerance=tolerance, spacing=case.spacing)
               for case in given]  # fmt: skip
    whole = pooled_points(results)
    return whole.f1, whole.precision, whole.recall


def real(data: Path, ndim: int, radii: list[float], tolerance: float, tables: Path | None) -> None:
    """blob_log, tuned on training images, and a run, on the same test images."""
    train, test = (list(cases(data / part, ndim)) for part in ("train", "test"))
    train = train[:: max(1, len(train) // 20)]
    best = max(
        (_pooled({case.name: blobs(case, radius, level) for case in train}, train, tolerance)[0],
         radius, level)
        for radius, level in itertools.product(radii, (0.01, 0.02, 0.05, 0.1, 0.2))
    )  # fmt: skip
    print(f"{data.name}: {len(test)} test images, {sum(len(one.truth) for one in test)} points, "
          f"within {tolerance:g} µm")  # fmt: skip
    found = {case.name: blobs(case, *best[1:]) for case in test}
    print(f"  blob_log of radius {best[1]:g} above {best[2]:g} (F1 {best[0]:.3f} on "
          f"{len(train)} training images): {scored(found, test, tolerance)}")  # fmt: skip
    if tables is not None:
        axes = [f"axis-{axis}" for axis in range(ndim)]
        found = {
            case.name: pd.read_csv(tables / f"{case.name}.csv")[axes].to_numpy() for case in test
        }
        print(f"  {tables}: {scored(found, test, tolerance)}")


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--points", type=int, default=200_000)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--ndim", type=int, default=2)
    parser.add_argument("--radii", type=float, nargs="+", default=[6.0, 9.0, 13.0, 18.0, 25.0])
    parser.add_argument("--tolerance", type=float, default=5.0)
    parser.add_argument("--found", type=Path)
    given = parser.parse_args()
    if given.points:
        million(given.points)
        growth()
    if given.data:
        real(given.data, given.ndim, given.radii, given.tolerance, given.found)


if __name__ == "__main__":
    main()
