"""Where the centre of every object is, and which of its voxels stands for it."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

# Distances that differ by less than this part of a voxel are equal: the first voxel is taken,
# however the distances were rounded.
TIE = 1e-3


def slice_counts(labels: jax.Array, axis: int, rows: int) -> jax.Array:
    """Number of voxels per label and slice along an axis.

    Parameters
    ----------
    labels : (*S) int32, below ``rows``
    axis : of the slices
    rows : static number of labels, background included

    Returns
    -------
    (rows, length of the axis) float32, exact up to 2**24
    """
    length = labels.shape[axis]
    place = lax.broadcasted_iota(jnp.int32, labels.shape, axis)
    cells = (labels * length + place).ravel()
    counts = jax.ops.segment_sum(jnp.ones_like(cells), cells, num_segments=rows * length)
    return counts.reshape(rows, length).astype(jnp.float32)


def centroid_place(counts: jax.Array) -> jax.Array:
    """Centroid along one axis, from the counts of :func:`slice_counts`.

    Returns
    -------
    (rows,) float32 in voxels; for a label without voxels the middle of the image
    """
    length = counts.shape[1]
    weights = counts / jnp.maximum(counts.sum(axis=1, keepdims=True), 1)
    # Seen from the middle of the image, sums stay small and rounding with them.
    middle = (length - 1) / 2
    return (weights * (jnp.arange(length) - middle)).sum(axis=1) + middle


def centroid_distance(labels: jax.Array, spacing: Sequence[float], rows: int) -> jax.Array:
    """Distance of every voxel to the centroid of the voxels of its label.

    Parameters
    ----------
    labels : (*S) int32
    spacing : size of a voxel along each axis, µm
    rows : static number of labels, background included

    Returns
    -------
    (*S) float32, µm
    """
    square = jnp.zeros(labels.shape, jnp.float32)
    for axis, size in enumerate(spacing):
        centre = centroid_place(slice_counts(labels, axis, rows))
        place = lax.broadcasted_iota(jnp.float32, labels.shape, axis)
        square += ((place - centre[labels]) * size) ** 2
    return jnp.sqrt(square)


def first_nearest(
    cost: jax.Array, candidates: jax.Array, labels: jax.Array, rows: int
) -> jax.Array:
    """Of the candidates of every object the one of least cost, of equal ones the first.

    Parameters
    ----------
    cost : (*S) float
    candidates : (*S) bool; background never is one
    labels : (*S) int32
    rows : static number of labels, background included

    Returns
    -------
    (*S) bool, at most one voxel per object
    """
    candidates &= labels > 0
    flat = labels.ravel()
    least = jax.ops.segment_min(
        jnp.where(candidates, cost, jnp.inf).ravel(), flat, num_segments=rows
    )
    equal = candidates & (cost <= least[labels] + TIE)
    number = jnp.arange(labels.size, dtype=jnp.int32).reshape(labels.shape)
    key = jnp.where(equal, number, labels.size)
    first = jax.ops.segment_min(key.ravel(), flat, num_segments=rows)
    return equal & (number == first[labels])
