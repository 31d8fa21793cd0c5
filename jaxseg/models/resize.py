"""Upsampling without parameters."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax


def linear(image: jax.Array, factors: Sequence[int]) -> jax.Array:
    """Linear interpolation to an even multiple of the size, or the same size, along each axis.

    Voxels are boxes of unit size: new values lie at a quarter and three quarters of a box for a
    factor of 2; beyond the outermost centres the value is constant.

    Parameters
    ----------
    image : (N, *S, C)
    factors : 1 or an even number for each axis of S

    Returns
    -------
    (N, *S * factors, C)

    >>> linear(jnp.array([0.0, 4.0])[None, :, None], (2,))[0, :, 0].tolist()
    [0.0, 1.0, 3.0, 4.0]
    """
    for axis, factor in enumerate(factors, start=1):
        if factor == 1:
            continue
        size = image.shape[axis]
        border = [(0, 0)] * image.ndim
        border[axis] = (1, 1)
        padded = jnp.pad(image, border, mode="edge")
        before = lax.slice_in_dim(padded, 0, size, axis=axis)
        after = lax.slice_in_dim(padded, 2, size + 2, axis=axis)
        places = [(2 * place + 1) / (2 * factor) - 0.5 for place in range(factor)]
        parts = [
            (1 - abs(place)) * image + abs(place) * (before if place < 0 else after)
            for place in places
        ]
        shape = (*image.shape[:axis], factor * size, *image.shape[axis + 1 :])
        image = jnp.stack(parts, axis=axis + 1).reshape(shape)
    return image


def nearest(image: jax.Array, factors: Sequence[int]) -> jax.Array:
    """Every voxel repeated along each axis, (N, *S, C) to (N, *S * factors, C)."""
    for axis, factor in enumerate(factors, start=1):
        if factor > 1:
            image = jnp.repeat(image, factor, axis=axis)
    return image


def linear_between_ends(image: jax.Array, factors: Sequence[int]) -> jax.Array:
    """Linear interpolation that puts the first and the last voxel of both grids on each other.

    What a voxel becomes depends on the size of the image, so tiles do not fit together; for weights
    that were trained so.

    >>> linear_between_ends(jnp.array([0.0, 3.0])[None, :, None], (2,))[0, :, 0].tolist()
    [0.0, 1.0, 2.0, 3.0]
    """
    for axis, factor in enumerate(factors, start=1):
        size = image.shape[axis]
        if factor == 1:
            continue
        place = jnp.linspace(0, size - 1, factor * size)
        lower = jnp.clip(jnp.floor(place).astype(jnp.int32), 0, max(size - 2, 0))
        upper = jnp.minimum(lower + 1, size - 1)
        shape = [-1 if at == axis else 1 for at in range(image.ndim)]
        part = (place - lower).astype(image.dtype).reshape(shape)
        image = jnp.take(image, lower, axis) * (1 - part) + jnp.take(image, upper, axis) * part
    return image
