"""Losses of single voxels; whoever averages them decides which voxels count."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def binary_cross_entropy(logits: jax.Array, target: jax.Array) -> jax.Array:
    """Cross entropy of ``sigmoid(logits)``, finite for all finite logits.

    Parameters
    ----------
    logits : (...) float
    target : (...) in [0, 1]

    Returns
    -------
    (...) float, smallest where ``sigmoid(logits) == target``

    >>> binary_cross_entropy(jnp.array([0.0, 100.0]), jnp.array([1.0, 1.0])).round(3).tolist()
    [0.6930000185966492, 0.0]
    """
    return jax.nn.softplus(logits) - logits * target


def cross_entropy(logits: jax.Array, target: jax.Array) -> jax.Array:
    """Cross entropy of ``softmax(logits)`` over the last axis.

    Parameters
    ----------
    logits : (..., k) float
    target : (..., k) probabilities; all 0 where the voxel does not count

    Returns
    -------
    (..., 1) float

    >>> cross_entropy(jnp.zeros((1, 2)), jnp.array([[0.0, 1.0]])).round(3).tolist()
    [[0.6930000185966492]]
    """
    return -(target * jax.nn.log_softmax(logits, axis=-1)).sum(axis=-1, keepdims=True)


def absolute_error(values: jax.Array, target: jax.Array) -> jax.Array:
    """``|values - target|``.

    Parameters
    ----------
    values, target : (...) float

    Returns
    -------
    (...) float
    """
    difference = values - target
    # Unlike that of abs, its gradient is 0 where there is no difference.
    return difference * jnp.sign(difference)


def squared_error(values: jax.Array, target: jax.Array) -> jax.Array:
    """``(values - target) ** 2``.

    Parameters
    ----------
    values, target : (...) float

    Returns
    -------
    (...) float
    """
    return jnp.square(values - target)
