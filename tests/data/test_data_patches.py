"""Batches depend on seed and step alone; patches are what lies in the image, mirrored outside."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import distance_transform_edt
from support import real_images

from jaxseg import data
from jaxseg.config import CutMix, Source
from jaxseg.data import Sample
from jaxseg.data.truth import CLASSES, OBJECTS, Part
from jaxseg.normalize import Stats, fit_each
from jaxseg.volume import Volume


def sample(
    labels: np.ndarray, name: str = "a", spacing: tuple[float, ...] = (), part: Part = OBJECTS
) -> Sample:
    """A sample whose two channels hold the labels and their negative."""
    spacing = spacing or (1.0,) * labels.ndim
    axes = "zyx"[-labels.ndim :]
    volume = Volume(labels, axes, spacing, name)
    values = (labels.astype(np.uint64) % np.uint64(1000)).astype(np.float32)
    image = Volume(np.stack([values, -values], -1), axes + "c", spacing, name)
    stats = Stats((0.0, 0.0), (1.0, 1.0))
    return Sample(image, {part: volume}, stats, name, data.index_labels(volume))


def blocks(shape: tuple[int, ...]) -> np.ndarray:
    """Square objects on a grid."""
    grid = np.indices(shape) // 6
    ids = np.ravel_multi_index(tuple(grid), tuple(n // 6 + 1 for n in shape)) + 1
    return np.where(((np.indices(shape) % 6) < 4).all(0), ids, 0)


def assert_equal(one: data.Batch, other: data.Batch) -> None:
    np.testing.assert_array_equal(one.image, other.image)
    np.testing.assert_equal(one.truth, other.truth)
    np.testing.assert_array_equal(one.starts, other.starts)
    assert one.names == other.names


@pytest.mark.parametrize(("shape", "patch"), [((40, 50), (16, 24)), ((20, 21, 22), (8, 8, 16))])
def test_batch_is_a_pure_function_of_seed_and_step(
    shape: tuple[int, ...], patch: tuple[int, ...]
) -> None:
    samples = [sample(blocks(shape), "a"), sample(blocks(shape[::-1]), "b")]
    options = {"patch": patch, "size": 5, "foreground": 0.5}
    before = [data.batch(samples, seed=3, step=step, **options) for step in range(6)]
    for step in (4, 1, 5, 1):
        assert_equal(data.batch(samples, seed=3, step=step, **options), before[step])
    ahead = data.prefetch(
        lambda step: data.batch(samples, seed=3, step=step, **options), range(6), workers=4
    )
    for one, other in zip(before, ahead, strict=True):
        assert_equal(one, other)
    # A larger batch begins with the smaller one.
    larger = data.batch(samples, seed=3, step=2, patch=patch, size=9, foreground=0.5)
    np.testing.assert_array_equal(larger.image[:5], before[2].image)
    assert not np.array_equal(
        data.batch(samples, seed=4, step=0, **options).starts, before[0].starts
    )


def test_patches_are_what_lies_there() -> None:
    shapes = {"a": (40, 50), "b": (30, 33)}
    samples = [sample(blocks(shape), name, part=CLASSES) for name, shape in shapes.items()]
    batch = data.batch(samples, patch=(16, 20), size=20, seed=0, step=0)
    assert batch.image.shape == (20, 16, 20, 2)
    found = batch.truth["classes"]
    assert (batch.image.dtype, found.dtype) == (np.float32, np.int32)
    for image, labels, name, (y, x) in zip(
        batch.image, found, batch.names, batch.starts, strict=True
    ):
        whole = next(item for item in samples if item.name == name).labels.array()  # type: ignore[union-attr]
        np.testing.assert_array_equal(labels, whole[y : y + 16, x : x + 20])
        np.testing.assert_array_equal(image[..., 0], labels)
        np.testing.assert_array_equal(image[..., 1], -labels)


def test_every_place_is_reached_and_images_count_by_size() -> None:
    samples = [sample(blocks((12, 12)), "small"), sample(blocks((12, 48)), "large")]
    batches = [data.batch(samples, patch=(8, 8), size=50, seed=0, step=step) for step in range(20)]
    names = [name for batch in batches for name in batch.names]
    assert abs(names.count("large") / len(names) - 0.8) < 0.04
    starts = np.concatenate([batch.starts for batch in batches])
    large = starts[[name == "large" for name in names]]
    assert set(large[:, 0]) == set(range(5))
    assert set(large[:, 1]) == set(range(41))


@given(st.lists(st.integers(1, 12), min_size=2, max_size=3), st.integers(0, 5))
def test_small_images_are_mirrored_at_both_ends(shape: list[int], seed: int) -> None:
    labels = np.random.default_rng(seed).integers(0, 9, shape)
    patch = (8,) * len(shape)
    one = sample(labels, part=CLASSES)
    batch = data.batch([one], patch=patch, size=2, seed=seed, step=0)
    missing = [max(8 - size, 0) for size in shape]
    padded = np.pad(labels, [(n // 2, n - n // 2) for n in missing], mode="reflect")
    for image, found, start in zip(batch.image, batch.truth["classes"], batch.starts, strict=True):
        corner = [at + n // 2 for at, n in zip(start, missing, strict=True)]
        box = tuple(slice(at, at + 8) for at in corner)
        np.testing.assert_array_equal(found, padded[box])
        np.testing.assert_array_equal(image[..., 0], found)


def test_foreground_patches_show_objects() -> None:
    labels = np.zeros((300, 300), np.int64)
    labels[150:152, 20:22] = 5
    labels[10:60, 200:280] = 9
    one = sample(labels, part=CLASSES)
    batch = data.batch([one], patch=(16, 16), size=200, seed=0, step=0, foreground=1.0)
    middle = batch.truth["classes"][:, 4:12, 4:12]
    seen = [(middle == name).any((1, 2)).mean() for name in (5, 9)]
    assert sum(seen) == pytest.approx(1)
    assert min(seen) > 0.35  # the small object as often as the large one
    none = data.batch([sample(labels)], patch=(16, 16), size=200, seed=0, step=0, foreground=0.0)
    assert none.truth["objects"].any((1, 2)).mean() < 0.2


def test_an_image_without_objects_is_drawn_anywhere() -> None:
    batch = data.batch(
        [sample(np.zeros((20, 20), int))], patch=(8, 8), size=30, seed=0, step=0, foreground=1.0
    )
    assert len(np.unique(batch.starts, axis=0)) > 10
    assert not batch.truth["objects"].any()


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "int64", "uint64"])
def test_labels_are_compact_and_large_ids_stay_apart(dtype: str) -> None:
    names = np.array([0, 3, 200], dtype)
    if dtype.endswith("64"):
        names = np.array([0, 2**53, 2**53 + 1, 2**63 - 1 if dtype == "int64" else 2**63 + 1], dtype)
    labels = names[np.random.default_rng(0).integers(0, len(names), (30, 30))]
    batch = data.batch([sample(labels)], patch=(16, 16), size=4, seed=0, step=0)
    for found, (y, x) in zip(batch.truth["objects"], batch.starts, strict=True):
        whole = labels[y : y + 16, x : x + 16]
        np.testing.assert_array_equal(np.unique(found), np.arange(len(np.unique(whole))))
        np.testing.assert_array_equal(found == 0, whole == 0)
        for number in range(1, found.max() + 1):
            assert len(np.unique(whole[found == number])) == 1
    if dtype == "uint64":
        with pytest.raises(ValueError, match="32 bit"):
            data.batch([sample(labels, part=CLASSES)], patch=(16, 16), size=1, seed=0, step=0)


def test_labels_are_needed() -> None:
    bare = replace(sample(blocks((20, 20))), truth={})
    with pytest.raises(ValueError, match="no labels"):
        data.batch([bare], patch=(8, 8), size=1, seed=0, step=0)


@given(st.lists(st.integers(1, 40), min_size=2, max_size=2))
def test_the_grid_covers_everything_with_few_patches(shape: list[int]) -> None:
    samples = [sample(blocks((16, 9))), sample(np.arange(np.prod(shape)).reshape(shape))]
    places = data.grid(samples, patch=(8, 8))
    seen = np.zeros(shape, bool)
    for number, start in places:
        if number == 1:
            seen[tuple(slice(max(at, 0), at + 8) for at in start)] = True
    assert seen.all()
    assert len(places) == 4 + np.prod([-(-size // 8) for size in shape])


def test_grid_batches() -> None:
    samples = [sample(blocks((16, 20)), "a"), sample(blocks((8, 8)), "b")]
    places = data.grid(samples, patch=(8, 8))
    assert len(places) == 7
    batches = [
        data.grid_batch(samples, places, patch=(8, 8), size=4, index=index) for index in range(2)
    ]
    assert batches[1].names == ("a", "a", "b", "a")
    np.testing.assert_array_equal(batches[1].image[3], batches[0].image[0])
    assert_equal(batches[0], data.grid_batch(samples, places, patch=(8, 8), size=4, index=0))
    limited = data.grid(samples, patch=(8, 8), limit=3)
    assert (limited[0], limited[-1], len(limited)) == (places[0], places[-1], 3)


# --- bounds for the targets -------------------------------------------------------------------


@given(st.integers(0, 20), st.sampled_from([(1.0, 1.0), (2.5, 0.5), (0.3, 0.7)]))
def test_reach_bounds_every_distance(seed: int, spacing: tuple[float, float]) -> None:
    coarse = np.random.default_rng(seed).integers(0, 3, (4, 5))
    labels = np.kron(coarse, np.ones((6, 5), int))
    found = data.label_statistics([sample(labels, spacing=spacing)])
    assert found.objects == len(np.unique(labels[labels > 0]))
    farthest = max(
        [
            distance_transform_edt(labels == name, sampling=spacing).max()
            for name in (1, 2)
            if (labels != name).any()
        ]
    )
    for reach, size, length in zip(found.reach, spacing, labels.shape, strict=True):
        assert reach * size >= farthest or reach == length
        assert reach <= farthest / size + 2


def test_statistics_of_extremes() -> None:
    nothing, full = sample(np.zeros((9, 12), int)), sample(np.ones((9, 12), int))
    assert data.label_statistics([nothing]) == (0, (1, 1))
    assert data.label_statistics([full]) == (1, (9, 12))
    assert data.label_statistics([nothing, full, sample(blocks((20, 20)))]) == (16, (9, 12))


@pytest.mark.parametrize("name", real_images.NAMES)
def test_real_images_give_batches(name: str) -> None:
    raw, labels = (str(real_images.path(name, kind)) for kind in ("raw", "labels"))
    ndim, patch = real_images.labels(name).ndim, {"nuclei2d": (64, 64), "nuclei3d": (8, 16, 16)}
    samples, problems = data.open_samples(Source(raw=raw, labels=labels), ndim=ndim)
    assert problems == ()
    train, val = data.split(samples, fraction=0.3, seed=0, patch=patch[name])
    batch = data.batch(train, patch=patch[name], size=4, seed=0, step=0, foreground=0.5)
    assert np.isfinite(batch.image).all()
    assert batch.truth["objects"].max() > 1
    grid = data.grid(val, patch=patch[name])
    one = data.grid_batch(val, grid, patch=patch[name], size=2, index=0)
    assert one.image.shape == (2, *patch[name], 1)


@pytest.mark.parametrize("shape", [(30, 34), (5, 9), (12, 16, 14)])
def test_boxes_of_other_patches(shape: tuple[int, ...]) -> None:
    """Images of one value each: the box shows where it comes from, in image and labels alike."""
    values = (3, 8, 20)
    samples = [sample(np.full(shape, value), str(value)) for value in values]
    options = {"patch": (8,) * len(shape), "size": 24, "seed": 0, "step": 1}
    before = data.batch(samples, **options)
    mix = CutMix(probability=0.7, side=(0.25, 0.5))
    found = data.batch(samples, cutmix=mix, **options)
    classes = [replace(one, truth={CLASSES: one.truth[OBJECTS]}) for one in samples]
    as_they_are = data.batch(classes, cutmix=mix, **options)
    np.testing.assert_array_equal(found.starts, before.starts)
    assert_equal(found, data.batch(samples, cutmix=mix, **options))
    np.testing.assert_array_equal(as_they_are.image, found.image)
    mixed = 0
    for number, (image, labels) in enumerate(zip(found.image, found.truth["objects"], strict=True)):
        np.testing.assert_array_equal(image[..., 0], -image[..., 1])
        np.testing.assert_array_equal(image[..., 0], as_they_are.truth["classes"][number])
        own = before.image[number].flat[0]
        assert found.names[number] == str(int(own))
        # Objects of both patches keep apart, even where they have the same number.
        assert labels.max() <= 2
        box = (labels != labels[image[..., 0] == own].flat[0]) | (image[..., 0] != own)
        if box.any():
            sides = [np.ptp(axis) + 1 for axis in box.nonzero()]
            assert box.sum() == np.prod(sides)
            assert all(2 <= side <= 4 for side in sides)
            mixed += 1
    assert 9 <= mixed <= 23


def test_pasted_objects_are_those_of_the_other_patch() -> None:
    samples = [sample(blocks((40, 40)), "a")]
    mix = CutMix(probability=1.0, side=(0.5, 0.5))
    found = data.batch(samples, patch=(16, 16), size=8, seed=1, step=0, cutmix=mix, ignore=9)
    for image, labels in zip(found.image, found.truth["objects"], strict=True):
        np.testing.assert_array_equal(labels == -1, image[..., 0] == 9)
        np.testing.assert_array_equal(labels == 0, image[..., 0] == 0)
        ids = labels[labels > 0]
        assert sorted(set(ids)) == list(range(1, ids.max() + 1))
        for one in set(ids):
            assert len(set(image[labels == one][:, 0])) == 1


@given(st.integers(1, 60), st.integers(6, 20), st.floats(0, 0.75), st.integers(0, 2))
def test_a_grid_covers_the_image_with_its_overlap(
    size: int, length: int, overlap: float, padding: int
) -> None:
    places = data.grid(
        [sample(np.zeros((size, 8), np.uint8))],
        patch=(length, 8),
        overlap=(overlap, 0.0),
        padding=(padding, 0),
    )
    starts = [place.start[0] for place in places]
    inner = length - 2 * padding
    assert starts[0] + padding <= 0
    assert starts[-1] + padding + inner >= size
    for one, other in itertools.pairwise(starts):
        # Rounding may move a corner by half a voxel on either side.
        assert 0 < other - one <= inner * (1 - overlap) + 1
    if size > inner:
        assert (starts[0], starts[-1]) == (-padding, size + padding - length)


def test_an_epoch_of_a_grid_shows_every_patch_once() -> None:
    one = sample(blocks((50, 45)))
    places = data.grid([one], patch=(16, 16), overlap=(0.25, 0.25), padding=(3, 3))
    assert any(start < 0 for place in places for start in place.start)
    steps = -(-len(places) // 4)
    options = {"patch": (16, 16), "size": 4, "seed": 2}
    orders = []
    for epoch in range(2):
        batches = [
            data.epoch_batch([one], places, step=epoch * steps + step, **options)
            for step in range(steps)
        ]
        starts = [tuple(start) for batch in batches for start in batch.starts.tolist()]
        assert sorted(starts[: len(places)]) == sorted(place.start for place in places)
        orders.append(starts)
    assert orders[0] != orders[1]
    whole = np.pad(one.image.array()[..., 0], 20, mode="reflect")
    for batch in batches:
        for image, (y, x) in zip(batch.image, batch.starts, strict=True):
            expected = whole[y + 20 : y + 36, x + 20 : x + 36]
            np.testing.assert_array_equal(image[..., 0], expected)


def test_patches_that_are_scaled_by_themselves() -> None:
    """Also where boxes of others are pasted, and beyond the image."""
    one = sample(blocks((40, 50)), "a")
    each = replace(one, stats=fit_each(one.image, method="zscore"))
    batch = data.batch([each], patch=(16, 20), size=6, seed=0, step=0)
    for image, (y, x) in zip(batch.image, batch.starts, strict=True):
        part = np.asarray(one.image[y : y + 16, x : x + 20], np.float64)
        expected = (part - part.mean((0, 1))) / part.std((0, 1))
        np.testing.assert_allclose(image, expected, atol=1e-3)
    ranged = replace(one, stats=fit_each(one.image, method="range"))
    mixed = data.batch(
        [ranged], patch=(16, 20), size=6, seed=0, step=0, cutmix=CutMix(probability=1.0)
    )
    assert mixed.image.min() == 0
    assert mixed.image.max() == 1
    assert one.labels is not None
    small = replace(each, image=one.image.crop((0, 0), (12, 50)))
    small = replace(small, truth={OBJECTS: one.labels.crop((0, 0), (12, 50))})
    around = data.batch([small], patch=(16, 20), size=1, seed=0, step=0).image[0]
    np.testing.assert_allclose(around[2:14].mean((0, 1)), 0, atol=1e-3)
