"""Losses against their formulas; where their minimum lies is tested for every channel."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxseg.losses import (
    absolute_error,
    binary_cross_entropy,
    cross_entropy,
    focal,
    soft_dice,
    squared_error,
    tversky,
)


def test_cross_entropies_equal_optax(rng: np.random.Generator) -> None:
    logits = rng.normal(0, 5, (4, 7)).astype(np.float32)
    target = rng.uniform(0, 1, (4, 7)).astype(np.float32)
    np.testing.assert_allclose(
        binary_cross_entropy(logits, target),
        optax.sigmoid_binary_cross_entropy(logits, target),
        rtol=1e-4,
        atol=1e-6,
    )
    target /= target.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(
        cross_entropy(logits, target)[..., 0],
        optax.softmax_cross_entropy(logits, target),
        rtol=1e-4,
    )


def test_errors() -> None:
    np.testing.assert_array_equal(absolute_error(jnp.array([3.0, -1]), jnp.array([1.0, 1])), 2)
    np.testing.assert_array_equal(squared_error(jnp.array([3.0, -1]), jnp.array([1.0, 1])), 4)


@pytest.mark.parametrize("loss", [binary_cross_entropy, cross_entropy])
def test_large_logits_give_finite_losses_and_gradients(loss) -> None:
    logits = jnp.array([[-1e4, 1e4], [88.0, -3e38]])
    target = jnp.array([[1.0, 0.0], [0.0, 1.0]])
    value, gradient = jax.value_and_grad(lambda z: loss(z, target).sum())(logits)
    assert np.isfinite(gradient).all()
    assert value > 0


def test_dice_by_the_formula(rng: np.random.Generator) -> None:
    values = rng.uniform(0, 1, (2, 5, 6, 3)).astype(np.float32)
    target = np.eye(3, dtype=np.float32)[rng.integers(0, 3, (2, 5, 6))]
    mask = np.broadcast_to(rng.uniform(0, 1, (2, 5, 6, 1)) < 0.7, target.shape)
    loss, columns = soft_dice(values, target, mask)
    for sample in range(2):
        expected = 0.0
        for column in range(3):
            p, t = (array[sample, ..., column][mask[sample, ..., 0]] for array in (values, target))
            expected += 1 - (2 * (p * t).sum() + 1) / (p.sum() + t.sum() + 1)
        np.testing.assert_allclose(loss[sample], expected, rtol=1e-5)
    np.testing.assert_array_equal(columns, 3)


def test_dice_says_nothing_of_a_class_that_does_not_occur() -> None:
    target = jnp.zeros((1, 4, 2)).at[..., 0].set(1)
    loss, columns = soft_dice(jnp.full((1, 4, 2), 0.5), target, target >= 0)
    assert columns.tolist() == [1]
    np.testing.assert_allclose(loss, 1 - (2 * 2 + 1) / (2 + 4 + 1))
    loss, columns = soft_dice(target, jnp.zeros_like(target), target >= 0)
    assert (loss.tolist(), columns.tolist()) == ([0], [0])


def test_tversky_by_the_formula_and_as_dice(rng: np.random.Generator) -> None:
    values = rng.uniform(0, 1, (2, 5, 6, 3)).astype(np.float32)
    target = np.eye(3, dtype=np.float32)[rng.integers(0, 3, (2, 5, 6))]
    mask = np.broadcast_to(rng.uniform(0, 1, (2, 5, 6, 1)) < 0.7, target.shape)
    loss, columns = tversky(values, target, mask, false_positives=0.3, false_negatives=0.7)
    for sample in range(2):
        expected = 0.0
        for column in range(3):
            p, t = (array[sample, ..., column][mask[sample, ..., 0]] for array in (values, target))
            right = (p * t).sum()
            wrong = 0.3 * (p * (1 - t)).sum() + 0.7 * ((1 - p) * t).sum()
            expected += 1 - (right + 0.5) / (right + wrong + 0.5)
        np.testing.assert_allclose(loss[sample], expected, rtol=1e-5)
    np.testing.assert_array_equal(columns, 3)
    same, _ = tversky(values, target, mask, false_positives=0.5, false_negatives=0.5)
    np.testing.assert_allclose(same, soft_dice(values, target, mask)[0], rtol=1e-5)


def test_focal_counts_what_is_right_less(rng: np.random.Generator) -> None:
    right = rng.uniform(0.01, 1, 50).astype(np.float32)
    found = focal(-jnp.log(right), 2.0)
    np.testing.assert_allclose(found, -((1 - right) ** 2) * np.log(right), rtol=1e-4, atol=1e-7)
    np.testing.assert_array_equal(focal(-jnp.log(right), 0.0), -jnp.log(right))
    for entropy in (0.0, -1e-7, 80.0):
        assert np.isfinite(jax.grad(lambda value: focal(value, 1.5))(entropy))
