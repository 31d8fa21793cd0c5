"""Weights of the background between objects, after the U-Net of Ronneberger et al. (2015)."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxseg.targets.ids import compact

# Beyond so many sigmas the weight is that of any other voxel, to the last digit.
FAR = 6.0


class Nearest(NamedTuple):
    """Of every voxel, the nearest object and the nearest other one, squared distances and ids."""

    first: jax.Array
    first_id: jax.Array
    second: jax.Array
    second_id: jax.Array


def border_weights(
    labels: Any,
    *,
    spacing: Sequence[float] | None = None,
    weight: float = 10.0,
    sigma: float = 5.0,
) -> jax.Array:
    """How much every voxel counts, so that a network learns to part objects that almost touch.

    In the background ``1 + weight * exp(-(d1 + d2)^2 / (2 sigma^2))``, with d1 and d2 the distances
    to the nearest object and to the nearest other object, from voxel centre to voxel centre. Inside
    objects, and where there is no second object, 1.

    Distances are in the finest voxels: physical ones over the smallest spacing. So the default
    sigma, which is that of the paper, means the same in images of any resolution. Both distances
    are exact up to 6 sigma, beyond which their weight is below the precision of the result.

    Parameters
    ----------
    labels : (*S) int
    spacing : size of a voxel along each axis; None = 1
    weight : w0 of the paper, at least 0
    sigma : in the finest voxels, above 0

    Returns
    -------
    (*S) float32, from 1 to ``1 + weight``

    >>> import numpy as np
    >>> border_weights(np.array([1, 0, 0, 2]), sigma=3.0, weight=1.0)
    Array([1.       , 1.6065307, 1.6065307, 1.       ], dtype=float32)
    """
    labels = jnp.asarray(compact(labels))
    sizes = tuple(spacing) if spacing is not None else (1.0,) * labels.ndim
    steps = tuple(size / min(sizes) for size in sizes)
    reach = tuple(
        min(math.ceil(FAR * sigma / step), n - 1)
        for step, n in zip(steps, labels.shape, strict=True)
    )
    return _weights(labels, steps, reach, weight, sigma)


@functools.partial(jax.jit, static_argnames=("steps", "reach", "weight", "sigma"))
def _weights(
    labels: jax.Array,
    steps: tuple[float, ...],
    reach: tuple[int, ...],
    weight: float,
    sigma: float,
) -> jax.Array:
    first = jnp.where(labels > 0, 0, jnp.float32(jnp.inf))
    # Made from the labels, so that the loop below may start inside shard_map.
    state = Nearest(first, labels, first + jnp.inf, 0 * labels)
    for axis in range(labels.ndim):
        state = _along(state, axis, steps[axis], reach[axis])
    total = jnp.sqrt(state.first) + jnp.sqrt(state.second)
    between = weight * jnp.exp(-jnp.square(total) / (2 * sigma**2))
    return jnp.where(labels > 0, 1, 1 + between)


def _along(state: Nearest, axis: int, step: float, reach: int) -> Nearest:
    """One pass of the separable transform: what the voxels on the line along an axis know.

    Of a third object of a voxel on the line nothing has to be known, since its first two are nearer
    from everywhere on the line.
    """
    length = state.first.shape[axis]
    widths = [(reach, reach) if place == axis else (0, 0) for place in range(state.first.ndim)]
    around = [
        jnp.pad(values, widths, constant_values=fill)
        for values, fill in zip(state, (jnp.inf, 0, jnp.inf, 0), strict=True)
    ]

    def look(shift: jax.Array, found: Nearest) -> Nearest:
        away = jnp.square(shift * jnp.float32(step))
        for start in (reach - shift, reach + shift):
            there = Nearest(
                *(lax.dynamic_slice_in_dim(values, start, length, axis) for values in around)
            )
            found = _with(found, there.first + away, there.first_id)
            found = _with(found, there.second + away, there.second_id)
        return found

    return lax.fori_loop(1, reach + 1, look, state)


def _with(found: Nearest, square: jax.Array, label: jax.Array) -> Nearest:
    """The two nearest objects once another one has been seen."""
    same = label == found.first_id
    nearer = square < found.first
    pushed = nearer & ~same
    second = ~nearer & ~same & (square < found.second)
    return Nearest(
        jnp.where(nearer, square, found.first),
        jnp.where(nearer, label, found.first_id),
        jnp.where(pushed, found.first, jnp.where(second, square, found.second)),
        jnp.where(pushed, found.first_id, jnp.where(second, label, found.second_id)),
    )
