"""Distance channels: how deep inside its object, or how far outside all objects, a voxel lies."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.targets.ids import compact, segments
from jaxseg.targets.nearest import other_label_distance


def boundary_distance(
    labels: Any,
    *,
    spacing: Sequence[float] | None = None,
    max_distance: int | Sequence[int] | None = None,
    max_label: int | None = None,
    norm: bool = True,
) -> jax.Array:
    """Distance of every voxel of an object to the nearest voxel that is not of it.

    Touching objects are separated; the image border is no boundary.

    Parameters
    ----------
    labels : (*S) int
    spacing : size of a voxel along each axis, µm; None = 1
    max_distance : how far to look along each axis, in voxels; longer distances are cut, see
        :func:`other_label_distance`; None = the whole image
    max_label : a number that no label exceeds, needed inside jit to normalise
    norm : scale every object to [0, 1]: with s the smallest spacing and m the largest distance in
        the object, ``(d - s) / (m - s)``, so that 0 is at the boundary and 1 at the centre; where
        m = s, in objects one or two voxels thin, 1. Else µm, at least s

    Returns
    -------
    (*S) float32; 0 in the background

    >>> labels = np.array([0, 1, 1, 1, 1, 1, 2, 0])
    >>> boundary_distance(labels, norm=False).tolist()
    [0.0, 1.0, 2.0, 3.0, 2.0, 1.0, 1.0, 0.0]
    >>> boundary_distance(labels).tolist()
    [0.0, 0.0, 0.5, 1.0, 0.5, 0.0, 1.0, 0.0]
    """
    labels = compact(labels)
    distance = other_label_distance(
        labels, spacing=spacing, max_distance=max_distance, background=False
    )
    if not norm:
        return jnp.asarray(distance)
    smallest = min(spacing) if spacing is not None else 1.0
    return _scaled_to_object(distance, labels, smallest, segments(labels, max_label))


@functools.partial(jax.jit, static_argnames=("smallest", "rows"))
def _scaled_to_object(
    distance: jax.Array, labels: jax.Array, smallest: float, rows: int
) -> jax.Array:
    depth = _largest_of_label(distance, labels, rows) - smallest
    # Two ways to round one distance must not make a thin object a deep one.
    thin = depth < 1e-3 * smallest
    scaled = jnp.where(thin, 1, (distance - smallest) / jnp.where(thin, 1, depth))
    return jnp.where(labels > 0, jnp.clip(scaled, 0, 1), 0)


def signed_distance(
    labels: Any,
    *,
    spacing: Sequence[float] | None = None,
    max_distance: int | Sequence[int] | None = None,
    max_label: int | None = None,
    alpha: float = 1.0,
    beta: float = 1.0,
    norm: bool = True,
    activation: Literal["tanh", "linear"] = "tanh",
) -> jax.Array:
    """Distance to the surface of objects: positive inside, negative outside, never 0.

    The surface lies half a voxel (of the smallest spacing) before the nearest voxel of another
    label; inside objects, other objects count, so that touching objects are separated.

    Parameters
    ----------
    labels : (*S) int
    spacing : size of a voxel along each axis, µm; None = 1
    max_distance : how far to look along each axis, in voxels; longer distances are cut, see
        :func:`other_label_distance`; None = the whole image
    max_label : a number that no label exceeds, needed inside jit to normalise
    alpha, beta : factors of the distance outside and inside
    norm : divide by the largest distance, inside per object, outside per image; else µm
    activation : tanh of the result, or the result as it is

    Returns
    -------
    (*S) float32; without any object ``-alpha`` or ``-tanh(alpha)`` if normalised

    >>> signed_distance(np.array([0, 0, 1, 1, 1, 0]), norm=False, activation="linear").tolist()
    [-1.5, -0.5, 0.5, 1.5, 0.5, -0.5]
    """
    labels = compact(labels)
    smallest = min(spacing) if spacing is not None else 1.0
    distance = other_label_distance(
        labels, spacing=spacing, max_distance=max_distance
    ) - np.float32(smallest / 2)
    rows = segments(labels, max_label) if norm else 0
    return _signed(distance, labels, alpha, beta, rows, activation)


@functools.partial(jax.jit, static_argnames=("alpha", "beta", "rows", "activation"))
def _signed(
    distance: jax.Array,
    labels: jax.Array,
    alpha: float,
    beta: float,
    rows: int,
    activation: str,
) -> jax.Array:
    if rows:
        distance = distance / _largest_of_label(distance, labels, rows)
    signed = jnp.where(labels > 0, beta * distance, -alpha * distance)
    return jnp.tanh(signed) if activation == "tanh" else signed


def _largest_of_label(values: jax.Array, labels: jax.Array, rows: int) -> jax.Array:
    """For every voxel, the largest value among the voxels of its label."""
    largest = jax.ops.segment_max(values.ravel(), labels.ravel(), num_segments=rows)
    return largest[labels]
