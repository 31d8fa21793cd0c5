"""Normalised and signed distances."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.discs import discs
from support.label_images import lab12

from jaxseg.errors import ConfigError
from jaxseg.targets import boundary_distance, other_label_distance, signed_distance


def test_reference_image() -> None:
    planes = np.asarray(boundary_distance(lab12()))
    np.testing.assert_allclose(planes[7, 1:6], [0, 0.5, 1, 0.5, 0])
    np.testing.assert_allclose(planes[2, 1:6], [0, 1, 1, 1, 0])
    raw = boundary_distance(lab12(), norm=False)
    np.testing.assert_allclose(raw[7, 1:6], [1, 2, 3, 2, 1])


@given(seed=st.integers(0, 999))
def test_normalised_by_the_definition(seed: int) -> None:
    labels, spacing = discs(seed), (1.5, 1.0)
    distance = np.asarray(other_label_distance(labels, spacing=spacing))
    expected = np.zeros(labels.shape)
    for label in np.unique(labels[labels > 0]):
        inside = labels == label
        deepest = distance[inside].max()
        expected[inside] = (distance[inside] - 1) / (deepest - 1) if deepest > 1 else 1
    np.testing.assert_allclose(boundary_distance(labels, spacing=spacing), expected, atol=1e-5)


def test_thin_objects_stay_visible() -> None:
    for labels in (np.eye(9, dtype=np.int32), np.eye(9, dtype=np.int32)[:1]):
        np.testing.assert_array_equal(boundary_distance(labels), labels)
    slab = np.zeros((3, 5, 6), np.int32)
    slab[1] = 4
    for spacing in ((1.0, 1.0, 1.0), (0.1, 0.1, 0.1), (3.0, 1.0, 1.0)):
        planes = boundary_distance(slab, spacing=spacing)
        np.testing.assert_array_equal(planes, slab > 0)


def test_one_object_everywhere_is_all_centre() -> None:
    labels = np.ones((6, 7), np.int32)
    np.testing.assert_array_equal(boundary_distance(labels), 1)
    np.testing.assert_array_equal(
        boundary_distance(jnp.asarray(labels), max_label=1, max_distance=3), 1
    )
    np.testing.assert_allclose(boundary_distance(labels, norm=False), np.hypot(6, 7))
    np.testing.assert_allclose(signed_distance(labels), np.tanh(1), rtol=1e-6)


def test_background_only() -> None:
    labels = np.zeros((6, 7), np.int32)
    assert not boundary_distance(labels).any()
    np.testing.assert_allclose(signed_distance(labels, alpha=2), -np.tanh(2), rtol=1e-6)


def test_a_fragment_without_its_boundary_is_not_a_boundary() -> None:
    labels = np.ones((20, 20), np.int32)
    labels[:, :2] = 0
    planes = np.asarray(boundary_distance(labels))
    np.testing.assert_allclose(planes[0, [2, -1]], [0, 1])
    assert (np.diff(planes[5, 2:]) > 0).all()


@given(seed=st.integers(0, 999), norm=st.booleans())
def test_signed_distance_by_the_definition(seed: int, norm: bool) -> None:
    labels, spacing = discs(seed), (2.0, 1.0)
    distance = np.asarray(other_label_distance(labels, spacing=spacing)) - 0.5
    if norm:
        for label in np.unique(labels):
            distance[labels == label] /= distance[labels == label].max()
    expected = np.where(labels > 0, 3 * distance, -2 * distance)
    found = signed_distance(
        labels, spacing=spacing, alpha=2, beta=3, norm=norm, activation="linear"
    )
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    squashed = signed_distance(labels, spacing=spacing, alpha=2, beta=3, norm=norm)
    np.testing.assert_allclose(squashed, np.tanh(expected), rtol=1e-4, atol=1e-5)


def test_micrometres_scale_with_the_spacing() -> None:
    labels = discs(5)
    for function in (boundary_distance, signed_distance):
        options = {} if function is boundary_distance else {"activation": "linear"}
        once = function(labels, spacing=(0.2, 0.1), norm=False, **options)
        twice = function(labels, spacing=(0.4, 0.2), norm=False, **options)
        np.testing.assert_allclose(twice, 2 * once, rtol=1e-5)
        scaled = [function(labels, spacing=s, **options) for s in ((0.2, 0.1), (0.4, 0.2))]
        np.testing.assert_allclose(*scaled, rtol=1e-4, atol=1e-5)


def test_long_distances_are_cut_at_the_reach() -> None:
    labels = np.zeros((40, 40), np.int32)
    labels[2:-2, 2:-2] = 1
    for array in (labels, jnp.asarray(labels)):
        cut = boundary_distance(array, max_distance=5, norm=False, max_label=1)
        whole = boundary_distance(array, norm=False, max_label=1)
        np.testing.assert_allclose(cut, np.minimum(whole, 6))


def test_the_largest_label_is_needed_inside_jit() -> None:
    with pytest.raises(ConfigError, match="max_label"):
        jax.jit(boundary_distance)(jnp.ones((3, 3), jnp.int32))
