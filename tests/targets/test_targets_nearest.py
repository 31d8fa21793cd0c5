"""The distance to the nearest other label against brute force, on the host and on the device."""

from __future__ import annotations

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxseg.targets import other_label_distance

pytestmark = pytest.mark.usefixtures("quick_compilation")

# Few shapes: every one is compiled.
CASES = (
    ((9,), (0.3,), None),
    ((7, 10), (1.0, 1.0), None),
    ((7, 10), (3.0, 0.5), 2),
    ((1, 6), (1.0, 2.0), 3),
    ((4, 5, 6), (3.0, 0.5, 1.25), None),
    ((4, 5, 6), (1.0, 1.0, 1.0), 2),
)


def brute_force(labels: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """The definition; inf where there is no other label."""
    places = np.array(list(np.ndindex(labels.shape)))
    steps = (places[:, None] - places[None]) * np.array(spacing)
    distance = np.sqrt((steps**2).sum(axis=-1))
    same = labels.ravel()[:, None] == labels.ravel()[None]
    return np.where(same, np.inf, distance).min(axis=1).reshape(labels.shape)


def capped(distance: np.ndarray, spacing: tuple[float, ...], reach: int | None) -> np.ndarray:
    shape = distance.shape
    axes = [
        (reach + 1) * size
        for n, size in zip(shape, spacing, strict=True)
        if reach is not None and reach < n - 1
    ]
    diagonal = math.hypot(*(n * size for n, size in zip(shape, spacing, strict=True)))
    return np.minimum(distance, min(axes, default=diagonal))


@given(case=st.sampled_from(CASES), kinds=st.integers(1, 4), seed=st.integers(0, 999))
def test_equals_brute_force(case: tuple, kinds: int, seed: int) -> None:
    shape, spacing, reach = case
    rng = np.random.default_rng(seed)
    # Coarse blocks, so that there are distances above one.
    coarse = rng.integers(0, kinds, [-(-n // 3) for n in shape], dtype=np.int32)
    labels = np.kron(coarse, np.ones((3,) * len(shape), np.int32))
    labels = labels[tuple(slice(n) for n in shape)]
    expected = capped(brute_force(labels, spacing), spacing, reach)
    for array in (labels, jnp.asarray(labels)):
        found = other_label_distance(array, spacing=spacing, max_distance=reach)
        np.testing.assert_allclose(found, expected, rtol=1e-5)
        inside = other_label_distance(array, spacing=spacing, max_distance=reach, background=False)
        np.testing.assert_allclose(inside, np.where(labels > 0, expected, 0), rtol=1e-5)


@pytest.mark.parametrize("fill", [0, 7])
def test_one_label_everywhere_has_the_cap(fill: int) -> None:
    labels = np.full((6, 8), fill, np.int32)
    for array in (labels, jnp.asarray(labels)):
        np.testing.assert_allclose(other_label_distance(array), 10.0)
        np.testing.assert_allclose(other_label_distance(array, max_distance=(5, 3)), 4.0)


def test_jit_vmap_and_host_agree(rng: np.random.Generator) -> None:
    labels = rng.integers(0, 3, (3, 12, 17), dtype=np.int32)
    labels = labels.repeat(2, axis=1).repeat(2, axis=2)

    @jax.jit
    @jax.vmap
    def batched(one: jax.Array) -> jax.Array:
        return other_label_distance(one, spacing=(2.0, 1.0), max_distance=(3, 6))

    expected = [
        other_label_distance(one, spacing=(2.0, 1.0), max_distance=(3, 6)) for one in labels
    ]
    np.testing.assert_allclose(batched(labels), expected, rtol=1e-6)


def test_the_order_of_axes_does_not_matter(rng: np.random.Generator) -> None:
    labels = rng.integers(0, 2, (4, 6, 5), dtype=np.int32)
    spacing = (2.0, 1.0, 0.7)
    whole = other_label_distance(jnp.asarray(labels), spacing=spacing)
    for order in itertools.permutations(range(3)):
        turned = jnp.asarray(labels.transpose(order))
        found = other_label_distance(turned, spacing=[spacing[axis] for axis in order])
        np.testing.assert_allclose(found, whole.transpose(order), rtol=1e-6)
