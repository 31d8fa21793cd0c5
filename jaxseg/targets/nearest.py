"""Exact Euclidean distance to the nearest voxel of another label, for all labels at once.

On the device it is found axis by axis (Saito and Toriwaki 1994; Felzenszwalb and Huttenlocher
2012), with labels: the squared distance is the minimum over shifts d along the axis of ``(d s)^2``
plus the squared distance found so far at the shifted voxel, or plus 0 where that voxel already has
another label. Every step is a comparison of whole shifted arrays, so nothing depends on the number
of objects. NumPy arrays go through the compiled ``edt`` package, faster on whole images.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import edt
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxseg.targets.ids import compact
from jaxseg.targets.shifts import along, shifted

# Shifts per turn of the loop: one pass over memory serves several of them.
UNROLL = 4


def other_label_distance(
    labels: Any,
    *,
    spacing: Sequence[float] | None = None,
    max_distance: int | Sequence[int] | None = None,
    background: bool = True,
) -> jax.Array | np.ndarray:
    """Distance of the centre of every voxel to the nearest centre of a voxel of another label.

    Parameters
    ----------
    labels : (*S) int; the background is a label like any other; the image border is no boundary
    spacing : size of a voxel along each axis, µm; None = 1
    max_distance : how far to look along each axis, in voxels; None = the whole image
    background : False gives 0 in the background, in less time

    Returns
    -------
    (*S) float32, µm. Distances above the smallest ``(max_distance + 1) * spacing`` of the axes
    where the search did not cover the image are cut to that value; where there is no other label
    at all, the value is that one or, if the search covered everything, the diagonal of the image

    >>> other_label_distance(np.array([0, 1, 1, 1, 2]), spacing=(0.5,)).tolist()
    [0.5, 0.5, 1.0, 0.5, 0.5]
    """
    spacing = tuple(spacing) if spacing is not None else (1.0,) * labels.ndim
    max_distance = _clipped(max_distance, labels.shape)
    cap = _cap(labels.shape, spacing, max_distance)
    if isinstance(labels, np.ndarray):
        return _on_host(compact(labels), spacing, cap, background)
    return _on_device(labels, spacing, max_distance, cap, background)


def _clipped(max_distance: int | Sequence[int] | None, shape: Sequence[int]) -> tuple[int, ...]:
    wanted = np.broadcast_to(
        max(shape) if max_distance is None else max_distance, len(shape)
    ).tolist()
    return tuple(min(r, n - 1) for r, n in zip(wanted, shape, strict=True))


def _cap(shape: Sequence[int], spacing: Sequence[float], max_distance: Sequence[int]) -> float:
    """Below it the search is exact: whatever is nearer lies inside the window on every axis."""
    axes = list(zip(shape, spacing, max_distance, strict=True))
    searched = [(r + 1) * size for n, size, r in axes if r < n - 1]
    return min(searched, default=math.hypot(*(n * size for n, size, _ in axes)))


def _on_host(
    labels: np.ndarray, spacing: Sequence[float], cap: float, background: bool
) -> np.ndarray:
    # The package takes 0 for "no object"; one more makes an object of the background, too.
    ids = labels.astype(np.uint32) + np.uint32(background)
    sizes = spacing if labels.ndim > 1 else spacing[0]
    found = edt.edt(ids, anisotropy=sizes, black_border=False, parallel=0)
    return np.minimum(found, np.float32(cap))


@functools.partial(jax.jit, static_argnames=("spacing", "max_distance", "cap", "background"))
def _on_device(
    labels: jax.Array,
    spacing: tuple[float, ...],
    max_distance: tuple[int, ...],
    cap: float,
    background: bool,
) -> jax.Array:
    # The widest axis first: its pass costs the logarithm of the reach.
    first, *rest = sorted(range(labels.ndim), key=lambda axis: -max_distance[axis])
    steps = _steps_to_change(labels, first, max_distance[first]) * np.float32(spacing[first])
    square = jnp.minimum(steps * steps, np.float32(cap * cap))
    if not background:
        square = jnp.where(labels > 0, square, 0)
    for axis in rest:
        square = _lower(square, labels, axis, spacing[axis], max_distance[axis])
    return jnp.sqrt(square)


def _steps_to_change(labels: jax.Array, axis: int, max_distance: int) -> jax.Array:
    """Steps to the next voxel of another label on the line along ``axis``; inf where none is."""
    place = lax.broadcasted_iota(jnp.float32, labels.shape, axis)
    before = _run_start(labels, place, axis, 1, max_distance)
    after = -_run_start(labels, -place, axis, -1, max_distance)
    return jnp.minimum(place - before, after - place) + 1


def _run_start(
    labels: jax.Array, place: jax.Array, axis: int, step: int, max_distance: int
) -> jax.Array:
    """Where the run of equal labels began that a voxel is in, coming along the direction ``step``.

    -inf for the run that touches the border, whose beginning is not in the image. The window over
    which the maximum is taken doubles from pass to pass.
    """
    previous = shifted(labels, along(axis, step, labels.ndim), fill=-1)
    start = jnp.where((previous != labels) & (previous >= 0), place, -jnp.inf)
    width = 1
    while width < max_distance:
        start = jnp.maximum(
            start, shifted(start, along(axis, width * step, labels.ndim), fill=-jnp.inf)
        )
        width *= 2
    return start


def _lower(
    square: jax.Array, labels: jax.Array, axis: int, size: float, max_distance: int
) -> jax.Array:
    """One pass of the transform: the least over shifts along ``axis``, as far as one can matter."""
    length, turns = labels.shape[axis], -(-max_distance // UNROLL)
    margin = turns * UNROLL
    widths = [(margin, margin) if place == axis else (0, 0) for place in range(labels.ndim)]
    # Beyond the border the outermost label goes on, infinitely far from any other: no boundary.
    around = jnp.pad(labels, widths, mode="edge")
    known = jnp.pad(square, widths, constant_values=jnp.inf)

    def candidates(least: jax.Array, shift: jax.Array) -> jax.Array:
        away = (shift * np.float32(size)) ** 2
        for start in (margin - shift, margin + shift):
            label = lax.dynamic_slice_in_dim(around, start, length, axis)
            there = lax.dynamic_slice_in_dim(known, start, length, axis)
            least = jnp.minimum(least, jnp.where(label == labels, there, 0) + away)
        return least

    def matters(state: tuple[jax.Array, jax.Array]) -> jax.Array:
        turn, least = state
        nearest = ((turn * UNROLL + 1) * np.float32(size)) ** 2
        return (turn < turns) & (nearest < jnp.max(least))

    def turned(state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        turn, least = state
        for step in range(1, UNROLL + 1):
            least = candidates(least, turn * UNROLL + step)
        return turn + 1, least

    return lax.while_loop(matters, turned, (jnp.int32(0), square))[1]
