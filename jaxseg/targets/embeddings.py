"""Where voxels and the centres of objects lie in the space of embeddings.

Places are measured in units of ``grid_size`` of the finest voxels, in physical space: equal lengths
are equal along all axes, whatever the spacing and however large patch or image are.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import lax

from jaxseg.targets.ids import compact, segments

Center = Literal["centroid", "medoid"]


def place_steps(
    spacing: Sequence[float] | None, *, ndim: int, grid_size: float
) -> tuple[float, ...]:
    """Size of a voxel in units of places.

    Parameters
    ----------
    spacing : size of a voxel, (z)yx, µm; None = 1
    ndim : 2 or 3
    grid_size : finest voxels per unit

    Returns
    -------
    per axis

    >>> place_steps((2.0, 0.5, 0.5), ndim=3, grid_size=64)
    (0.0625, 0.015625, 0.015625)
    """
    sizes = tuple(map(float, spacing)) if spacing is not None else (1.0,) * ndim
    return tuple(size / (min(sizes) * grid_size) for size in sizes)


def voxel_places(shape: Sequence[int], step: Sequence[float]) -> jax.Array:
    """The place of every voxel.

    Parameters
    ----------
    shape : S
    step : size of a voxel, see :func:`place_steps`

    Returns
    -------
    (*S, d) float32, from the middle of the image, where rounding is least

    >>> voxel_places((2, 1), (0.5, 1.0)).tolist()
    [[[-0.25, 0.0]], [[0.25, 0.0]]]
    """
    axes = [
        (lax.broadcasted_iota(jnp.float32, shape, axis) - (length - 1) / 2) * size
        for axis, (length, size) in enumerate(zip(shape, step, strict=True))
    ]
    return jnp.stack(axes, axis=-1)


def object_centres(
    labels: Any, places: Any, *, max_label: int | None = None, center: Center = "centroid"
) -> jax.Array:
    """The centre of every object.

    Parameters
    ----------
    labels : (*S) int
    places : (*S, d) float, of every voxel
    max_label : a number that no label exceeds, needed inside jit
    center : centroid: the mean place of its voxels; medoid: the place of the voxel whose squared
        distances to the others have the smallest sum, which is the one nearest to the centroid, of
        equally near ones the first. Only the medoid is always inside

    Returns
    -------
    (R, d) float32, by label; of labels that do not occur, 0

    >>> labels = jnp.array([[1, 1, 0, 2]])
    >>> object_centres(labels, voxel_places((1, 4), (1.0, 1.0)), max_label=2)[1:].tolist()
    [[0.0, -1.0], [0.0, 1.5]]
    """
    labels = compact(labels)
    return _centres(labels, jnp.asarray(places), segments(labels, max_label), center)


@functools.partial(jax.jit, static_argnames=("rows", "center"))
def _centres(labels: jax.Array, places: jax.Array, rows: int, center: Center) -> jax.Array:
    ids, flat = labels.ravel(), places.reshape(labels.size, -1)
    sizes = jax.ops.segment_sum(jnp.ones(ids.shape, jnp.float32), ids, num_segments=rows)
    sums = jax.ops.segment_sum(flat, ids, num_segments=rows)
    centroids = sums / jnp.maximum(sizes, 1)[:, None]
    if center == "centroid":
        return centroids
    square = jnp.square(flat - centroids[ids]).sum(axis=-1)
    least = jax.ops.segment_min(square, ids, num_segments=rows)
    order = jnp.where(square <= least[ids], jnp.arange(ids.size), ids.size - 1)
    first = jax.ops.segment_min(order, ids, num_segments=rows)
    return jnp.where(sizes[:, None] > 0, flat[jnp.clip(first, 0, ids.size - 1)], 0)
