"""The distance to other objects and what is made of it, against one transform per object."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from support.label_images import blocks, lab12

from jaxseg.config import ch
from jaxseg.errors import ConfigError
from jaxseg.targets import neighbour_closeness, other_object_distance

pytestmark = pytest.mark.usefixtures("quick_compilation")

SHAPES = ((13, 15), (3, 20), (6, 7, 8))


def to_others(labels: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """By one distance transform of the whole image per object."""
    found = np.zeros(labels.shape)
    for label in np.unique(labels[labels > 0]):
        inside, others = labels == label, (labels > 0) & (labels != label)
        distance = ndimage.distance_transform_edt(~others, sampling=spacing)
        found[inside] = distance[inside] if others.any() else np.inf
    return found


@given(shape=st.sampled_from(SHAPES), seed=st.integers(0, 999))
def test_distance_equals_one_transform_per_object(shape: tuple[int, ...], seed: int) -> None:
    labels, spacing = blocks(shape, seed), (1.5, 0.5, 1.0)[: len(shape)]
    # Fewer objects, so that distances are long, too.
    labels[np.random.default_rng(seed).random(shape) < 0.6] = 0
    expected = to_others(labels, spacing)
    np.testing.assert_allclose(other_object_distance(labels, spacing=spacing), expected, rtol=1e-5)


def test_reference_image() -> None:
    found = np.asarray(neighbour_closeness(lab12(), closing_size=0, decline_power=1.0))
    np.testing.assert_allclose(
        found[1:10, 3], [0, 0.25, 0.5, 0.75, 0.8, 0.6, 0.4, 0.2, 0], atol=1e-6
    )
    found = np.asarray(neighbour_closeness(lab12()))
    np.testing.assert_allclose(found[4:6, 3], [0.422, 0.512], atol=1e-3)
    assert not found[lab12() == 0].any()


@given(seed=st.integers(0, 999), norm=st.booleans())
def test_closeness_by_its_definition(seed: int, norm: bool) -> None:
    labels, spacing = blocks((12, 16), seed), (1.0, 2.0)
    distance = to_others(labels, spacing)
    known = (labels > 0) & np.isfinite(distance)
    most = np.max(distance[known], initial=0)
    close = np.zeros(labels.shape)
    for label in np.unique(labels[known]):
        inside = labels == label
        close[inside] = 1 - distance[inside] / (distance[inside].max() if norm else most)
    close = ndimage.grey_closing(np.pad(close, 3), size=(3, 3))[3:-3, 3:-3] ** 2
    found = neighbour_closeness(labels, spacing=spacing, norm=norm, decline_power=2.0)
    np.testing.assert_allclose(found, close if norm else close * most, atol=1e-5)


def test_narrow_gaps_are_closed() -> None:
    labels = np.zeros((7, 9), int)
    labels[:, :4], labels[:, 5:] = 1, 2
    assert (np.asarray(neighbour_closeness(labels))[:, 4] > 0).all()
    assert not np.asarray(neighbour_closeness(labels, closing_size=0))[:, 4].any()


def test_without_another_object_nothing_is_close() -> None:
    one = np.zeros((8, 9), int)
    one[2:5, 3:6] = 70_000
    for labels in (0 * one, one, one + 2**40):
        for norm in (True, False):
            assert (np.asarray(neighbour_closeness(labels, norm=norm)) == 0).all() or labels.min()
    assert not neighbour_closeness(np.ones((8, 9), int)).any()


def test_three_hundred_objects_inside_jit() -> None:
    ids = np.arange(1, 301).reshape(15, 20)
    labels = ids.repeat(3, 0).repeat(3, 1)
    inside = jax.jit(lambda labels: neighbour_closeness(labels, max_label=300, closing_size=0))
    found = np.asarray(inside(jnp.asarray(labels)))
    expected = neighbour_closeness(labels + 2**40, closing_size=0)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert found[4, 4] == 0
    assert np.isclose(found[3, 3], 0.125)


def test_options_are_checked() -> None:
    for wrong in ({"closing_size": 2}, {"closing_size": -1}, {"decline_power": 0.0}):
        with pytest.raises(ConfigError, match="out of range"):
            ch("Dn", **wrong)
