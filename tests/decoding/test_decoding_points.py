"""Points in planes: by their definition, by blocks as in the whole, and of drawn blobs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxseg.config.detection import Detection
from jaxseg.decoding.point_thresholds import fit_point_thresholds
from jaxseg.decoding.points import Points, far_apart, find_points, points_in, points_margin
from jaxseg.geometry import Box
from jaxseg.labels.balls import balls
from jaxseg.metrics.points import match_points


def by_definition(plane: np.ndarray, distance: float, spacing, threshold: float) -> set[tuple]:
    """Voxels that nothing near exceeds, and nothing near and before equals."""
    found, scale = set(), np.asarray(spacing)
    for index in np.ndindex(plane.shape):
        best = plane[index] >= threshold
        for other in np.ndindex(plane.shape):
            step = np.subtract(other, index)
            near = np.square(step * scale).sum() <= distance**2 * (1 + 1e-9)
            near |= np.abs(step).sum() == 1
            if near and other != index:
                best &= plane[other] < plane[index] or (
                    plane[other] == plane[index] and other > index
                )
        if best:
            found.add(index)
    return found


@settings(max_examples=40)
@given(seed=st.integers(0, 10_000), distance=st.sampled_from([0.0, 1.0, 1.5, 2.3]))
def test_peaks_are_what_their_definition_says(seed: int, distance: float) -> None:
    rng = np.random.default_rng(seed)
    plane = (rng.integers(0, 6, (7, 8)) / 5).astype(np.float32)
    options = Detection(min_distance=distance, threshold=0.4, subpixel=False)
    found = find_points(plane, spacing=(1.0, 0.7), options=options)
    assert {tuple(map(int, place)) for place in found.places} == by_definition(
        plane, distance, (1.0, 0.7), 0.4
    )


@settings(max_examples=20)
@given(
    seed=st.integers(0, 10_000),
    block=st.tuples(st.integers(3, 9), st.integers(3, 9)),
    method=st.sampled_from(["maxima", "log", "dog"]),
)
def test_blocks_find_what_the_whole_has(seed: int, block: tuple[int, int], method) -> None:
    rng = np.random.default_rng(seed)
    plane = np.round(rng.random((17, 19)), 1).astype(np.float32)
    spacing = (1.0, 0.5)
    options = Detection(
        method=method, blob_radius=1.5, threshold=0.05, min_distance=1.2, exclude_border=1.0
    )
    whole = find_points(plane, spacing=spacing, options=options)
    margin = points_margin(2, spacing=spacing, options=options)
    parts = []
    corners = itertools.product(
        *(range(0, n, side) for n, side in zip(plane.shape, block, strict=True))
    )
    for corner in corners:
        stop = tuple(min(a + b, n) for a, b, n in zip(corner, block, plane.shape, strict=True))
        core = Box(corner, stop)
        wide = core.grown(margin, plane.shape)
        parts.append(
            points_in(plane[wide.slices], wide, core, plane.shape, spacing=spacing, options=options)
        )
    places = np.concatenate([part.places for part in parts])
    scores = np.concatenate([part.scores for part in parts])
    order = np.lexsort((*whole.places.T, whole.scores))
    other = np.lexsort((*places.T, scores))
    np.testing.assert_allclose(places[other], whole.places[order], atol=1e-5)
    np.testing.assert_allclose(scores[other], whole.scores[order], atol=1e-5)


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (2.0, 0.5, 0.5)])
@pytest.mark.parametrize("method", ["log", "dog"])
def test_blobs_of_a_size_are_found_within_a_voxel(spacing, method: str) -> None:
    rng, ndim = np.random.default_rng(1), len(spacing)
    shape = (60, 60) if ndim == 2 else (20, 60, 60)
    truth = np.array([[12.3, 14.2], [30.6, 31.1], [44.0, 20.5], [20.0, 48.7]])
    truth = truth if ndim == 2 else np.column_stack([[5.2, 9.9, 14.1, 10.0], truth])
    grid = np.indices(shape)
    image = np.zeros(shape)
    for place, height in zip(truth, (1.0, 0.6, 0.8, 0.5), strict=True):
        square = sum(
            ((axis - at) * size) ** 2 for axis, at, size in zip(grid, place, spacing, strict=True)
        )
        image += height * np.exp(-square / (2 * 2.0**2))
    image += rng.normal(0, 0.01, shape)
    options = Detection(method=method, blob_radius=2.8, threshold=0.1, min_distance=2.0)
    found = find_points(image, spacing=spacing, options=options)
    result = match_points(truth, found.places, tolerance=1.0, spacing=spacing)
    assert (result.tp, result.fp, result.fn) == (4, 0, 0)
    assert result.mean_distance < 0.4


def test_true_planes_give_the_points_back() -> None:
    rng = np.random.default_rng(2)
    cells = np.stack(np.meshgrid(np.arange(4, 90, 9), np.arange(4, 90, 9)), -1).reshape(-1, 2)
    truth = (cells + rng.integers(-1, 2, cells.shape)).astype(float)
    labels = balls(truth, Box((0, 0), (96, 96)), radius=3.0)
    distance = np.zeros(labels.shape, np.float32)
    for number, place in enumerate(truth, start=1):
        inside = np.argwhere(labels == number)
        distance[tuple(inside.T)] = 1 - np.linalg.norm(inside - place, axis=1) / 4
    found = find_points(distance, options=Detection(threshold=0.5, min_distance=2.0))
    result = match_points(truth, found.places, tolerance=0.5)
    assert result.f1 == 1.0


def test_nothing_and_not_finite_values_give_no_points() -> None:
    assert len(find_points(np.zeros((5, 5))).places) == 0
    plane = np.full((5, 5), np.nan)
    plane[2, 2] = np.inf
    assert len(find_points(plane).places) == 0
    assert isinstance(find_points(plane), Points)


@settings(max_examples=25)
@given(seed=st.integers(0, 1000), cut=st.integers(1, 11))
def test_balls_are_drawn_in_parts_as_in_the_whole(seed: int, cut: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.uniform(-1, 13, (9, 2))
    whole = balls(points, Box((0, 0), (12, 14)), radius=2.2, spacing=(1.0, 0.6))
    parts = [
        balls(points, Box((a, 0), (b, 14)), radius=2.2, spacing=(1.0, 0.6))
        for a, b in ((0, cut), (cut, 12))
    ]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


@settings(max_examples=60)
@given(seed=st.integers(0, 10_000), number=st.integers(0, 30))
def test_close_points_go_one_by_one(seed: int, number: int) -> None:
    rng = np.random.default_rng(seed)
    places, radii = rng.uniform(0, 9, (number, 2)), rng.choice([0.0, 1.0, 2.5], number)
    scale = np.array([2.0, 0.5])
    kept: list[int] = []
    for row in range(number):
        apart = np.linalg.norm((places[kept] - places[row]) * scale, axis=1)
        if not radii[row] or (apart > radii[row]).all():
            kept.append(row)
    found = far_apart(places, radii, spacing=tuple(scale))
    assert np.flatnonzero(found).tolist() == kept


def two_classes(seed: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Spots at places, bright ones of class 1 and dim ones of class 2; plane and classes."""
    rng = np.random.default_rng(seed)
    cells = np.stack(np.meshgrid(np.arange(5, 60, 10), np.arange(5, 60, 10)), -1).reshape(-1, 2)
    truth = cells + rng.integers(-1, 2, cells.shape)
    kinds = rng.integers(1, 3, len(truth))
    labels = balls(truth.astype(float), Box((0, 0), (64, 64)), radius=3.0)
    plane, classes = np.zeros(labels.shape, np.float32), np.full((*labels.shape, 2), 0.5)
    for number, (place, kind) in enumerate(zip(truth, kinds, strict=True), start=1):
        inside = np.argwhere(labels == number)
        height = 0.9 if kind == 1 else 0.5
        plane[tuple(inside.T)] = height * (1 - np.linalg.norm(inside - place, axis=1) / 4)
        classes[tuple(inside.T)] = (0.8, 0.1) if kind == 1 else (0.1, 0.8)
    return plane, classes, np.column_stack([truth, kinds])


def test_every_point_has_the_class_around_it_and_its_threshold() -> None:
    plane, classes, truth = two_classes()
    options = Detection(radius=3.0, min_distance=2.0, threshold=(0.6, 0.3))
    found = find_points(plane, options=options, class_planes=classes)
    both = np.column_stack([found.places, found.classes])
    assert set(map(tuple, both.astype(int))) == set(map(tuple, truth))
    strict = find_points(plane, options=options, class_planes=classes, threshold=(0.6, 0.6))
    assert (strict.classes == 1).all()
    assert len(strict.places) == (truth[:, 2] == 1).sum()


def test_automatic_thresholds_part_objects_from_noise_in_any_parts() -> None:
    plane, classes, truth = two_classes()
    votes = classes.argmax(-1) + 1
    whole = [(plane, votes, (slice(0, 64), slice(0, 64)))]
    halves = [
        (plane[:33], votes[:33], (slice(0, 32), slice(0, 64))),
        (plane[31:], votes[31:], (slice(1, 33), slice(0, 64))),
    ]
    given = ("auto", "auto", 0.3)
    levels = fit_point_thresholds(lambda: whole, given, 3)
    np.testing.assert_allclose(fit_point_thresholds(lambda: halves, given, 3), levels)
    assert levels[2] == 0.3
    options = Detection(min_distance=2.0)
    found = find_points(plane, options=options, class_planes=classes, threshold=levels[:2])
    assert len(found.places) == len(truth)
    noise = np.random.default_rng(0).normal(0.02, 0.01, (64, 64))
    (level,) = fit_point_thresholds(lambda: [(noise, None, whole[0][2])], "auto")
    assert level == np.inf
    assert not len(find_points(noise, threshold=level).places)


def test_of_several_radii_the_right_one_answers_most() -> None:
    grid = np.indices((64, 96))
    truth, radii = np.array([[20.0, 20.0], [40.0, 60.0]]), (3.0, 9.0)
    image = sum(
        np.exp(-((grid - place[:, None, None]) ** 2).sum(0) / radius**2)
        for place, radius in zip(truth, radii, strict=True)
    )
    options = Detection(method="log", blob_radius=(3.0, 6.0, 9.0), threshold=0.3, min_distance=5.0)
    found = find_points(image, options=options)
    order = np.argsort(found.places[:, 0])
    np.testing.assert_allclose(found.places[order], truth, atol=0.2)
    assert found.radii[order].tolist() == list(radii)
