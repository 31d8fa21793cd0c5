"""Objects around points: by their definition, in parts as in the whole, and cells with a middle."""

from __future__ import annotations

import heapq
import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from jaxseg.config.detection import Grow
from jaxseg.decoding.growing import Around, grown, growth_margin, ring_at, surface_of
from jaxseg.geometry import Box


def heights_by_definition(surface, seed, allowed) -> np.ndarray:
    """Least highest point of all ways, by the way of Dijkstra."""
    best = np.full(surface.shape, np.inf)
    waiting = [(-np.inf, tuple(at)) for at in np.argwhere(seed)]
    while waiting:
        height, at = heapq.heappop(waiting)
        if height >= best[at]:
            continue
        best[at] = height
        for axis, step in itertools.product(range(surface.ndim), (-1, 1)):
            there = tuple(n + step * (axis == a) for a, n in enumerate(at))
            inside = all(0 <= n < size for n, size in zip(there, surface.shape, strict=True))
            if inside and allowed[there]:
                heapq.heappush(waiting, (max(height, surface[there]), there))
    return best


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000))
def test_a_voxel_goes_to_the_point_with_the_lowest_way(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape, radius = (14, 15), 5.0
    surface = rng.random(shape).astype(np.float32)
    allowed = rng.random(shape) < 0.85
    places = np.array([[3.0, 3.0], [9.0, 4.0], [6.0, 9.0], [11.0, 11.0]])
    around = Around(Box((0, 0), shape), surface, surface, allowed)
    options = Grow(seed_radius=1.0, max_radius=radius)
    labels, seeds = grown(around, places, np.zeros(4, int), spacing=(1.0, 1.0), options=options)
    costs = []
    for number, place in enumerate(places, start=1):
        apart = np.linalg.norm(np.moveaxis(np.indices(shape), 0, -1) - place, axis=-1)
        mine = seeds == number
        legal = (allowed & (seeds == 0) & (apart <= radius)) | mine
        heights = heights_by_definition(surface.astype(float), mine, legal)
        costs.append((heights, np.where(heights < np.inf, apart, np.inf)))
    for at in np.ndindex(shape):
        rank = min((height[at], apart[at], n) for n, (height, apart) in enumerate(costs, start=1))
        wanted = rank[2] if np.isfinite(rank[1]) else 0
        # Parts without their seed are dropped.
        assert labels[at] in (wanted, 0)
    for number in range(1, 5):
        assert ndimage.label(labels == number)[1] == 1


@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    block=st.tuples(st.integers(7, 20), st.integers(7, 20)),
    surface=st.sampled_from(["gradient", "intensity"]),
)
def test_parts_grow_what_the_whole_grows(seed: int, block: tuple[int, int], surface) -> None:
    rng = np.random.default_rng(seed)
    shape, spacing = (34, 38), (1.0, 0.8)
    image = ndimage.gaussian_filter(rng.random(shape), 2).astype(np.float32)
    places = rng.uniform(0, 33, (14, 2))
    classes = rng.integers(1, 3, 14)
    options = Grow(seed_radius=(0.5, 1.5), max_radius=3.0, surface=surface)

    def grow(box: Box) -> np.ndarray:
        part = image[box.slices]
        around = Around(box, surface_of(part, None, spacing=spacing, options=options), part,
                        part > 0.48)  # fmt: skip
        return grown(around, places, classes, spacing=spacing, options=options)[0]

    whole = grow(Box((0, 0), shape))
    assert len(np.unique(whole)) > 5
    margin = growth_margin(spacing, options)
    for corner in itertools.product(*(range(0, n, b) for n, b in zip(shape, block, strict=True))):
        stop = tuple(min(a + b, n) for a, b, n in zip(corner, block, shape, strict=True))
        core = Box(corner, stop)
        wide = core.grown(margin, shape)
        part = grow(wide)[core.relative_to(wide.start).slices]
        np.testing.assert_array_equal(part, whole[core.slices])


def test_parts_of_a_volume_grow_what_the_whole_grows() -> None:
    rng, shape, spacing = np.random.default_rng(4), (12, 20, 22), (2.0, 1.0, 1.0)
    image = ndimage.gaussian_filter(rng.random(shape), (0.6, 1.2, 1.2)).astype(np.float32)
    places, classes = rng.uniform(0, 1, (30, 3)) * (11, 19, 21), np.zeros(30, int)
    options = Grow(seed_radius=0.5, max_radius=2.0)

    def grow(box: Box) -> np.ndarray:
        part = image[box.slices]
        surface = surface_of(part, None, spacing=spacing, options=options)
        around = Around(box, surface, part, part > 0.5)
        return grown(around, places, classes, spacing=spacing, options=options)[0]

    whole = grow(Box((0, 0, 0), shape))
    assert len(np.unique(whole)) > 20
    for start, stop in (
        ((0, 0, 0), (5, 8, 9)),
        ((5, 8, 9), (12, 20, 22)),
        ((3, 0, 9), (8, 20, 14)),
    ):
        core = Box(start, stop)
        wide = core.grown(growth_margin(spacing, options), shape)
        part = grow(wide)[core.relative_to(wide.start).slices]
        np.testing.assert_array_equal(part, whole[core.slices])


def ring(radius: float) -> np.ndarray:
    apart = np.linalg.norm(np.moveaxis(np.indices((41, 41)), 0, -1) - 20, axis=-1)
    return (100 + 200 * np.exp(-((apart - radius) ** 2) / 4)).astype(np.float32)


def test_a_bright_ring_around_a_dark_middle_is_measured() -> None:
    box, options = Box((0, 0), (41, 41)), Grow(max_radius=18, ring_classes=(1,), ring_diameter=12)
    place = np.array([20.0, 20.0])
    assert ring_at(ring(9), box, place, spacing=(1.0, 1.0), options=options) == (9.0, 9.0)
    assert ring_at(ring(4), box, place, spacing=(1.0, 1.0), options=options) is None
    disc = (ring(9) * 0 + 100).astype(np.float32)
    disc[10:31, 10:31] = 300
    assert ring_at(disc, box, place, spacing=(1.0, 1.0), options=options) is None


def test_a_seed_is_widened_to_the_ring_so_that_the_whole_cell_grows() -> None:
    image, box = ring(9), Box((0, 0), (41, 41))
    place, classes = np.array([[20.0, 20.0]]), np.ones(1, int)
    sizes = {}
    for rings in ((), (1,)):
        options = Grow(max_radius=18, seed_radius=1.0, ring_classes=rings)
        surface = surface_of(image, None, spacing=(1.0, 1.0), options=options)
        allowed = image > 150
        around = Around(box, surface, image, allowed)
        labels, _ = grown(around, place, classes, spacing=(1.0, 1.0), options=options)
        sizes[rings] = np.count_nonzero(labels)
    # The dark middle is no part of the mask: a small seed ends there.
    assert sizes[()] < 10 < 60 < sizes[1,]
