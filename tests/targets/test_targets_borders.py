"""Weights of the background between objects, against distances to every single object."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from jaxseg.targets import border_weights


def by_hand(labels: np.ndarray, spacing: tuple[float, ...], weight: float, sigma: float):
    """One distance transform per object."""
    found = [
        distance_transform_edt(labels != label, sampling=spacing) / min(spacing)
        for label in np.unique(labels[labels > 0])
    ]
    far = np.full(labels.shape, np.inf)
    first, second = np.sort(np.stack([*found, far, far]), axis=0)[:2]
    between = weight * np.exp(-((first + second) ** 2) / (2 * sigma**2))
    return np.where(labels > 0, 1, 1 + between)


def blobs(rng: np.random.Generator, shape: tuple[int, ...], density: float) -> np.ndarray:
    labels = np.zeros(shape, np.int32)
    chosen = rng.random(shape) < density
    labels[chosen] = rng.integers(1, 8, chosen.sum())
    return labels


@pytest.mark.parametrize(
    ("shape", "spacing"),
    [((24, 31), (1.0, 1.0)), ((24, 31), (0.5, 0.2)), ((7, 15, 12), (3.0, 1.0, 1.5))],
)
@pytest.mark.parametrize("sigma", [5.0, 1.0])
def test_weights_are_exact(
    shape: tuple[int, ...], spacing: tuple[float, ...], sigma: float, rng: np.random.Generator
) -> None:
    for density in (0.005, 0.02, 0.2):
        labels = blobs(rng, shape, density)
        found = border_weights(labels, spacing=spacing, weight=10.0, sigma=sigma)
        np.testing.assert_allclose(found, by_hand(labels, spacing, 10.0, sigma), atol=2e-5)
        assert found.min() >= 1


def test_few_objects_and_many() -> None:
    empty = np.zeros((12, 12), np.int32)
    one, full = empty.copy(), empty + 7
    one[3:6, 2:5] = 9
    for labels in (empty, one, full):
        np.testing.assert_array_equal(border_weights(labels), 1)
    many = np.arange(1, 301, dtype=np.uint64).reshape(15, 20) + np.uint64(2**40)
    many = np.kron(many, np.array([[1, 0], [0, 0]], np.uint64))
    found = border_weights(many)
    np.testing.assert_allclose(found, by_hand(many, (1.0, 1.0), 10.0, 5.0), atol=2e-5)
    assert (np.asarray(found)[many > 0] == 1).all()


def test_it_runs_inside_jit_on_batches_spread_over_devices(rng: np.random.Generator) -> None:
    labels = np.stack([blobs(rng, (10, 11), 0.05) for _ in range(4)])
    before = labels.copy()
    mesh = jax.make_mesh((2,), ("data",), devices=jax.devices()[:2])
    spread = jax.sharding.PartitionSpec("data")
    every = jax.vmap(lambda one: border_weights(one, sigma=2.0))
    split = jax.shard_map(every, mesh=mesh, in_specs=spread, out_specs=spread)
    there = jax.device_put(labels, jax.sharding.NamedSharding(mesh, spread))
    found = np.asarray(jax.jit(split)(there))
    for one, expected in zip(found, labels, strict=True):
        np.testing.assert_allclose(one, by_hand(expected, (1.0, 1.0), 10.0, 2.0), atol=2e-5)
    np.testing.assert_array_equal(labels, before)
