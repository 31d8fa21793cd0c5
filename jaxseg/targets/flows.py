"""The way from every voxel of an object to its centre, as heat flows out from there."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxseg.targets.ids import compact, segments
from jaxseg.targets.offsets import centre_offset
from jaxseg.targets.shifts import shifted

# Heat that the centre gains in every iteration: large, so that what arrives at the far end of a
# thin object is still a number.
SOURCE = 1e28
# Squared distances to the centroid, in parts of a voxel's square, up to which voxels share the
# centre; mirrored images then have mirrored centres.
SHARED = 0.0137
# Where the heat changes by less than this part of itself per voxel, there is no direction.
FLAT = 1e-3


class Neighbour(NamedTuple):
    """A voxel of the 3 x 3 (x 3) surroundings: its offset, and the same in parts of the voxel."""

    offset: tuple[int, ...]
    step: tuple[float, ...]
    weight: float


def flow(
    labels: Any,
    *,
    axis: int,
    spacing: Sequence[float] | None = None,
    max_label: int | None = None,
    max_distance: int = 64,
) -> jax.Array:
    """One component of the unit vectors that lead from every voxel to the centre of its object.

    After Stringer et al. (2021), Cellpose: heat spreads from the voxel nearest to the centroid, is
    lost at the boundary of the object, and the vectors point up its gradient. All objects are
    heated at once, each only through its own voxels, corners included. A vector is as long as a
    voxel in µm, so it turns with the image and follows the spacing. Of a concave object that does
    not hold its centroid, the centre is the nearest voxel that it does hold.

    Parameters
    ----------
    labels : (*S) int; voxels of one label are one object, and what is not connected with its centre
        has no flow
    axis : of the component, counted from the last: -1 is x
    spacing : size of a voxel along each axis, µm; None = 1
    max_label : a number that no label exceeds, needed inside jit
    max_distance : the longest way through an object from its centre, in voxels; heat is spread
        twice as many times, so that voxels twice as far have no flow

    Returns
    -------
    (*S) float32 in [-1, 1]; 0 in the background, at the centre and in objects of one voxel

    >>> labels = jnp.array([[0, 1, 1, 1, 0, 2]])
    >>> flow(labels, axis=-1, max_label=2).tolist()
    [[0.0, 1.0, 0.0, -1.0, 0.0, 0.0]]
    """
    labels = compact(labels)
    sizes = tuple(map(float, spacing)) if spacing is not None else (1.0,) * labels.ndim
    rows = segments(labels, max_label)
    return flow_field(labels, sizes, rows, min(max_distance, math.prod(labels.shape)))[
        axis % labels.ndim
    ]


@functools.partial(jax.jit, static_argnames=("spacing", "rows", "max_distance"))
def flow_field(
    labels: jax.Array, spacing: tuple[float, ...], rows: int, max_distance: int
) -> tuple[jax.Array, ...]:
    """All components, (z)yx; parameters as for :func:`flow`, ``rows`` one more than any label."""
    around = neighbours(spacing)
    labels = jnp.asarray(labels)
    same = [(shifted(labels, n.offset) == labels) & (labels > 0) for n in around]
    source = jnp.where(_centres(labels, spacing, rows), jnp.float32(SOURCE), 0)
    whole = 1 + sum(n.weight for n in around)

    def spread(_: int, heat: jax.Array) -> jax.Array:
        gained = heat + source
        total = gained
        for part, n in zip(same, around, strict=True):
            total += n.weight * jnp.where(part, shifted(gained, n.offset), 0)
        return total / np.float32(whole)

    # Not a constant: under shard_map the heat differs between devices from the first turn.
    heat = lax.fori_loop(0, 2 * max_distance, spread, 0 * source)
    return _uphill(heat, same, around)


def neighbours(spacing: Sequence[float]) -> list[Neighbour]:
    """The voxels around one, with the share of heat that each passes on.

    The share falls with the square of the distance in parts of the finest voxel.

    >>> [(n.offset, n.weight) for n in neighbours((1.0, 0.5))][:2]
    [((-1, -1), 0.2), ((-1, 0), 0.25)]
    """
    finest = min(spacing)
    found = []
    for offset in itertools.product((-1, 0, 1), repeat=len(spacing)):
        step = tuple(o * size / finest for o, size in zip(offset, spacing, strict=True))
        if any(offset):
            found.append(Neighbour(offset, step, 1 / sum(s * s for s in step)))
    return found


def _centres(labels: jax.Array, spacing: tuple[float, ...], rows: int) -> jax.Array:
    """The voxels of every object that are nearest to its centroid."""
    finest = min(spacing)
    square = jnp.zeros(labels.shape, jnp.float32)
    for axis in range(labels.ndim):
        away = centre_offset(labels, axis=axis, spacing=spacing, max_label=rows - 1, norm=False)
        square += (away / np.float32(finest)) ** 2
    nearest = jax.ops.segment_min(square.ravel(), labels.ravel(), num_segments=rows)
    return (labels > 0) & (square <= nearest[labels] + SHARED)


def _uphill(
    heat: jax.Array, same: Sequence[jax.Array], around: Sequence[Neighbour]
) -> tuple[jax.Array, ...]:
    """The direction in which the heat of the own object grows."""
    ndim = heat.ndim
    # Relative to the warmest neighbour, nothing underflows in a square.
    warmest = heat
    for part, n in zip(same, around, strict=True):
        warmest = jnp.maximum(warmest, jnp.where(part, shifted(heat, n.offset), 0))
    scale = 1 / jnp.maximum(warmest, np.float32(np.finfo(np.float32).tiny))
    slope = [jnp.zeros_like(heat) for _ in range(ndim)]
    for part, n in zip(same, around, strict=True):
        # ``shifted`` by an offset brings the voxel that lies the other way.
        there = jnp.where(part, shifted(heat, n.offset), 0) * scale
        for axis in range(ndim):
            slope[axis] -= np.float32(n.step[axis] * n.weight) * there
    size = jnp.sqrt(sum(part * part for part in slope))
    steep = size > FLAT
    return tuple(jnp.where(steep, part / jnp.where(steep, size, 1), 0) for part in slope)
