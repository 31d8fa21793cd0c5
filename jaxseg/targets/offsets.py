"""Where a voxel lies, seen from the centre of its object."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import lax

from jaxseg.targets.centres import centroid_place, slice_counts
from jaxseg.targets.ids import compact, segments


def centre_offset(
    labels: Any,
    *,
    axis: int,
    spacing: Sequence[float] | None = None,
    max_label: int | None = None,
    norm: bool = True,
    direction: Literal["from_center", "to_center"] = "from_center",
) -> jax.Array:
    """Offset along one axis of every voxel of an object from the centroid of the object.

    After Graham et al. (2019), HoVer-Net, with the true centroid instead of a rounded one, so that
    a mirrored image gives mirrored values.

    Parameters
    ----------
    labels : (*S) int
    axis : along which, counted from the last: -1 is x
    spacing : size of a voxel along each axis, µm; None = 1
    max_label : a number that no label exceeds, needed inside jit
    norm : divide by the largest offset of the object on the voxel's side of the centroid, so that
        the outermost voxels have -1 and 1; else µm
    direction : "from_center": positive right of, below and deeper than the centroid; "to_center":
        the opposite sign

    Returns
    -------
    (*S) float32; 0 in the background and where an object is one voxel wide along the axis

    >>> labels = jnp.array([0, 1, 1, 1, 1, 0, 2])
    >>> centre_offset(labels, axis=-1, norm=False, max_label=2).tolist()
    [0.0, -1.5, -0.5, 0.5, 1.5, 0.0, 0.0]
    """
    labels = compact(labels)
    size = spacing[axis] if spacing is not None else 1.0
    sign = 1.0 if direction == "from_center" else -1.0
    return _centre_offset(
        labels, axis % labels.ndim, sign * size, segments(labels, max_label), norm
    )


@functools.partial(jax.jit, static_argnames=("axis", "size", "rows", "norm"))
def _centre_offset(labels: jax.Array, axis: int, size: float, rows: int, norm: bool) -> jax.Array:
    length = labels.shape[axis]
    place = lax.broadcasted_iota(jnp.int32, labels.shape, axis)
    counts = slice_counts(labels, axis, rows)
    places = jnp.arange(length, dtype=jnp.float32)
    centres = centroid_place(counts)
    offset = place - centres[labels]
    if not norm:
        return jnp.where(labels > 0, offset * size, 0)
    lowest = jnp.min(jnp.where(counts > 0, places, length), axis=1)
    highest = jnp.max(jnp.where(counts > 0, places, -1), axis=1)
    extent = jnp.where(offset < 0, (centres - lowest)[labels], (highest - centres)[labels])
    # Closer to the centroid than rounding can tell is at the centroid.
    wide = extent > 1e-4
    scaled = jnp.where(wide, offset / jnp.where(wide, extent, 1), 0)
    return jnp.where(labels > 0, jnp.sign(size) * jnp.clip(scaled, -1, 1), 0)
