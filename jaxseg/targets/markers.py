"""One mark inside every object, from which it can be told from its neighbours."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxseg.targets.boundaries import near_another_object
from jaxseg.targets.centres import centroid_distance, first_nearest
from jaxseg.targets.footprint import Radius, ellipsoid, eroded, radii
from jaxseg.targets.ids import compact, segments
from jaxseg.targets.skeletons import grown, main_line, skeleton

Type = Literal["centroid", "skeleton"]
SkeletonMode = Literal["full", "main"]


def markers(
    labels: Any,
    *,
    spacing: Sequence[float] | None = None,
    max_label: int | None = None,
    type: Type = "centroid",
    dilation: Radius = 1,
    erosion: Radius = 0,
    skeleton_mode: SkeletonMode = "full",
) -> jax.Array:
    """1 at the middle of every object: one part per object, connected through faces, inside it.

    The middle is the voxel of the object, or of its skeleton, nearest to its centroid, which may
    itself lie outside; of equally near ones the first. It and all of the mark keep away from voxels
    that touch another object, through corners, too, wherever the object has others; so marks of two
    objects are never neighbours, unless both objects consist of such voxels.

    Parameters
    ----------
    labels : (*S) int
    spacing : size of a voxel along each axis, µm; None = 1
    max_label : a number that no label exceeds, needed inside jit
    type : "centroid": the middle voxel; "skeleton": the skeleton of the object
    dilation : the mark grows, inside its object, by an ellipsoid of this radius, in voxels, one or
        one per axis
    erosion : then it shrinks, but for the middle or the skeleton
    skeleton_mode : "full", or "main": its longest line without branches

    Returns
    -------
    (*S) float32; an object in several parts is marked in one of them

    >>> labels = jnp.array([0, 1, 1, 1, 2, 2, 2])
    >>> markers(labels, dilation=0, max_label=2).tolist()
    [0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0]
    """
    labels = compact(labels)
    rows = segments(labels, max_label)
    sizes = tuple(map(float, spacing)) if spacing is not None else (1.0,) * labels.ndim
    return _markers(
        jnp.asarray(labels),
        sizes,
        rows,
        type if type == "centroid" else skeleton_mode,
        radii(dilation, labels.ndim),
        radii(erosion, labels.ndim),
    )


@functools.partial(jax.jit, static_argnames=("spacing", "rows", "kind", "grow", "shrink"))
def _markers(
    labels: jax.Array,
    spacing: tuple[float, ...],
    rows: int,
    kind: Literal["centroid", "full", "main"],
    grow: tuple[int, ...],
    shrink: tuple[int, ...],
) -> jax.Array:
    core = centre_lines(labels, kind, spacing, rows) if kind != "centroid" else labels > 0
    free = ~near_another_object(labels)
    middle = _middle(
        (core & free, free, core), centroid_distance(labels, spacing, rows), labels, rows
    )
    kept = middle if kind == "centroid" else (core & free) | middle
    mark = dilated_inside(kept, labels, grow) & free
    mark = (eroded(jnp.where(mark, labels, 0), radius=shrink) > 0) | kept
    return grown(middle, jnp.where(mark, labels, 0)).astype(jnp.float32)


def _middle(
    choices: Sequence[jax.Array], distance: jax.Array, labels: jax.Array, rows: int
) -> jax.Array:
    """Per object the nearest voxel of the first choice that the object has any of, (*S) bool."""
    found = jnp.zeros(labels.shape, bool)
    for choice in choices:
        has = jax.ops.segment_max(
            found.ravel().astype(jnp.int32), labels.ravel(), num_segments=rows
        )
        found |= first_nearest(distance, choice & (has[labels] < 1), labels, rows)
    return found


def centre_lines(labels: jax.Array, kind: str, spacing: tuple[float, ...], rows: int) -> jax.Array:
    """Skeletons, full or only their main lines, (*S) bool."""
    lines = skeleton(labels)
    return lines if kind == "full" else main_line(lines, labels, spacing=spacing, rows=rows)


def dilated_inside(mask: jax.Array, labels: jax.Array, radius: Sequence[int]) -> jax.Array:
    """Voxels whose ellipsoid meets the part of a mask that lies in the same object.

    Parameters
    ----------
    mask : (*S) bool
    labels : (*S) int32
    radius : per axis, in voxels

    Returns
    -------
    (*S) bool
    """
    if not any(radius):
        return mask
    offsets = jnp.asarray(ellipsoid(radius))
    around = jnp.pad(jnp.where(mask, labels, 0), [(r, r) for r in radius])

    def met(i: jax.Array, found: jax.Array) -> jax.Array:
        there = lax.dynamic_slice(around, offsets[i] + jnp.asarray(radius), labels.shape)
        return found | (there == labels)

    return lax.fori_loop(0, len(offsets), met, jnp.zeros(labels.shape, bool)) & (labels > 0)


def line_distance(lines: jax.Array, labels: jax.Array, *, spacing: tuple[float, ...]) -> jax.Array:
    """Distance of every voxel of an object to the nearest voxel of its centre line.

    Every voxel learns from its neighbours of the same object which line voxel they found nearest
    (Danielsson 1980). Now and then this misses the very nearest one by a fraction of a voxel.

    Parameters
    ----------
    lines : (*S) bool, at least one voxel in every part of every object
    labels : (*S) int32
    spacing : size of a voxel along each axis, µm

    Returns
    -------
    (*S) float32, µm; 0 in the background
    """
    places = [lax.broadcasted_iota(jnp.float32, labels.shape, axis) for axis in range(labels.ndim)]
    every = itertools.product((-1, 0, 1), repeat=labels.ndim)
    offsets = jnp.asarray([offset for offset in every if any(offset)], jnp.int32)
    known = lines & (labels > 0)
    # What a voxel knows: the place of the line voxel, and how far away it is, squared.
    State = tuple[tuple[jax.Array, ...], jax.Array]
    start: State = (
        tuple(jnp.where(known, place, jnp.inf) for place in places),
        jnp.where(known, 0.0, jnp.inf),
    )

    def from_one_side(i: jax.Array, state: State) -> State:
        found, least = state
        same = (_moved(labels, offsets[i], 0) == labels) & (labels > 0)
        told = tuple(_moved(place, offsets[i], jnp.inf) for place in found)
        steps = zip(places, told, spacing, strict=True)
        squares = [((here - there) * np.float32(size)) ** 2 for here, there, size in steps]
        away = functools.reduce(jnp.add, squares)
        better = same & (away < least)
        pairs = zip(told, found, strict=True)
        return tuple(jnp.where(better, a, b) for a, b in pairs), jnp.where(better, away, least)

    def from_all_sides(state: tuple[State, jax.Array]) -> tuple[State, jax.Array]:
        before, _ = state
        after = lax.fori_loop(0, len(offsets), from_one_side, before)
        return after, (after[1] < before[1]).any()

    (_, least), _ = lax.while_loop(lambda state: state[1], from_all_sides, (start, known.any()))
    return jnp.where((labels > 0) & jnp.isfinite(least), jnp.sqrt(least), 0)


def _moved(array: jax.Array, offset: jax.Array, fill: float) -> jax.Array:
    """Element ``p - offset`` at ``p``, for an offset of at most one voxel along every axis."""
    return lax.dynamic_slice(jnp.pad(array, 1, constant_values=fill), 1 - offset, array.shape)
