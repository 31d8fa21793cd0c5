"""How far a voxel is from the middle of its object."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxseg.targets.centres import TIE, centroid_distance
from jaxseg.targets.ids import compact, segments
from jaxseg.targets.markers import Type, centre_lines, line_distance


def centre_distance(
    labels: Any,
    *,
    spacing: Sequence[float] | None = None,
    max_label: int | None = None,
    type: Type = "centroid",
    norm: bool = True,
) -> jax.Array:
    """Distance of every voxel of an object to the centroid of the object, or to its skeleton.

    The background is as far as can be, so that it never looks like a centre.

    Parameters
    ----------
    labels : (*S) int
    spacing : size of a voxel along each axis, µm; None = 1
    max_label : a number that no label exceeds, needed inside jit
    type : "centroid", exact and perhaps outside the object; "skeleton", see
        :func:`jaxseg.targets.markers.line_distance`
    norm : scale every object to [0, 1], 0 at the voxels nearest to the middle, 1 at the farthest;
        an object whose voxels are all equally far has 0. Else µm

    Returns
    -------
    (*S) float32; in the background 1, or not normalised the largest distance in the image and one
    voxel (of the smallest spacing) more

    >>> centre_distance(jnp.array([0, 1, 1, 1, 1, 1, 2]), max_label=2).tolist()
    [1.0, 1.0, 0.5, 0.0, 0.5, 1.0, 0.0]
    """
    labels = compact(labels)
    sizes = tuple(map(float, spacing)) if spacing is not None else (1.0,) * labels.ndim
    return _centre_distance(jnp.asarray(labels), sizes, segments(labels, max_label), type, norm)


@functools.partial(jax.jit, static_argnames=("spacing", "rows", "type", "norm"))
def _centre_distance(
    labels: jax.Array, spacing: tuple[float, ...], rows: int, type: Type, norm: bool
) -> jax.Array:
    if type == "centroid":
        distance = centroid_distance(labels, spacing, rows)
    else:
        lines = centre_lines(labels, "full", spacing, rows)
        distance = line_distance(lines, labels, spacing=spacing)
    inside = labels > 0
    if not norm:
        return jnp.where(inside, distance, jnp.where(inside, distance, 0).max() + min(spacing))
    flat, of = distance.ravel(), labels.ravel()
    nearest = jax.ops.segment_min(flat, of, num_segments=rows)[labels]
    extent = jax.ops.segment_max(flat, of, num_segments=rows)[labels] - nearest
    # Two ways to round one distance make no difference between voxels.
    wide = extent > TIE * min(spacing)
    scaled = jnp.where(wide, (distance - nearest) / jnp.where(wide, extent, 1), 0)
    return jnp.where(inside, jnp.clip(scaled, 0, 1), 1)


def centre_gaussian(
    labels: Any,
    *,
    spacing: Sequence[float] | None = None,
    max_label: int | None = None,
    sigma: float = 0.0,
) -> jax.Array:
    """A Gaussian around the centroid of every object, as far as the object reaches.

    Parameters
    ----------
    labels : (*S) int
    spacing : size of a voxel along each axis, µm; None = 1
    max_label : a number that no label exceeds, needed inside jit
    sigma : standard deviation, µm; 0 = half the distance from the centroid to the voxel of the
        object farthest from it, so that this voxel has exp(-2)

    Returns
    -------
    (*S) float32 from 0 to 1; 1 at a centroid, 0 in the background

    >>> centre_gaussian(jnp.array([0, 1, 1, 1, 2]), max_label=2).round(3).tolist()
    [0.0, 0.13500000536441803, 1.0, 0.13500000536441803, 1.0]
    """
    labels = compact(labels)
    sizes = tuple(map(float, spacing)) if spacing is not None else (1.0,) * labels.ndim
    return _centre_gaussian(jnp.asarray(labels), sizes, segments(labels, max_label), float(sigma))


@functools.partial(jax.jit, static_argnames=("spacing", "rows", "sigma"))
def _centre_gaussian(
    labels: jax.Array, spacing: tuple[float, ...], rows: int, sigma: float
) -> jax.Array:
    distance = centroid_distance(labels, spacing, rows)
    width: jax.Array | float = sigma
    if not sigma:
        extent = jax.ops.segment_max(distance.ravel(), labels.ravel(), num_segments=rows)[labels]
        # An object of one voxel is all centre.
        width = jnp.maximum(extent / 2, TIE * min(spacing))
    return jnp.where(labels > 0, jnp.exp(-jnp.square(distance / width) / 2), 0.0)
