"""Operations on objects and planes against brute force, and their symmetry in ids."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from support.synthetic_objects import cells

from jaxseg.config import Condition, Refine
from jaxseg.labels import refine, voronoi
from jaxseg.labels.conditions import judge, remove_judged, survivors
from jaxseg.labels.morphology import dilate, erode
from jaxseg.labels.removal import clear_border, remove_large_objects, remove_small_objects
from jaxseg.labels.repair import repair_large
from jaxseg.measurements import measure
from jaxseg.prediction.median import median_filter

SHAPES = [(9, 11), (1, 8, 9), (4, 7, 6)]
HUGE = 2**40
OPERATIONS = [
    Refine("dilation", (2,)),
    Refine("erosion", (1,)),
    Refine("dilation", (1.5,), unit="um"),
    Refine("fill_holes"),
    Refine("clear_border"),
    Refine("remove_small_objects", (6,)),
    Refine("remove_large_objects", (20,)),
]


def objects(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    """Boxes on top of each other, with holes and gaps, and noise in between."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(shape, np.int64)
    for label in rng.permutation(np.arange(1, 7)):
        start = [rng.integers(0, n) for n in shape]
        box = tuple(slice(a, a + rng.integers(1, 7)) for a in start)
        labels[box] = label
    labels[rng.random(shape) < 0.1] = 0
    return labels


def ellipsoid(radii: tuple[float, ...]) -> np.ndarray:
    """Offsets within the ellipsoid."""
    spans = [range(-int(r), int(r) + 1) for r in radii]
    found = []
    for offset in itertools.product(*spans):
        square = sum((o / r) ** 2 for o, r in zip(offset, radii, strict=True) if r)
        if square <= 1 + 1e-9:
            found.append(offset)
    return np.array(found)


def radii_of(rng: np.random.Generator, ndim: int) -> tuple[float, ...]:
    """Whole or broken radii, some of them 0, not all."""
    radii = rng.choice([0, 1, 2, 3, 1.5, 2.4], ndim)
    return tuple(radii if radii.any() else np.ones(ndim))


cases = given(st.integers(0, 10_000), st.sampled_from(SHAPES))


# --------------------------------------------------------------------------- morphology


@cases
def test_dilation_takes_the_nearest_object_in_reach(seed: int, shape: tuple[int, ...]) -> None:
    labels = objects(seed, shape)
    radii = radii_of(np.random.default_rng(seed), len(shape))
    grown = dilate(labels, radii)
    offsets = ellipsoid(radii)
    weights = [1 / r if r else 0 for r in radii]
    assert np.array_equal(grown[labels > 0], labels[labels > 0])
    for place in zip(*np.nonzero(labels == 0), strict=True):
        around = place + offsets
        inside = ((around >= 0) & (around < shape)).all(axis=1)
        values = labels[tuple(around[inside].T)]
        squares = np.square(offsets[inside] * weights).sum(axis=1)
        if not values.any():
            assert grown[place] == 0
            continue
        least = squares[values > 0].min()
        assert grown[place] in values[(values > 0) & (squares <= least + 1e-9)]


@cases
def test_erosion_is_against_everything_else(seed: int, shape: tuple[int, ...]) -> None:
    labels = objects(seed, shape)
    radii = radii_of(np.random.default_rng(seed), len(shape))
    offsets = ellipsoid(radii)
    expected = np.zeros_like(labels)
    for place in zip(*np.nonzero(labels), strict=True):
        around = place + offsets
        inside = ((around >= 0) & (around < shape)).all(axis=1)
        if (labels[tuple(around[inside].T)] == labels[place]).all():
            expected[place] = labels[place]
    assert np.array_equal(erode(labels, radii), expected)


def test_touching_objects_lose_the_same() -> None:
    labels = np.zeros((5, 20), int)
    labels[:, :10], labels[:, 10:] = 2, 1
    sizes = np.bincount(erode(labels, 1).ravel())[1:]
    assert sizes.tolist() == [45, 45]


def test_nothing_and_everything() -> None:
    nothing, everything = np.zeros((6, 6), np.uint16), np.full((6, 6), 3, np.uint16)
    for labels in (nothing, everything):
        assert np.array_equal(dilate(labels, 3), labels)
        assert np.array_equal(erode(labels, 3), labels)
        assert np.array_equal(dilate(labels, 0), labels)
        assert np.array_equal(repair_large(labels, 1), labels)
    assert not clear_border(everything).any()
    assert not voronoi(nothing, everything > 0).any()
    assert np.array_equal(voronoi(everything, everything > 0), everything)


# ------------------------------------------------------------------------------- removal


@cases
def test_removal_by_size_by_definition(seed: int, shape: tuple[int, ...]) -> None:
    labels = objects(seed, shape)
    for label in np.unique(labels[labels > 0]):
        size = int((labels == label).sum())
        for value, small, large in ((size, 1, 1), (size + 1, 0, 1), (size - 1, 1, 0)):
            assert (remove_small_objects(labels, value) == label).any() == small
            assert (remove_large_objects(labels, value) == label).any() == large


@cases
def test_whole_objects_leave_the_border(seed: int, shape: tuple[int, ...]) -> None:
    labels = objects(seed, shape)
    for z_faces in (True, False):
        found = clear_border(labels, z_faces=z_faces)
        for label in np.unique(labels[labels > 0]):
            places = np.argwhere(labels == label)
            if len(shape) == 3 and (not z_faces or shape[0] == 1):
                touches = (places[:, 1:] == 0) | (places[:, 1:] == np.array(shape[1:]) - 1)
            else:
                touches = (places == 0) | (places == np.array(shape) - 1)
            assert (found == label).sum() == (0 if touches.any() else len(places))


@cases
def test_holes_by_definition(seed: int, shape: tuple[int, ...]) -> None:
    labels = objects(seed, shape)
    expected = labels.copy()
    parts, count = ndimage.label(labels == 0)
    open_axes = [axis for axis in range(len(shape)) if shape[axis] > 1]
    for part in range(1, count + 1):
        places = np.argwhere(parts == part)
        border = any({0, shape[axis] - 1} & set(places[:, axis].tolist()) for axis in open_axes)
        around = labels[ndimage.binary_dilation(parts == part) & (parts != part)]
        if not border and len(set(around.tolist())) == 1:
            expected[parts == part] = around[0]
    assert np.array_equal(refine(labels, [Refine("fill_holes")]), expected)


def test_holes_of_a_volume_of_one_slice() -> None:
    ring = np.ones((1, 5, 5), np.uint8)
    ring[0, 2, 2] = 0
    assert refine(ring, [Refine("fill_holes")]).all()


# ---------------------------------------------------------------------- ids do not matter


@given(st.integers(0, 10_000), st.sampled_from(SHAPES))
def test_permuting_ids_permutes_the_result(seed: int, shape: tuple[int, ...]) -> None:
    labels = objects(seed, shape)
    rng = np.random.default_rng(seed)
    names = np.concatenate([[0], HUGE + rng.permutation(6)]).astype(np.uint64)
    mask = ndimage.binary_dilation(labels > 0, iterations=2)
    spacing = (2.0, 0.5, 0.7)[-len(shape) :]
    functions = [
        *(lambda x, one=one: refine(x, [one], spacing=spacing) for one in OPERATIONS),
        lambda x: repair_large(x, 9, contact=0.4, contained=0.5),
        lambda x: voronoi(x, mask, spacing=spacing),
        lambda x: voronoi(x, mask, spacing=spacing, mode="centroids"),
    ]
    before = labels.copy()
    labels.flags.writeable = False
    for number, function in enumerate(functions):
        found = function(names[labels])
        assert found.dtype == np.uint64
        assert np.array_equal(found, names[function(labels)]), number
    assert np.array_equal(labels, before)


def test_operations_in_order_each_with_its_value() -> None:
    labels = np.zeros((1, 24), np.uint16)
    labels[0, 2:5], labels[0, 10:18] = 7, 9
    steps = [Refine("erosion", (0, 1)), Refine("remove_small_objects", (3,)),
             Refine("erosion", (0, 2)), Refine("dilation", (0, 3))]  # fmt: skip
    found = refine(labels, steps)
    assert np.flatnonzero(found).tolist() == list(range(10, 18))
    assert set(np.unique(found)) == {0, 9}
    assert np.array_equal(refine(labels, []), labels)
    assert refine(labels, [Refine("remove_big_objects", (7,))]).max() == 7
    physical = Refine("remove_small_objects", (0.4,), unit="um")
    assert set(np.unique(refine(labels, [physical], spacing=(0.2, 0.5)))) == {0, 9}


# -------------------------------------------------------------------------------- repair


def test_a_piece_inside_returns_and_its_hole_is_filled() -> None:
    labels = np.zeros((20, 20), np.uint8)
    labels[3:15, 3:15] = 1
    labels[7:10, 7:10] = 5
    labels[12, 12] = 0
    labels[3:15, 15:18] = 6
    found = repair_large(labels, 100)
    assert (found[3:15, 3:15] == 1).all()
    assert (found == 6).sum() == 36, "a neighbour outside the box with little contact stays"
    assert np.array_equal(repair_large(labels, 1000), labels)


def test_neighbours_in_the_box_join_unless_they_are_as_large() -> None:
    labels = np.zeros((1, 12, 12), np.uint8)
    labels[0, 1:11, 1:5] = 1
    labels[0, 9:11, 1:11] = 1
    labels[0, 7:9, 5:9] = 2
    assert repair_large(labels, 40, contact=0.9).max() == 1
    assert np.array_equal(repair_large(labels, 40, contact=1.0, contained=1.0) > 0, labels > 0)
    halves = np.repeat([[1, 2]], 8, axis=1).reshape(1, -1).repeat(4, axis=0)
    assert np.array_equal(repair_large(halves, 4), halves)


def test_joining_goes_on_to_the_largest() -> None:
    labels = np.zeros((9, 9), np.uint16)
    labels[:] = 30
    labels[2:7, 2:7] = 20
    labels[4, 4] = 10
    assert (repair_large(labels, 10) == 30).all()


# ------------------------------------------------------------------------------- voronoi


@cases
def test_voronoi_by_definition(seed: int, shape: tuple[int, ...]) -> None:
    labels, spacing = objects(seed, shape), (3.0, 0.5, 0.7)[-len(shape) :]
    mask = np.random.default_rng(seed).random(shape) < 0.8
    found = voronoi(labels, mask, spacing=spacing, islands=True)
    inside = np.where(mask, labels, 0)
    assert not found[~mask].any()
    assert np.array_equal(found[inside > 0], inside[inside > 0])
    if not inside.any():
        return
    assert np.array_equal(found > 0, mask)
    owned = np.argwhere(inside) * spacing
    for place in np.argwhere(mask & (labels == 0)):
        distance = np.linalg.norm(owned - place * spacing, axis=1)
        nearest = inside[inside > 0][distance <= distance.min() + 1e-9]
        assert found[tuple(place)] in nearest


@cases
def test_centroids_by_definition(seed: int, shape: tuple[int, ...]) -> None:
    labels, spacing = objects(seed, shape), (3.0, 0.5, 0.7)[-len(shape) :]
    found = voronoi(labels, np.ones(shape, bool), spacing=spacing, mode="centroids")
    ids = np.unique(labels[labels > 0])
    centroids = np.array([np.argwhere(labels == i).mean(axis=0) for i in ids]) * spacing
    for place in np.ndindex(shape):
        distance = np.linalg.norm(centroids - np.multiply(place, spacing), axis=1)
        assert found[place] in ids[distance <= distance.min() + 1e-9]


def test_islands_without_objects() -> None:
    labels, mask = np.zeros((1, 9), int), np.ones((1, 9), bool)
    labels[0, 1], mask[0, 4] = 3, False
    assert np.count_nonzero(voronoi(labels, mask)) == 4
    assert np.count_nonzero(voronoi(labels, mask, islands=True)) == 8


# -------------------------------------------------------------------------------- median


@pytest.mark.parametrize(("axes", "along"), [("xy", (1, 2)), ("zy", (0, 1)), ("xz", (0, 2)),
                                             ("z", (0,))])  # fmt: skip
def test_median_by_definition(axes: str, along: tuple[int, ...], rng: np.random.Generator) -> None:
    planes = rng.random((5, 6, 7, 2)).astype(np.float32)
    found = median_filter(planes, axes, 3)
    widths = [(1, 1) if axis in along else (0, 0) for axis in range(3)]
    padded = np.pad(planes, [*widths, (0, 0)], mode="symmetric")
    extent = tuple(3 if axis in along else 1 for axis in range(3))
    windows = np.lib.stride_tricks.sliding_window_view(padded, extent, axis=(0, 1, 2))
    assert np.array_equal(found, np.median(windows, axis=(-3, -2, -1)))
    assert found.dtype == np.float32


# ---------------------------------------------------------------------------- conditions


def test_conditions_in_groups() -> None:
    table = pd.DataFrame({"label": [1, 2, 3, 4], "npixels": [5, 50, 500, 70],
                          "area": [5.0, 50.0, 500.0, 70.0],
                          "circularity": [0.5, 0.9, 0.1, np.nan]})  # fmt: skip
    either = [[Condition("area", "gt", 400)],
              [Condition("npixels", "lt", 100), Condition("circularity", "le", 0.7)]]  # fmt: skip
    judged = judge(table, either)
    assert judged.comment.tolist() == ["Removed", "Correct", "Removed", "Correct"]
    assert judged.conditions.tolist()[:3] == [
        "No satisfied; Satisfied",
        "No satisfied; No satisfied",
        "Satisfied; No satisfied",
    ]
    between = [[Condition("npixels", "gt", 5), Condition("npixels", "le", 70)]]
    assert survivors(judge(table, between)).label.tolist() == [1, 3]
    assert judge(table, []).comment.tolist() == ["Correct"] * 4


@pytest.mark.parametrize("shape", [(40, 44), (1, 40, 44), (8, 24, 20)])
def test_removal_by_what_was_measured(shape: tuple[int, ...], rng: np.random.Generator) -> None:
    labels = cells(rng, shape, count=20).astype(np.uint64) * np.uint64(HUGE)
    judged = judge(measure(labels), [[Condition("area", "lt", 15)]])
    kept = remove_judged(labels, judged)
    assert np.array_equal(kept, remove_small_objects(labels, 15))
    assert measure(kept).label.tolist() == survivors(judged).label.tolist()
    nothing = judge(measure(np.zeros(shape, int)), [[Condition("npixels", "gt", 1)]])
    assert {"conditions", "comment"} <= set(nothing.columns)
    assert len(survivors(nothing)) == 0
