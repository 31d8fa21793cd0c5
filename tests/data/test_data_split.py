"""No voxel is on both sides of a split; threads keep the order and hand errors over."""

from __future__ import annotations

import itertools
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxseg import data
from jaxseg.data import Sample
from jaxseg.data.truth import CLASSES, OBJECTS
from jaxseg.errors import InputError
from jaxseg.normalize import Stats
from jaxseg.volume import Volume


def sample(shape: tuple[int, ...], name: str = "a") -> Sample:
    """A sample in which every voxel has its own label."""
    labels = np.arange(1, np.prod(shape) + 1).reshape(shape)
    axes, spacing = "zyx"[-len(shape) :], (1.0,) * len(shape)
    volume = Volume(labels, axes, spacing, name)
    image = Volume(labels[..., None].astype(np.float32), axes + "c", spacing, name)
    return Sample(image, {CLASSES: volume}, Stats((0.0,), (1.0,)), name, data.index_labels(volume))


@given(st.integers(2, 40), st.floats(0.01, 0.99), st.integers(0, 5))
def test_split_by_image(count: int, fraction: float, seed: int) -> None:
    samples = [sample((2, 2), str(number)) for number in range(count)]
    train, val = data.split(samples, fraction=fraction, seed=seed, patch=(2, 2))
    names = [item.name for item in (*train, *val)]
    assert sorted(names) == sorted(item.name for item in samples)
    assert min(len(train), len(val)) >= 1
    assert abs(len(val) - fraction * count) <= 1
    again = data.split(samples, fraction=fraction, seed=seed, patch=(2, 2))
    assert [item.name for item in again[1]] == [item.name for item in val]


def test_the_seed_decides() -> None:
    samples = [sample((2, 2), str(number)) for number in range(20)]
    chosen = {
        tuple(s.name for s in data.split(samples, fraction=0.2, seed=seed, patch=(2, 2))[1])
        for seed in range(9)
    }
    assert len(chosen) > 5


@given(
    st.lists(st.integers(2, 30), min_size=2, max_size=3), st.floats(0.05, 0.9), st.integers(1, 40)
)
def test_one_image_is_cut_without_a_leak(shape: list[int], fraction: float, patch: int) -> None:
    whole = sample(tuple(shape))
    (train,), (val,) = data.split([whole], fraction=fraction, seed=0, patch=(patch,) * len(shape))
    axis = int(np.argmax(shape))
    parts = [item.labels.array() for item in (train, val)]  # type: ignore[union-attr]
    assert not np.intersect1d(*parts).size
    assert [part.size > 0 for part in parts] == [True, True]
    for item, labels in zip((train, val), parts, strict=True):
        np.testing.assert_array_equal(item.image.array()[..., 0], labels)
        assert [n for at, n in enumerate(labels.shape) if at != axis] == [
            n for at, n in enumerate(shape) if at != axis
        ]
        points = item.index.points
        ids = np.repeat(item.index.ids, np.diff(item.index.first))
        np.testing.assert_array_equal(labels[tuple(points.T)], ids)
    gap = shape[axis] - sum(part.shape[axis] for part in parts)
    assert 0 <= gap <= max(shape[axis] // 10, 0)


def test_patches_of_the_parts_share_nothing() -> None:
    train, val = data.split([sample((100, 40))], fraction=0.2, seed=0, patch=(16, 16))
    seen = [
        np.unique(
            np.concatenate(
                [
                    data.batch(part, patch=(16, 16), size=8, seed=0, step=step).truth["classes"]
                    for step in range(9)
                ]
            )
        )
        for part in (train, val)
    ]
    assert not np.intersect1d(*seen).size


def test_the_end_with_objects_is_held_out() -> None:
    labels = np.zeros((50, 20), int)
    labels[2:6, 3:9] = 1
    labels[3:6, 11:15] = 2
    labels[20:30] = 3
    volume = Volume(labels, "yx", (1.0, 1.0))
    one = sample((50, 20))
    one = Sample(one.image, {OBJECTS: volume}, one.stats, "a", data.index_labels(volume))
    train, val = data.split([one], fraction=0.2, seed=0, patch=(8, 8))
    assert (train[0].name, val[0].name) == ("a[y 15:50]", "a[y 0:10]")
    assert data.describe_split(train, val) == "training on a[y 15:50], validation on a[y 0:10]"


def test_one_voxel_cannot_be_split() -> None:
    with pytest.raises(InputError, match=r"--data\.val\.raw"):
        data.split([sample((1, 1))], fraction=0.5, seed=0, patch=(8, 8))


# --- prefetch ---------------------------------------------------------------------------------


@given(st.integers(0, 20), st.integers(1, 4), st.integers(0, 5))
def test_prefetch_keeps_the_order(count: int, workers: int, depth: int) -> None:
    def slow(number: int) -> int:
        time.sleep(0.001 * (number % 3))
        return number

    assert list(data.prefetch(slow, range(count), workers=workers, depth=depth)) == list(
        range(count)
    )


def test_prefetch_hands_errors_over() -> None:
    results = data.prefetch(lambda number: 1 // (3 - number), range(9))
    assert [next(results) for _ in range(3)] == [0, 0, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)
    with pytest.raises(StopIteration):
        next(results)


def test_prefetch_reads_no_further_than_asked_and_ends_its_threads() -> None:
    started = []
    before = threading.active_count()
    results = data.prefetch(
        lambda number: started.append(number) or number, itertools.count(), depth=3
    )
    assert [next(results) for _ in range(5)] == [0, 1, 2, 3, 4]
    results.close()
    assert max(started) <= 8
    assert threading.active_count() == before


@given(st.integers(2, 7), st.integers(0, 20), st.integers(0, 3))
def test_every_image_is_for_validation_in_one_fold(folds: int, more: int, seed: int) -> None:
    samples = [sample((2, 2), str(number)) for number in range(folds + more)]
    held = []
    for fold in range(1, folds + 1):
        train, val = data.k_fold(samples, folds=folds, fold=fold, seed=seed)
        assert sorted(one.name for one in (*train, *val)) == sorted(one.name for one in samples)
        assert 0 <= len(val) - len(samples) // folds <= 1
        held += [one.name for one in val]
    assert sorted(held) == sorted(one.name for one in samples)


def test_more_folds_than_images() -> None:
    with pytest.raises(InputError, match="too few training images"):
        data.k_fold([sample((2, 2), "a")], folds=2, fold=1, seed=0)
