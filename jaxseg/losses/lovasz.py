"""The Lovász hinge: a convex stand-in for one minus the IoU."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

# Errors up to here are left out: as steps sum to 1, they change the loss by no more.
NEGLIGIBLE = 1e-7
# Where all but one in SHARE voxels have such an error, the others are sorted alone; not worth it
# for fewer than LEAST.
SHARE, LEAST = 8, 512


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
    total, size = target.sum(axis=-1, keepdims=True), errors.shape[-1] // SHARE
    if size < LEAST:
        return _in_order(errors, target, total)
    matters = lax.stop_gradient(errors) > NEGLIGIBLE
    few = (matters.sum(axis=-1) <= size).all()

    def packed(errors: jax.Array, target: jax.Array, total: jax.Array) -> jax.Array:
        places = _first(matters, size)
        there = places < errors.shape[-1]
        near = jnp.minimum(places, errors.shape[-1] - 1)
        some = jnp.where(there, jnp.take_along_axis(errors, near, axis=-1), -1)
        return _in_order(some, there & jnp.take_along_axis(target, near, axis=-1), total)

    return lax.cond(few, packed, _in_order, errors, target, total)


def _in_order(errors: jax.Array, target: jax.Array, total: jax.Array) -> jax.Array:
    """The sum over voxels of error and step, the largest error first."""
    order = jnp.argsort(-lax.stop_gradient(errors), axis=-1)
    steps = jaccard_steps(jnp.take_along_axis(target, order, axis=-1), total)
    return (jax.nn.relu(jnp.take_along_axis(errors, order, axis=-1)) * steps).sum(axis=-1)


def _first(matters: jax.Array, size: int) -> jax.Array:
    """Places of the first voxels that matter, (..., P) to (..., size); P where there are less."""
    number = jnp.cumsum(matters, axis=-1)
    wanted = jnp.arange(1, size + 1)
    return jnp.vectorize(lambda row: jnp.searchsorted(row, wanted), signature="(p)->(k)")(number)


def jaccard_steps(inside: jax.Array, total: jax.Array) -> jax.Array:
    """What each mistake adds to one minus the IoU, after all before it.

    Parameters
    ----------
    inside : (..., P) bool, whether the voxel belongs to the target
    total : (..., 1) int, voxels of the target, also those that are not among these

    Returns
    -------
    (..., P) float32; the sum is 1 if all voxels are there

    >>> jaccard_steps(jnp.array([False, True, False, False]), jnp.array([1])).tolist()
    [0.5, 0.5, 0.0, 0.0]
    """
    outside = jnp.cumsum(~inside, axis=-1)
    union = (total + outside).astype(jnp.float32)
    left = (total - jnp.cumsum(inside, axis=-1)).astype(jnp.float32)
    # A voxel more in the union, instead of the difference of two nearly equal quotients.
    grown = left / (union * jnp.maximum(union - 1, 1))
    alone = (total == 0) & (outside == 1)
    return jnp.where(inside, 1 / jnp.maximum(union, 1), jnp.where(alone, 1.0, grown))
