"""Affinities, class planes, shifts and ids."""

from __future__ import annotations

import itertools

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxseg.errors import ConfigError, InputError
from jaxseg.targets import (
    affinities,
    class_planes,
    compact,
    foreground,
    half_neighborhood,
    partner_inside,
    shifted,
)

OFFSETS = ((0, 0, 1), (1, -1, 0), (-2, 0, 3), (9, 0, 0))


@pytest.mark.parametrize(
    ("ndim", "neighborhood", "number"), [(2, 4, 2), (2, 8, 4), (3, 6, 3), (3, 18, 9), (3, 26, 13)]
)
def test_half_neighborhoods(ndim: int, neighborhood: int, number: int) -> None:
    half = half_neighborhood(ndim, neighborhood)
    assert len(half) == number
    assert list(half) == sorted(half)
    assert all(next(step for step in offset if step) > 0 for offset in half)
    both = {*half, *(tuple(-step for step in offset) for offset in half)}
    assert len(both) == neighborhood


def test_direct_neighbours_by_default() -> None:
    assert half_neighborhood(3) == ((0, 0, 1), (0, 1, 0), (1, 0, 0))
    with pytest.raises(ConfigError, match="4, 8"):
        half_neighborhood(2, 6)


@given(seed=st.integers(0, 999))
def test_affinities_equal_brute_force(seed: int) -> None:
    labels = np.random.default_rng(seed).integers(0, 3, (4, 5, 6), dtype=np.uint64) * 2**40
    found = np.asarray(affinities(labels, offsets=OFFSETS))
    inside = np.asarray(partner_inside(labels.shape, offsets=OFFSETS))
    for column, offset in enumerate(OFFSETS):
        for place in np.ndindex(labels.shape):
            other = tuple(np.subtract(place, offset))
            legal = all(0 <= p < n for p, n in zip(other, labels.shape, strict=True))
            same = legal and labels[place] == labels[other] > 0
            assert inside[(*place, column)] == legal
            assert found[(*place, column)] == same


def test_shifts_of_any_length() -> None:
    array = np.arange(12).reshape(3, 4)
    for offset in itertools.product((-5, -1, 0, 2, 4), (-4, 0, 1, 9)):
        expected = np.full((3, 4), -1)
        for place in np.ndindex(3, 4):
            y, x = np.subtract(place, offset)
            if 0 <= y < 3 and 0 <= x < 4:
                expected[place] = array[y, x]
        np.testing.assert_array_equal(shifted(array, offset, fill=-1), expected)


def test_ids_of_any_size_stay_apart() -> None:
    labels = np.array([[0, 70_000, 2**32 + 1, 1, 2**63 + 5, 1 + 2**40]], np.uint64)
    labels.flags.writeable = False
    ids = compact(labels)
    assert ids.dtype == np.int32
    assert ids[0, 0] == 0
    assert len(set(ids[0].tolist())) == 6


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int16, np.uint16, np.int32, np.int64])
def test_ids_of_every_type(dtype: type) -> None:
    labels = np.array([[0, 1, 1]], dtype)
    np.testing.assert_array_equal(compact(labels), [[0, 1, 1]])
    np.testing.assert_array_equal(foreground(labels), [[0, 1, 1]])


def test_labels_must_be_natural_numbers() -> None:
    with pytest.raises(InputError, match="not integers"):
        compact(np.ones((2, 2)))
    with pytest.raises(InputError, match="negative"):
        compact(np.array([[-1, 2]]))


def test_class_planes() -> None:
    classes = jnp.array([[0, 1, 2, 255, 7]])
    planes, counts = class_planes(classes, number=3, ignore=255)
    np.testing.assert_array_equal(planes[0, :3], np.eye(3))
    assert not planes[0, 3:].any()
    np.testing.assert_array_equal(counts[0], [[True] * 3] * 3 + [[False] * 3] * 2)
    planes, counts = class_planes(classes, number=2, ignore=0)
    np.testing.assert_array_equal(planes[0, :, 0], [0, 1, 0, 0, 0])
    np.testing.assert_array_equal(counts[0, :, 0], [False, True, False, False, False])
