"""How close a voxel is to the nearest other object, the background left out of account.

The two nearest objects of every voxel are found axis by axis: whatever object is not among the two
nearest of a voxel is not among those of any voxel further along the axis that it would be reached
through, so two are enough and the result is exact, whatever the number of objects.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxseg.targets.ids import compact, segments
from jaxseg.targets.shifts import along, shifted

# Shifts per turn of the loop: one pass over memory serves several of them.
UNROLL = 4


class Nearest(NamedTuple):
    """For every voxel, the two nearest objects so far: squared distances and labels, 0 = none."""

    first: jax.Array
    first_label: jax.Array
    second: jax.Array
    second_label: jax.Array


def other_object_distance(labels: Any, *, spacing: Sequence[float] | None = None) -> jax.Array:
    """Distance of every voxel of an object to the nearest voxel of another object.

    Parameters
    ----------
    labels : (*S) int
    spacing : size of a voxel along each axis, µm; None = 1

    Returns
    -------
    (*S) float32, µm; in the background 0, and infinite where there is no other object

    >>> other_object_distance(jnp.array([1, 1, 0, 0, 2, 2])).tolist()
    [4.0, 3.0, 0.0, 0.0, 3.0, 4.0]
    """
    sizes = tuple(map(float, spacing)) if spacing is not None else (1.0,) * labels.ndim
    return _other_object_distance(jnp.asarray(compact(labels)), sizes)


def neighbour_closeness(
    labels: Any,
    *,
    spacing: Sequence[float] | None = None,
    max_label: int | None = None,
    norm: bool = True,
    closing_size: int = 3,
    decline_power: float = 3.0,
) -> jax.Array:
    """How close voxels of objects are to other objects: high where objects touch, 0 far away.

    The inverted neighbour distance of Scherr et al. (2020): narrow gaps between objects are closed,
    and a power makes it decline faster.

    Parameters
    ----------
    labels : (*S) int
    spacing : size of a voxel along each axis, µm; None = 1
    max_label : a number that no label exceeds, needed inside jit
    norm : ``1 - d / max(d)`` with d the distance to the nearest other object and the maximum over
        the voxel's object; else µm, ``max(d) - d`` with the maximum over the image
    closing_size : edge, in voxels, of the box of a grey closing; odd, or 0 for none
    decline_power : exponent, applied to values between 0 and 1

    Returns
    -------
    (*S) float32; 0 in the background except in gaps that were closed, and in an object without any
    other

    >>> labels = jnp.array([1, 1, 1, 1, 2, 2])
    >>> neighbour_closeness(labels, max_label=2, decline_power=1.0).tolist()
    [0.0, 0.25, 0.5, 0.75, 0.5, 0.0]
    """
    labels = compact(labels)
    sizes = tuple(map(float, spacing)) if spacing is not None else (1.0,) * labels.ndim
    rows = segments(labels, max_label) if norm else 0
    return _closeness(jnp.asarray(labels), sizes, rows, closing_size, float(decline_power))


@functools.partial(jax.jit, static_argnames=("spacing", "rows", "closing", "power"))
def _closeness(
    labels: jax.Array, spacing: tuple[float, ...], rows: int, closing: int, power: float
) -> jax.Array:
    distance = _other_object_distance(labels, spacing)
    known = (labels > 0) & jnp.isfinite(distance)
    distance = jnp.where(known, distance, 0)
    farthest = distance.max()
    if rows:
        most = jax.ops.segment_max(distance.ravel(), labels.ravel(), num_segments=rows)
        farthest = most[labels]
    some = jnp.where(farthest > 0, farthest, 1)
    close = jnp.where(known, 1 - distance / some, 0)
    if closing:
        # Beyond the border there is background: the gap before it is not closed.
        around = jnp.pad(close, closing)
        around = -_widened(-_widened(around, closing), closing)
        close = around[(slice(closing, -closing),) * labels.ndim]
    close = jnp.clip(close, 0, 1) ** power
    return close if rows else close * farthest


def _widened(values: jax.Array, size: int) -> jax.Array:
    """Largest value in a box about every voxel, cut at the border."""
    return lax.reduce_window(
        values, -jnp.inf, lax.max, (size,) * values.ndim, (1,) * values.ndim, "SAME"
    )


@functools.partial(jax.jit, static_argnames="spacing")
def _other_object_distance(labels: jax.Array, spacing: tuple[float, ...]) -> jax.Array:
    # The widest axis first: its pass costs the logarithm of the width.
    first, *rest = sorted(range(labels.ndim), key=lambda axis: -labels.shape[axis])
    found = _along_line(labels, first, spacing[first])
    for axis in rest[:-1]:
        found = _across_lines(found, axis, spacing[axis])
    if rest:
        square = _to_others(found, labels, rest[-1], spacing[rest[-1]])
    else:
        square = jnp.where(found.first_label == labels, found.second, found.first)
    return jnp.where(labels > 0, jnp.sqrt(square), 0)


def _merged(one: Nearest, other: Nearest) -> Nearest:
    """The two nearest of four, with different labels; of equally near ones those of ``one``."""
    swap = other.first < one.first
    low, high = (
        Nearest(*(jnp.where(swap, b, a) for a, b in zip(*pair, strict=True)))
        for pair in ((one, other), (other, one))
    )
    again = high.first_label == low.first_label
    rival = jnp.where(again, high.second, high.first)
    rival_label = jnp.where(again, high.second_label, high.first_label)
    nearer = rival < low.second
    return Nearest(
        low.first,
        low.first_label,
        jnp.where(nearer, rival, low.second),
        jnp.where(nearer, rival_label, low.second_label),
    )


def _along_line(labels: jax.Array, axis: int, size: float) -> Nearest:
    """The two nearest objects on the line through every voxel along an axis."""
    place = lax.broadcasted_iota(jnp.float32, labels.shape, axis)
    before = _last_two(labels, place, axis, 1)
    after = _last_two(labels, -place, axis, -1)
    sides = []
    for (last, label, previous, previous_label), sign in ((before, 1), (after, -1)):
        here = sign * place
        square, other = (((here - there) * np.float32(size)) ** 2 for there in (last, previous))
        sides.append(Nearest(square, label, other, previous_label))
    return _merged(*sides)


def _last_two(labels: jax.Array, place: jax.Array, axis: int, step: int) -> Nearest:
    """Of the two last objects met coming along a direction, last places and labels.

    The stretch over which they are known doubles from pass to pass.
    """
    nowhere, nobody = jnp.full(labels.shape, jnp.inf), jnp.zeros_like(labels)
    # Places are negated so that the last one is the smallest, as in merging.
    known = Nearest(jnp.where(labels > 0, -place, jnp.inf), labels, nowhere, nobody)
    width = 1
    while width < labels.shape[axis]:
        offset = along(axis, width * step, labels.ndim)
        further = Nearest(
            *(
                shifted(part, offset, fill=fill)
                for part, fill in zip(known, (jnp.inf, 0, jnp.inf, 0), strict=True)
            )
        )
        known = _merged(known, further)
        width *= 2
    return known._replace(first=-known.first, second=-known.second)


def _padded(known: Nearest, axis: int) -> Nearest:
    """With as much around it along an axis as it is long, where nothing is known."""
    length, ndim = known.first.shape[axis], known.first.ndim
    widths = [(length, length) if a == axis else (0, 0) for a in range(ndim)]
    parts = zip(known, (jnp.inf, 0, jnp.inf, 0), strict=True)
    return Nearest(*(jnp.pad(part, widths, constant_values=fill) for part, fill in parts))


def _across_lines(known: Nearest, axis: int, size: float) -> Nearest:
    """One more axis: merge with what voxels further and further along it know.

    It ends where nothing can come nearer to any voxel.
    """
    length, around = known.first.shape[axis], _padded(known, axis)

    def matters(state: tuple[jax.Array, Nearest]) -> jax.Array:
        shift, found = state
        return (shift < length) & ((shift * np.float32(size)) ** 2 < found.second.max())

    def turned(state: tuple[jax.Array, Nearest]) -> tuple[jax.Array, Nearest]:
        shift, found = state
        away = (shift * np.float32(size)) ** 2
        for start in (length - shift, length + shift):
            first, label, second, second_label = (
                lax.dynamic_slice_in_dim(part, start, length, axis) for part in around
            )
            found = _merged(found, Nearest(first + away, label, second + away, second_label))
        return shift + 1, found

    return lax.while_loop(matters, turned, (jnp.int32(1), known))[1]


def _to_others(known: Nearest, labels: jax.Array, axis: int, size: float) -> jax.Array:
    """The last axis: squared distance of every voxel of an object to the nearest other object.

    The voxel's own object is known, so that of two objects elsewhere one is the nearest other.
    """
    length, around = labels.shape[axis], _padded(known, axis)

    def there(start: jax.Array) -> jax.Array:
        first, label, second = (
            lax.dynamic_slice_in_dim(part, start, length, axis) for part in around[:3]
        )
        return jnp.where(label == labels, second, first)

    def matters(state: tuple[jax.Array, jax.Array]) -> jax.Array:
        shift, least = state
        farthest = jnp.where(labels > 0, least, 0).max()
        return (shift < length) & ((shift * np.float32(size)) ** 2 < farthest)

    def turned(state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        shift, least = state
        for step in range(UNROLL):
            # Further than the image is long there is nothing.
            reach = jnp.minimum(shift + step, length)
            away = (reach * np.float32(size)) ** 2
            for start in (length - reach, length + reach):
                least = jnp.minimum(least, there(start) + away)
        return shift + UNROLL, least

    return lax.while_loop(matters, turned, (jnp.int32(1), there(jnp.int32(length))))[1]
