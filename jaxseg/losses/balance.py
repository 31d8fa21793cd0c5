"""Weights by which rare answers count as much as frequent ones."""

from __future__ import annotations

import jax
import jax.numpy as jnp

# A share of the rarer answer below it is taken for this one.
LEAST_SHARE = 0.05


def balance_weights(target: jax.Array, mask: jax.Array) -> jax.Array:
    """Weights of yes and no that make both count the same in a sample.

    With f the share of yes among the values that count, at least 0.05 and at most 0.95, the rarer
    answer has the weight ``max(f, 1 - f) / min(f, 1 - f)``, so 1 to 19, and the other one 1. Every
    sample has its own share, so that the weights depend neither on the batch nor on the devices.

    Parameters
    ----------
    target : (N, *S, k) above 0.5 is yes
    mask : (N, *S, k) bool, the values that count

    Returns
    -------
    (N, *S, k) float32; 1 in a sample that has only one of the answers

    >>> target = jnp.array([[[1.0], [0.0], [0.0], [0.0], [9.0]]])
    >>> mask = jnp.array([[[True], [True], [True], [True], [False]]])
    >>> balance_weights(target, mask)[0, :4, 0].tolist()
    [3.0, 1.0, 1.0, 1.0]
    """
    inside = tuple(range(1, target.ndim))
    yes = target > 0.5
    number = (yes & mask).sum(axis=inside, keepdims=True, dtype=jnp.float32)
    total = mask.sum(axis=inside, keepdims=True, dtype=jnp.float32)
    share = jnp.clip(number / jnp.maximum(total, 1), LEAST_SHARE, 1 - LEAST_SHARE)
    heavy = jnp.maximum(share, 1 - share) / jnp.minimum(share, 1 - share)
    both = (number > 0) & (number < total)
    return jnp.where(both & (yes == (share < 0.5)), heavy, 1)
