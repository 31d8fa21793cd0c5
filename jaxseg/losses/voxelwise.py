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


def binary_divergence(logits: jax.Array, target: jax.Array) -> jax.Array:
    """Cross entropy of ``sigmoid(logits)`` above the least that soft answers allow.

    It is the divergence of Kullback and Leibler (1951); its gradient is that of cross entropy.

    Parameters
    ----------
    logits : (...) float
    target : (...) in [0, 1]

    Returns
    -------
    (...) float, 0 where ``sigmoid(logits) == target``

    >>> binary_divergence(jnp.array([0.0, 0.0]), jnp.array([0.5, 1.0])).round(3).tolist()
    [0.0, 0.6930000185966492]
    """
    entropy = jax.scipy.special.entr(target) + jax.scipy.special.entr(1 - target)
    return binary_cross_entropy(logits, target) - entropy


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


def focal(cross_entropy: jax.Array, gamma: float) -> jax.Array:
    """Cross entropy that counts less where the answer is right already (Lin et al. 2017).

    Parameters
    ----------
    cross_entropy : (...) float, of hard answers
    gamma : exponent of the probability of the wrong answer, at least 1; 0 changes nothing

    Returns
    -------
    (...) float

    >>> focal(jnp.log(jnp.array([2.0, 1.25])), 2.0).round(4).tolist()
    [0.17329999804496765, 0.008899999782443047]
    """
    if not gamma:
        return cross_entropy
    wrong = jnp.maximum(-jnp.expm1(-cross_entropy), 0)
    return wrong**gamma * cross_entropy
