"""Thin centre lines of objects, all objects at once.

An object is peeled layer by layer; a voxel goes where that changes nothing about how the object and
what is around it hang together (a simple voxel), except at the ends of what is one voxel thin
already. Voxels of which no two are neighbours go at the same time, so that this equals taking away
one after the other (Bertrand and Couprie 2014 on the kinds of parallel thinning).

Objects hang together through faces, as the seeds of a watershed do, and what is around them through
corners, too. A voxel is then simple when those parts of its surface that it shares with the outside
form one connected piece without a hole: connected, with Euler characteristic 1 (Kong and Rosenfeld
1989). Other objects and all beyond the image border are outside.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxseg.targets.centres import first_nearest
from jaxseg.targets.shifts import along, shifted

Offset = tuple[int, ...]


@jax.jit
def skeleton(labels: jax.Array) -> jax.Array:
    """Centre lines of objects, connected through faces and as often as the objects are.

    Parameters
    ----------
    labels : (*S) int32

    Returns
    -------
    (*S) bool, at least one voxel in every object

    >>> rod = np.zeros((5, 9), np.int32)
    >>> rod[1:4, 1:8] = 1
    >>> np.argwhere(np.asarray(skeleton(rod))).tolist()
    [[2, 2], [2, 3], [2, 4], [2, 5], [2, 6]]
    """
    places = [lax.broadcasted_iota(jnp.int32, labels.shape, axis) for axis in range(labels.ndim)]
    # 0 .. 2**ndim - 1; voxels of one class are never neighbours.
    classes = functools.reduce(lambda code, place: 2 * code + place % 2, places) % 2**labels.ndim

    def peeled(state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        left, _ = state
        inner = {offset: _same(left, offset) for offset in _faces(labels.ndim)}
        number = sum(same.astype(jnp.int32) for same in inner.values())
        following = sum(same * shifted(number, offset) for offset, same in inner.items())
        # Ends are told before the layer is peeled, or its remains would count as some; a single
        # voxel that sticks out is none.
        end = (number == 1) & (following <= 2)
        layer = (left > 0) & (number < len(inner)) & ~end

        def one_class(code: jax.Array, left: jax.Array) -> jax.Array:
            return jnp.where(layer & (classes == code) & _is_simple(left), 0, left)

        thinner = lax.fori_loop(0, 2**labels.ndim, one_class, left)
        return thinner, (thinner != left).any()

    return lax.while_loop(lambda state: state[1], peeled, (labels, jnp.any(labels > 0)))[0] > 0


@functools.partial(jax.jit, static_argnames=("spacing", "rows"))
def main_line(
    lines: jax.Array, labels: jax.Array, *, spacing: tuple[float, ...], rows: int
) -> jax.Array:
    """The longest of the shortest ways through the skeleton of every object, without its branches.

    Its ends are found by going as far as one can, and from there as far as one can once more, which
    is exact for skeletons without cycles.

    Parameters
    ----------
    lines : (*S) bool, skeletons
    labels : (*S) int32
    spacing : size of a voxel along each axis, µm
    rows : static number of labels, background included

    Returns
    -------
    (*S) bool; of an object in several parts, in one of them
    """
    lines = lines & (labels > 0)
    ids = jnp.where(lines, labels, 0)

    def farthest(distance: jax.Array) -> jax.Array:
        return first_nearest(-distance, jnp.isfinite(distance) & lines, labels, rows)

    start = first_nearest(jnp.zeros(labels.shape), lines, labels, rows)
    one_end = farthest(_way(start, ids, spacing))
    from_one = _way(one_end, ids, spacing)
    other_end = farthest(from_one)
    from_other = _way(other_end, ids, spacing)
    length = jax.ops.segment_max(
        jnp.where(other_end, from_one, 0).ravel(), labels.ravel(), num_segments=rows
    )
    return lines & (from_one + from_other <= length[labels] + 0.5 * min(spacing))


def grown(seeds: jax.Array, labels: jax.Array) -> jax.Array:
    """Seeds and all voxels connected to them through faces of voxels with the same label.

    Parameters
    ----------
    seeds : (*S) bool
    labels : (*S) int32; nothing grows into 0

    Returns
    -------
    (*S) bool
    """

    def step(state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        now, _ = state
        more = now
        for offset in _faces(labels.ndim):
            more |= shifted(now, offset, fill=False) & _same(labels, offset)
        return more, (more != now).any()

    seeds &= labels > 0
    return lax.while_loop(lambda state: state[1], step, (seeds, jnp.any(seeds)))[0]


def _way(start: jax.Array, ids: jax.Array, spacing: Sequence[float]) -> jax.Array:
    """Length of the shortest way from the start, through faces inside the object; inf without."""

    def step(state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        length, _ = state
        shorter = length
        for axis, direction in itertools.product(range(ids.ndim), (1, -1)):
            offset = along(axis, direction, ids.ndim)
            there = shifted(length, offset, fill=jnp.inf) + np.float32(spacing[axis])
            shorter = jnp.where(_same(ids, offset), jnp.minimum(shorter, there), shorter)
        return shorter, (shorter < length).any()

    begin = jnp.where(start, 0, jnp.inf).astype(jnp.float32)
    return lax.while_loop(lambda state: state[1], step, (begin, jnp.any(start)))[0]


def _same(labels: jax.Array, offset: Offset) -> jax.Array:
    """Whether the voxel an offset before has the same label, which is not 0."""
    return (shifted(labels, offset) == labels) & (labels > 0)


def _faces(ndim: int) -> list[Offset]:
    return [along(axis, step, ndim) for axis in range(ndim) for step in (1, -1)]


def _is_simple(labels: jax.Array) -> jax.Array:
    """Whether a voxel can go without joining, splitting, opening or closing anything."""
    ndim = labels.ndim
    outside = {
        offset: ~_same(labels, offset)
        for offset in itertools.product((-1, 0, 1), repeat=ndim)
        if any(offset)
    }
    characteristic = jnp.zeros(labels.shape, jnp.int32)
    for cell in outside:
        # Corner, edge or face of the voxel: of the outside if any voxel that has it is.
        choices = itertools.product(*((0, step) if step else (0,) for step in cell))
        shared = functools.reduce(jnp.logical_or, (outside[o] for o in choices if any(o)))
        dimension = ndim - sum(map(abs, cell))
        characteristic += (-1) ** dimension * shared.astype(jnp.int32)
    # In 2D pieces of a circle are counted; in 3D a ring and a disc count as one disc does.
    return (characteristic == 1) & (_in_one_piece(outside, ndim) if ndim > 2 else True)


def _in_one_piece(outside: dict[Offset, jax.Array], ndim: int) -> jax.Array:
    """Whether the outside voxels among the neighbours are connected, corners included."""
    bits = {
        offset: sum((step + 1) * 3**axis for axis, step in enumerate(offset)) for offset in outside
    }
    around = functools.reduce(
        jnp.bitwise_or,
        (mask.astype(jnp.uint32) << np.uint32(bits[offset]) for offset, mask in outside.items()),
    )

    def spread(state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        now, _ = state
        more = now
        for axis in range(ndim):
            more |= _stepped(more, axis, ndim)
        more &= around
        return more, (more != now).any()

    lowest = around & (~around + np.uint32(1))
    found = lax.while_loop(lambda state: state[1], spread, (lowest, jnp.any(lowest > 0)))[0]
    return (found == around) & (around > 0)


def _stepped(bits: jax.Array, axis: int, ndim: int) -> jax.Array:
    """A neighbourhood in bits, moved by one voxel both ways along an axis."""
    places = np.arange(3**ndim) // 3**axis % 3
    inner = [np.uint32(sum(1 << i for i in np.flatnonzero(places != end))) for end in (2, 0)]
    step = np.uint32(3**axis)
    return ((bits & inner[0]) << step) | ((bits & inner[1]) >> step)
