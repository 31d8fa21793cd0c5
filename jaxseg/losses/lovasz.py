"""The Lovász hinge: a convex stand-in for one minus the IoU."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax


def lovasz_hinge(
    logits: jax.Array, target: jax.Array, counts: jax.Array | None = None
) -> jax.Array:
    """The Lovász extension of the Jaccard loss at the hinge errors (Berman et al. 2018).

    Errors ``1 - logits`` inside and ``1 + logits`` outside the target are sorted, largest first;
    each is weighted by how much it adds to one minus the IoU when all larger ones are mistakes.

    Parameters
    ----------
    logits : (..., P) float, positive where a voxel is thought to be inside
    target : (..., P) bool
    counts : (..., P) bool, the voxels that count; None = all

    Returns
    -------
    (...) float, 0 where every voxel has a margin of 1; without any target the largest error

    >>> lovasz_hinge(jnp.array([2.0, -0.5, -3.0]), jnp.array([True, True, False])).tolist()
    0.75
    """
    errors = 1 - jnp.where(target, logits, -logits)
    if counts is not None:
        # Behind all others and without a value of their own.
        errors, target = jnp.where(counts, errors, -1), target & counts
    order = jnp.argsort(-lax.stop_gradient(errors), axis=-1)
    inside = jnp.take_along_axis(target, order, axis=-1)
    steps = jaccard_steps(inside)
    return (jax.nn.relu(jnp.take_along_axis(errors, order, axis=-1)) * steps).sum(axis=-1)


def jaccard_steps(inside: jax.Array) -> jax.Array:
    """What each mistake adds to one minus the IoU, after all before it.

    Parameters
    ----------
    inside : (..., P) bool, whether the voxel belongs to the target

    Returns
    -------
    (..., P) float32; the sum is 1

    >>> jaccard_steps(jnp.array([False, True, False, False])).tolist()
    [0.5, 0.5, 0.0, 0.0]
    """
    total = inside.sum(axis=-1, keepdims=True)
    outside = jnp.cumsum(~inside, axis=-1)
    union = (total + outside).astype(jnp.float32)
    left = (total - jnp.cumsum(inside, axis=-1)).astype(jnp.float32)
    # A voxel more in the union, instead of the difference of two nearly equal quotients.
    grown = left / (union * jnp.maximum(union - 1, 1))
    alone = (total == 0) & (outside == 1)
    return jnp.where(inside, 1 / jnp.maximum(union, 1), jnp.where(alone, 1.0, grown))
