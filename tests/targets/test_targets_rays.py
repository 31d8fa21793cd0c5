"""Distances along rays."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import ConvexHull
from support.label_images import lab12

from jaxseg.targets import radial_distances, ray_directions, ray_unit

pytestmark = pytest.mark.usefixtures("quick_compilation")

SHAPES = {2: (7, 9), 3: (4, 5, 6)}
NRAYS = {2: 12, 3: 9}


def brute_force(labels: np.ndarray, nrays: int, spacing: tuple[float, ...]) -> np.ndarray:
    """The nearest box of another label, or of the outside, that a ray passes through."""
    around = np.pad(labels, 1, constant_values=-1)
    boxes = np.argwhere(np.ones_like(around)) - 1.0
    directions = ray_directions(labels.ndim, nrays)
    still = directions == 0
    slowness = 1 / np.where(still, 1, directions)
    planes = np.zeros((*labels.shape, nrays))
    for voxel in np.argwhere(labels > 0):
        other = boxes[around.ravel() != labels[tuple(voxel)]][:, None] - voxel
        near, far = (other - 0.5) * spacing, (other + 0.5) * spacing
        # Along an axis on which a ray does not move, it is inside for ever or never.
        level = near * far < 0
        first = np.minimum(near * slowness, far * slowness)
        last = np.maximum(near * slowness, far * slowness)
        first = np.where(still, np.where(level, -np.inf, np.inf), first).max(axis=-1)
        last = np.where(still, np.where(level, np.inf, -np.inf), last).min(axis=-1)
        hit = (first > 0) & (last > first + 1e-6)
        planes[tuple(voxel)] = np.where(hit, first, np.inf).min(axis=0)
    return planes


def blocks(seed: int, ndim: int) -> np.ndarray:
    """A few touching objects of odd shapes."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 3, [-(-n // 2) for n in SHAPES[ndim]], np.int32)
    labels = np.kron(coarse, np.ones((2,) * ndim, np.int32))[tuple(map(slice, SHAPES[ndim]))]
    return np.where(rng.random(labels.shape) < 0.1, 3, labels)


@given(seed=st.integers(0, 999))
@pytest.mark.parametrize(("ndim", "spacing"), [(2, (1, 1)), (2, (2, 0.7)), (3, (2, 0.5, 0.5))])
def test_equals_brute_force(ndim: int, spacing: tuple[float, ...], seed: int) -> None:
    labels = blocks(seed, ndim)
    expected = brute_force(labels, NRAYS[ndim], spacing)
    found = radial_distances(jnp.asarray(labels), spacing=spacing, nrays=NRAYS[ndim])
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_reference_image() -> None:
    root = np.sqrt(2)
    four = radial_distances(lab12(), nrays=4)[3, 3]
    np.testing.assert_allclose(four, [2.5, 1.5, 2.5, 2.5])
    eight = radial_distances(lab12(), nrays=8)[3, 3]
    np.testing.assert_allclose(eight[1::2], [1.5 * root, 1.5 * root, 2.5 * root, 2.5 * root])
    dot = np.zeros((3, 3), int)
    dot[1, 1] = 2**40
    np.testing.assert_allclose(radial_distances(dot, nrays=8)[1, 1], [0.5, root / 2] * 4)


def test_host_device_and_batch_agree() -> None:
    batch = np.stack([blocks(seed, 2) for seed in range(3)])
    mapped = jax.jit(jax.vmap(lambda labels: radial_distances(labels, nrays=16)))(batch)
    for labels, found in zip(batch, mapped, strict=True):
        np.testing.assert_allclose(radial_distances(labels, nrays=16), found, atol=1e-5)


def test_lengths_are_physical_and_a_known_unit_makes_them_small() -> None:
    labels = np.zeros((9, 9), int)
    labels[2:7, 1:8] = 1
    once = radial_distances(labels, spacing=(1.0, 1.0))
    twice = radial_distances(labels, spacing=(2.0, 2.0))
    np.testing.assert_allclose(twice, 2 * once, rtol=1e-6)
    scaled = radial_distances(labels, spacing=(2.0, 2.0), norm=True)
    np.testing.assert_allclose(scaled * ray_unit((2.0, 2.0)), twice, rtol=1e-6)
    across = radial_distances(labels, spacing=(3.0, 0.5), nrays=4)[4, 4]
    np.testing.assert_allclose(across, [1.75, 7.5, 1.75, 7.5])


@pytest.mark.parametrize("labels", [np.zeros((5, 6), int), np.ones((1, 1), int), np.eye(7) > 0])
def test_odd_images(labels: np.ndarray) -> None:
    found = np.asarray(radial_distances(labels))
    assert found.shape == (*labels.shape, 32)
    assert np.array_equal((found > 0).all(axis=-1), labels > 0)
    np.testing.assert_allclose(found[labels > 0].min(initial=0.5), 0.5)


def test_directions_are_spread_over_the_sphere() -> None:
    assert ray_directions(2).shape == (32, 2)
    assert ray_directions(3).shape == (96, 3)
    np.testing.assert_allclose(ray_directions(2, 8)[1], [np.sqrt(0.5)] * 2)
    assert ray_directions(3)[0, 0] > 0.98
    for number in (6, 7, 20, 96):
        directions = ray_directions(3, number)
        np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1)
        assert ConvexHull(directions).equations[:, -1].max() < -0.05
