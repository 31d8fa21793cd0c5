"""Offsets from the centre of the object."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.discs import discs
from support.label_images import lab12

from jaxseg.targets import centre_offset

SPACING = (4.0, 0.5, 2.0)


def brute_force(labels: np.ndarray, axis: int, norm: bool) -> np.ndarray:
    planes = np.zeros(labels.shape)
    places = np.indices(labels.shape)[axis].astype(float)
    for label in np.unique(labels[labels > 0]):
        inside = labels == label
        offset = places[inside] - places[inside].mean()
        low, high = max(-offset.min(), 1e-9), max(offset.max(), 1e-9)
        scale = np.where(offset < 0, low, high) if norm else 1 / SPACING[axis]
        planes[inside] = np.where(np.abs(offset) < 1e-9, 0, offset / scale)
    return planes


@given(seed=st.integers(0, 999), axis=st.sampled_from((-1, -2, -3)), norm=st.booleans())
def test_equals_brute_force(seed: int, axis: int, norm: bool) -> None:
    labels = discs(seed, (7, 12, 13))
    expected = brute_force(labels, axis, norm)
    options = {"axis": axis, "spacing": SPACING, "norm": norm}
    for array in (labels, jnp.asarray(labels)):
        found = centre_offset(array, max_label=7, **options)
        np.testing.assert_allclose(found, expected, atol=1e-4)
        back = centre_offset(array, max_label=7, direction="to_center", **options)
        np.testing.assert_allclose(back, -expected, atol=1e-4)


def test_reference_image() -> None:
    planes = np.asarray(centre_offset(lab12(), axis=-1))
    np.testing.assert_allclose(planes[2, 1:6], [-1, -0.5, 0, 0.5, 1], atol=1e-6)
    raw = np.asarray(centre_offset(lab12(), axis=-2, norm=False))
    np.testing.assert_allclose(raw[1:10, 3], [-1.5, -0.5, 0.5, 1.5, -2, -1, 0, 1, 2], atol=1e-6)


@pytest.mark.parametrize("norm", [True, False])
def test_one_voxel_wide_is_zero(norm: bool) -> None:
    labels = np.zeros((6, 9), np.int32)
    labels[1:5, 7], labels[3, 2] = 1, 2
    assert not centre_offset(labels, axis=-1, norm=norm).any()


def test_sign_and_centre_of_large_objects() -> None:
    labels = np.ones((300, 400), np.int32)
    planes = np.asarray(centre_offset(labels, axis=-1, norm=False, spacing=(1.0, 0.5)))
    np.testing.assert_allclose(planes[0], (np.arange(400) - 199.5) * 0.5, atol=1e-3)


def test_nothing_without_objects() -> None:
    assert not centre_offset(np.zeros((4, 5), np.int32), axis=-1).any()
