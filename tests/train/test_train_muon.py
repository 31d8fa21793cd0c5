"""Muon: the steps of optax's, for less."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
from hypothesis import given, settings
from hypothesis import strategies as st
from optax.contrib import MuonDimensionNumbers
from optax.contrib import scale_by_muon as theirs

from jaxseg.config import Train, UNet, UNeXtV2
from jaxseg.models import build
from jaxseg.train import optimizer
from jaxseg.train.muon import SIZE, orthogonal, roles, scale_by_muon

SHAPES = {"conv": (3, 3, 4, 12), "wide": (1, 1, 3, 40), "dense": (20, 7), "deep": (2, 3, 3, 4, 4)}


def gradients(seed: int) -> dict[str, jax.Array]:
    rng = np.random.default_rng(seed)
    return {name: jnp.asarray(rng.normal(size=s), jnp.float32) for name, s in SHAPES.items()}


def test_it_is_optax_s() -> None:
    """Their momentum, one average further on as the source has it, where optax has its own."""
    ours = scale_by_muon()
    dimensions = {
        name: MuonDimensionNumbers(tuple(range(len(shape) - 1)), len(shape) - 1)
        for name, shape in SHAPES.items()
    }
    reference = theirs(weight_dimension_numbers=dimensions, nesterov=False)
    params = gradients(0)
    state, other = ours.init(params), reference.init(params)
    for step in range(3):
        found, state = ours.update(gradients(step), state)
        _, other = reference.update(gradients(step), other)
        ahead, _ = reference.update(gradients(step), other)
        for name, shape in SHAPES.items():
            rows, columns = int(np.prod(shape[:-1])), shape[-1]
            wanted = SIZE * np.sqrt(max(rows, columns)) * np.asarray(ahead[name])
            np.testing.assert_allclose(found[name], wanted, atol=2e-4 * np.abs(wanted).max())


@settings(max_examples=10)
@given(rows=st.integers(1, 40), columns=st.integers(1, 40), seed=st.integers(0, 100))
def test_directions_are_orthogonal(rows: int, columns: int, seed: int) -> None:
    matrix = np.random.default_rng(seed).normal(size=(rows, columns)).astype(np.float32)
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    found = np.asarray(orthogonal(jnp.asarray(matrix)))
    inside = left.T @ found @ right.T
    assert np.abs(inside - np.diag(np.diag(inside))).max() < 1e-3
    learned = values > 0.01 * np.linalg.norm(matrix)
    assert np.all((np.diag(inside)[learned] > 0.6) & (np.diag(inside)[learned] < 1.3))


def test_few_directions_of_many() -> None:
    """Rounding in those that are not there does not grow."""
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(1152, 3)) @ rng.normal(size=(3, 256))
    found = np.linalg.svd(np.asarray(orthogonal(jnp.asarray(matrix, jnp.float32))))[1]
    assert np.all((found[:3] > 0.6) & (found[:3] < 1.3))
    assert found[3] < 0.05


def test_zero_gradients_stay_zero() -> None:
    assert not np.asarray(orthogonal(jnp.zeros((4, 9)))).any()


def test_what_is_a_matrix() -> None:
    """Nearly all of a network, but nothing that acts on each channel alone."""
    for config in (UNet(features=(8, 16)), UNeXtV2()):
        like = jnp.zeros((1, 64, 64, 1))
        model = build(config, 2, ndim=2)
        params = jax.eval_shape(lambda key, m=model, x=like: m.init(key, x), jax.random.key(0))[
            "params"
        ]
        flat = jax.tree_util.tree_leaves_with_path(params)
        found = jax.tree.leaves(roles(params))
        sizes = {"kernel": 0, "other": 0}
        for (path, leaf), role in zip(flat, found, strict=True):
            sizes[role] += leaf.size
            name = jax.tree_util.keystr(path)
            assert (role == "kernel") == (
                "kernel" in name
                and "depthwise" not in name
                and "head" not in name
                and leaf.shape[-2] > 1
            )
        assert sizes["kernel"] > 20 * sizes["other"]


def test_a_kernel_and_its_bias_learn() -> None:
    """The kernel along an orthogonal matrix, its bias as by AdamW."""
    plain = {"schedule": "constant", "warmup": 0, "clip": 0.0, "lr": 0.1, "weight_decay": 0.0}
    params = {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2)}
    slope = {"kernel": jnp.eye(2), "bias": jnp.array([0.5, -1.0])}
    found = {}
    for name in ("muon", "adamw"):
        tx = optimizer(Train(optimizer=name, **plain), 10)
        updates, _ = tx.update(slope, tx.init(params), params)
        found[name] = optax.apply_updates(params, updates)
    np.testing.assert_array_equal(found["muon"]["bias"], found["adamw"]["bias"])
    change = np.asarray(found["muon"]["kernel"]) - 1
    np.testing.assert_allclose(np.diag(np.diag(change)), change, atol=1e-6)
    np.testing.assert_allclose(np.diag(change), -0.1 * SIZE * np.sqrt(2), rtol=0.3)


def test_frozen_parts_stay() -> None:
    plain = {"schedule": "constant", "warmup": 0, "lr": 0.1}
    tx = optimizer(Train(optimizer="muon", freeze=("down_*",), **plain), 10)
    params = {name: {"kernel": jnp.ones((3, 4)), "bias": jnp.ones(4)} for name in ("down_0", "up")}
    slope = jax.tree.map(lambda leaf: jnp.arange(leaf.size, dtype="f4").reshape(leaf.shape), params)
    updates, _ = tx.update(slope, tx.init(params), params, norm=None, total_steps=0)
    assert not any(leaf.any() for leaf in jax.tree.leaves(updates["down_0"]))
    assert all(leaf.any() for leaf in jax.tree.leaves(updates["up"]))
