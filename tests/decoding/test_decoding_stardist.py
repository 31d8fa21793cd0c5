"""Rays give back the star-convex objects that they were made from."""

from __future__ import annotations

import functools
import sys
from itertools import pairwise

import numpy as np
import pytest
from support import real_images
from support.recovery import recovered
from support.synthetic_objects import touching_balls

from jaxseg.channels import columns, encode
from jaxseg.config import Channel, Config, StarDist, ch
from jaxseg.decoding import decode, package_problems, shapes, stardist, stardist_problems
from jaxseg.decoding.star_shapes import rendered, suppressed
from jaxseg.errors import ConfigError
from jaxseg.metrics import matching
from jaxseg.targets import ray_directions
from jaxseg.tasks.checking import check

pytestmark = pytest.mark.usefixtures("quick_compilation")

pytest.importorskip("stardist")

Channels = tuple[Channel, ...]
SHAPES = {2: (72, 64), 3: (30, 32, 30)}
SETS: dict[str, Channels] = {
    "Db R": (ch("Db"), ch("R")),
    "R F um": (ch("R", norm=False), ch("F")),
    "F R Db": (ch("F"), ch("R"), ch("Db")),
    "D R": (ch("D"), ch("R")),
}
ANISOTROPIC = {2: (2.0, 0.5), 3: (2.0, 1.0, 1.0)}


@functools.cache
def balls(ndim: int) -> np.ndarray:
    return touching_balls(np.random.default_rng(0), SHAPES[ndim], count=8)


def ellipsoids(spacing: tuple[float, ...], seed: int, radius: float = 9.0) -> np.ndarray:
    """Two balls of physical space, apart from each other."""
    rng, ndim = np.random.default_rng(seed), len(spacing)
    labels = np.zeros([int(2.6 * radius / size) for size in spacing[:-1]] + [64], np.int32)
    for label, column in enumerate((0.25, 0.75), start=1):
        middle = [n / 2 for n in labels.shape[:-1]] + [column * 64]
        centre = np.array(middle) + rng.uniform(-0.5, 0.5, ndim)
        away = (np.moveaxis(np.indices(labels.shape), 0, -1) - centre) * spacing
        labels[np.linalg.norm(away, axis=-1) < radius * min(spacing[-1], 1)] = label
    return labels


@pytest.mark.parametrize(
    ("ndim", "name", "size"),
    [*((2, name, None) for name in SETS), (2, "Db R", 2.0), (3, "Db R", None), (3, "R F um", 2.0)],
)
def test_touching_objects_come_back(ndim: int, name: str, size: float | None) -> None:
    truth, channels = balls(ndim), SETS[name]
    spacing = None if size is None else (size,) * ndim
    labels = decode(encode(truth, channels, spacing=spacing), channels, spacing=spacing)
    assert recovered(truth, labels) >= (0.97 if ndim == 2 else 0.92)
    assert labels.max() == truth.max()


@pytest.mark.parametrize("ndim", [2, 3])
def test_voxels_may_be_longer_along_one_axis(ndim: int) -> None:
    spacing, channels = ANISOTROPIC[ndim], SETS["Db R"]
    for seed in range(2):
        truth = ellipsoids(spacing, seed)
        labels = decode(encode(truth, channels, spacing=spacing), channels, spacing=spacing)
        assert recovered(truth, labels) >= 0.93


@pytest.mark.parametrize("radius", [4, 6, 9, 14])
def test_discs_come_back(radius: float) -> None:
    channels = SETS["Db R"]
    for spacing in ((1.0, 1.0), (2.0, 2.0)):
        truth = ellipsoids((1.0, 1.0), radius, radius)
        labels = decode(encode(truth, channels, spacing=spacing), channels, spacing=spacing)
        assert recovered(truth, labels) >= 0.97


def test_the_order_of_channels_does_not_matter() -> None:
    channels = SETS["F R Db"]
    places = columns(channels, 2)
    planes = encode(balls(2), channels)
    for order in ((0, 2, 1), (1, 0, 2), (2, 1, 0)):
        turned = tuple(channels[i] for i in order)
        moved = np.concatenate([planes[..., places[channel.name]] for channel in turned], axis=-1)
        np.testing.assert_array_equal(stardist(moved, turned), stardist(planes, channels))


def lens(radius: float, apart: float, ndim: int) -> float:
    """What two discs or balls share, as a part of one."""
    if apart >= 2 * radius:
        return 0.0
    if ndim == 3:
        return (4 * radius + apart) * (2 * radius - apart) ** 2 / (16 * radius**3)
    half = np.arccos(apart / 2 / radius)
    return (2 * half - np.sin(2 * half)) / np.pi


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("size", [1.0, 0.25])
@pytest.mark.parametrize(("radius", "apart"), [(5, 3), (5, 6), (12, 12), (12, 20)])
def test_overlap_is_that_of_discs(ndim: int, size: float, radius: int, apart: int) -> None:
    number = 64 if ndim == 2 else 300
    points = np.full((2, ndim), 40)
    points[1, -1] += apart
    known = {
        "directions": ray_directions(ndim, number),
        "spacing": (size,) * ndim,
    }
    distances = np.full((2, number), radius * size, np.float32)
    share = lens(radius, apart, ndim)
    for threshold, gone in ((share - 0.02, True), (share + 0.02, False)):
        lost = suppressed(points, distances, threshold=threshold, **known)
        assert lost.tolist() == [False, gone]


def test_a_disc_in_another_goes() -> None:
    distances = np.array([[20.0] * 32, [5.0] * 32])
    known = {"directions": ray_directions(2), "spacing": (1.0, 1.0), "threshold": 0.9}
    points = np.full((2, 2), 30)
    assert suppressed(points, distances, **known).tolist() == [False, True]
    assert suppressed(points, distances[::-1], **known).tolist() == [False, True]


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("ndim", [2, 3])
def test_noise_has_no_objects(ndim: int, name: str, rng: np.random.Generator) -> None:
    channels = SETS[name]
    shape = (*SHAPES[ndim], columns(channels, ndim).total)
    for noise in (
        np.zeros(shape),
        rng.normal(0.01, 0.002, shape),
        rng.normal(0.5, 0.002, shape),
        rng.random(shape),
    ):
        labels = decode(noise.astype(np.float32), channels)
        assert (labels.max(), labels.dtype, labels.shape) == (0, np.uint16, SHAPES[ndim])


@pytest.mark.parametrize("name", SETS)
def test_no_object_one_object_and_one_that_covers_everything(name: str) -> None:
    channels = SETS[name]
    assert decode(encode(np.zeros((24, 20), int), channels), channels).max() == 0
    one = np.where(balls(2) == 1, 2**40, 0)
    assert recovered(one, decode(encode(one, channels), channels)) >= 0.95
    whole = decode(encode(np.ones((24, 20), int), channels), channels)
    assert set(np.unique(whole)) <= {0, 1}
    assert (whole == 1).mean() > 0.98


def test_ids_fall_with_the_score() -> None:
    truth, channels = balls(2), SETS["F R Db"]
    planes = encode(truth, channels).copy()
    worth = np.linspace(1, 0.6, truth.max())[truth - 1]
    planes[..., 0] *= worth
    labels = stardist(planes, channels)
    scores = [worth[labels == label].max() for label in range(1, labels.max() + 1)]
    assert all(a >= b for a, b in pairwise(scores))
    found = shapes(planes, channels)
    places = np.ravel_multi_index(tuple(found.points.T), truth.shape)
    order = np.lexsort((places, -found.scores))
    assert np.array_equal(order, np.arange(len(order)))


def test_the_better_one_is_in_front() -> None:
    points, distances = np.array([[10, 10], [10, 16]]), np.full((2, 32), 5.0)
    known = {"directions": ray_directions(2), "spacing": (1.0, 1.0), "shape": (20, 26)}
    labels = rendered(points, distances, **known)
    assert (labels[10, 13], np.count_nonzero(labels == 1) > np.count_nonzero(labels == 2)) == (1, 1)


def test_options_are_obeyed() -> None:
    truth, channels = balls(2), SETS["Db R"]
    planes = encode(truth, channels)
    every, best = (
        shapes(planes, channels, options=StarDist(candidates=which)) for which in ("all", "maxima")
    )
    assert len(every.points) == np.count_nonzero(planes[..., 0] >= 0.4)
    assert truth.max() <= len(best.points) < len(every.points)
    some = shapes(planes, channels, options=StarDist(prob_threshold=0.8, candidates="all"))
    assert len(some.points) == np.count_nonzero(planes[..., 0] >= np.float32(0.8))
    sizes = np.bincount(stardist(planes, channels).ravel())[1:]
    least = int(np.sort(sizes)[2])
    kept = stardist(planes, channels, options=StarDist(min_size=least))
    assert kept.max() == np.count_nonzero(sizes >= least)


def test_distances_that_are_no_numbers_propose_nothing() -> None:
    truth, channels = balls(2), SETS["Db R"]
    planes = encode(truth, channels).copy()
    planes[truth == 1, 1] = np.nan
    planes[truth == 2, 0] = np.nan
    labels = stardist(planes, channels)
    assert labels.max() == truth.max() - 2


def test_channels_that_cannot_be_decoded_are_refused() -> None:
    for channels, words in (
        ((ch("R"),), "where objects are"),
        ((ch("F"), ch("C"), ch("R")), "no use beside R.*\n.*found C"),
        ((ch("Db", norm=False), ch("R")), "found Db"),
    ):
        with pytest.raises(ConfigError, match=words):
            stardist(np.zeros((4, 4, 40), np.float32), channels)
    with pytest.raises(ConfigError, match="33 columns for Db R"):
        stardist(np.zeros((4, 4, 40), np.float32), SETS["Db R"])
    assert not stardist_problems(SETS["Db R"])
    assert not package_problems()


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "stardist.nms", None)
    assert r"pip install 'jaxseg[stardist]'" in str(package_problems()[0])


def test_wrong_options_are_told_before() -> None:
    wrong = StarDist(prob_threshold=1.0, nms_threshold=0.0, min_size=0)
    config = Config(channels=SETS["Db R"], phases=("decode",), stardist=wrong)
    fields = {problem.where for problem in check(config)}
    assert fields == {"stardist.prob_threshold", "stardist.nms_threshold", "stardist.min_size"}
    for nrays in (-1, 5):
        with pytest.raises(ConfigError, match="nrays"):
            ch("R", nrays=nrays)


# ------------------------------------------------------------------------- real labels


@pytest.mark.parametrize("name", ["Db R", "R F um"])
def test_real_nuclei_come_back(name: str) -> None:
    channels, truth = SETS[name], real_images.labels("nuclei2d")
    found = matching(truth, decode(encode(truth, channels), channels))[0]
    assert found.mean_true_score >= 0.95
    assert found.f1 >= 0.97


def test_real_nuclei_come_back_in_3d() -> None:
    channels, truth = SETS["Db R"], real_images.labels("nuclei3d")
    found = matching(truth, decode(encode(truth, channels), channels))[0]
    # The nuclei are of a few hundred voxels, which 32 rays cannot follow closely.
    assert found.mean_true_score >= 0.7
    assert found.f1 >= 0.9
