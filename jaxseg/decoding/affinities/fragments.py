"""A mask cut into roundish fragments at its narrow places, by what each voxel sees around it.

Every voxel points to one of its neighbours: uphill on the distance to the nearest boundary, and a
voxel at a boundary along its strongest edge towards the inside. Voxels whose pointers lead to the
same top are a fragment. A pointer depends on voxels within :func:`ascent_reach` and on no others,
and fragments are what pointers connect: found in parts of an image and put together, they are those
of the whole image to the last voxel, however large they are.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cc3d
import edt
import numpy as np
from scipy import ndimage

from jaxseg.decoding.affinities.affinity_map import edge_ends
from jaxseg.decoding.affinities.chains import followed
from jaxseg.labels.contacts import FACES
from jaxseg.labels.numbering import numbered

# Distances to a boundary count up to so many of the finest voxels: what is deeper is one place.
DEEPEST = 8.0
# Smoothing of the distances, in the finest voxels; without it every corner of a boundary is a top.
SIGMA, TRUNCATE = 1.0, 2.0
# Steps that a voxel at a boundary may be away from the inside.
LAYERS = 8
# What a voxel is: one that points to a neighbour, a top, out of reach of any, outside of the mask.
POINTS, TOP, ALONE, EMPTY = range(4)


class Ascents(NamedTuple):
    """Where every voxel points to.

    Parameters
    ----------
    steps : (*S) uint8, place in :func:`neighbour_steps` of the step to the next voxel, 0 = none
    kinds : (*S) uint8, ``POINTS``, ``TOP``, ``ALONE`` or ``EMPTY``
    """

    steps: np.ndarray
    kinds: np.ndarray


def ascents(
    inside: np.ndarray,
    mask: np.ndarray,
    columns: np.ndarray,
    offsets: Sequence[Sequence[int]],
    *,
    floor: float = 0.0,
    spacing: Sequence[float] | None = None,
) -> Ascents:
    """Cut a mask where it is narrow, however strong its connection there.

    A gap of a few voxels in a boundary so stays a place where two fragments touch, and whether they
    belong together can be asked of the whole contact.

    Parameters
    ----------
    inside : (*S) bool, voxels that are not at a boundary
    mask : (*S) bool, voxels that become part of a fragment; those from which no inside voxel is
        reached are fragments, too, as far as they are connected through faces
    columns : (*S, k) float; column c at ``p`` is the edge between ``p`` and ``p - offsets[c]``
    offsets : k offsets in voxels, (z)yx
    floor : a voxel at a boundary follows edges above it only
    spacing : size of a voxel, (z)yx, µm; None = 1

    Returns
    -------
    Ascents

    >>> inside = np.array([[1, 1, 1, 1, 0, 1, 1, 1, 1]], bool)
    >>> edges = np.array([[0, 1, 1, 1, 0.9, 0.2, 1, 1, 1]])[..., None]
    >>> fragments_of(ascents(inside, np.ones_like(inside), edges, [(0, 1)])).tolist()
    [[1, 1, 1, 1, 1, 2, 2, 2, 2]]
    """
    inside = inside & mask
    steps = _uphill(inside, _height(inside, _relative(spacing, inside.ndim)))
    kinds = np.where(mask, ALONE, EMPTY).astype(np.uint8)
    kinds[inside] = np.where(steps[inside] > 0, POINTS, TOP)
    _grow(steps, kinds, columns, offsets, floor)
    return Ascents(steps, kinds)


def ascent_reach(
    offsets: Sequence[Sequence[int]], *, spacing: Sequence[float] | None, ndim: int
) -> tuple[int, ...]:
    """How far along each axis the values lie that a pointer depends on, in voxels.

    >>> ascent_reach([(0, 1), (1, 0)], spacing=None, ndim=2)
    (12, 12)
    """
    sizes = _relative(spacing, ndim)
    wide = [max(1, *(abs(offset[axis]) for offset in offsets)) for axis in range(ndim)]
    deep = [math.ceil(DEEPEST / size) + _radius(1 / size) for size in sizes]
    return tuple(max(a, LAYERS) + 1 + b for a, b in zip(deep, wide, strict=True))


def fragments_of(found: Ascents) -> np.ndarray:
    """The fragments of a whole image, (*S) int32, 1..N in the order of their first voxels."""
    return numbered(components(found)).numbers.astype(np.int32)


def components(found: Ascents) -> np.ndarray:
    """Number what the pointers connect.

    Parameters
    ----------
    found : of :func:`ascents`, or the same part of both arrays; voxels that lead out of it through
        the same voxel are then connected, the others of their fragment are not

    Returns
    -------
    (*S) int32, 0 and 1..N in no special order
    """
    steps, kinds = _within(found.steps), found.kinds
    tops = np.where(kinds == EMPTY, 0, kinds)
    tops, count = cc3d.connected_components(tops, connectivity=FACES[tops.ndim], return_N=True)
    leaving = (kinds == POINTS) & (steps == 0)
    labels = tops.astype(np.int32).ravel()
    labels[leaving.ravel()] = np.arange(count + 1, count + 1 + np.count_nonzero(leaving))
    flat = np.int32 if steps.size < 2**31 else np.int64
    strides = np.array(steps.strides)
    jumps = (np.array(neighbour_steps(steps.ndim)) @ strides).astype(flat)
    parent = np.arange(steps.size, dtype=flat) + jumps[steps.ravel()]
    return labels[followed(parent)].reshape(steps.shape)


def neighbour_steps(ndim: int) -> list[tuple[int, ...]]:
    """No step, and those to all voxels that share a face, an edge or a corner.

    >>> neighbour_steps(1)
    [(0,), (-1,), (1,)]
    """
    every = itertools.product((-1, 0, 1), repeat=ndim)
    return sorted(every, key=lambda step: sum(map(abs, step)))


def _relative(spacing: Sequence[float] | None, ndim: int) -> tuple[float, ...]:
    """Sizes of a voxel by its finest one; in eighths, for which squared distances are exact."""
    sizes = tuple(spacing) if spacing is not None else (1.0,) * ndim
    return tuple(round(8 * size / min(sizes)) / 8 for size in sizes)


def _radius(sigma: float) -> int:
    """How far SciPy's Gaussian reaches."""
    return int(TRUNCATE * SIGMA * sigma + 0.5)


def _height(inside: np.ndarray, sizes: Sequence[float]) -> np.ndarray:
    """Smoothed distance to the nearest voxel that is not inside; -1 there."""
    mask = np.ascontiguousarray(inside, np.uint8)
    depth = edt.edt(mask, anisotropy=tuple(sizes), black_border=False, parallel=0)
    sigmas = [SIGMA / size for size in sizes]
    height = np.minimum(depth, np.float32(DEEPEST))
    height = ndimage.gaussian_filter(height, sigmas, mode="nearest", truncate=TRUNCATE)
    return np.where(inside, height, np.float32(-1))


def _uphill(inside: np.ndarray, height: np.ndarray) -> np.ndarray:
    """The step to the highest neighbour, where it is higher; of equal ones the first."""
    steps, best = np.zeros(inside.shape, np.uint8), height.copy()
    directions = neighbour_steps(inside.ndim)[1:]
    back = [[-side for side in step] for step in directions]
    for code, (here, there) in enumerate(edge_ends(inside.shape, back), start=1):
        higher = height[there] > best[here]
        np.copyto(steps[here], code, where=higher)
        np.copyto(best[here], height[there], where=higher)
    steps[~inside] = 0
    return steps


def _grow(
    steps: np.ndarray,
    kinds: np.ndarray,
    columns: np.ndarray,
    offsets: Sequence[Sequence[int]],
    floor: float,
) -> None:
    """Let voxels at a boundary point to what was reached before, along their strongest edge."""
    shape = steps.shape
    waiting = np.nonzero(kinds == ALONE)
    reached = np.pad(kinds < ALONE, 1)
    values = columns.reshape(-1, columns.shape[-1])
    ways = list(_ways(offsets))
    for _ in range(LAYERS):
        here = np.ravel_multi_index(waiting, shape)
        padded = np.ravel_multi_index([at + 1 for at in waiting], reached.shape)
        code, best = np.zeros(len(here), np.uint8), np.full(len(here), floor, np.float32)
        for number, column, step, start in ways:
            there = reached.ravel()[padded + _jump(step, reached.shape)]
            edge = values[here[there] + _jump(start, shape), column]
            better = edge > best[there]
            places = np.flatnonzero(there)[better]
            best[places], code[places] = edge[better], number
        found = code > 0
        if not found.any():
            return
        steps.ravel()[here[found]] = code[found]
        kinds.ravel()[here[found]] = POINTS
        reached.ravel()[padded[found]] = True
        waiting = tuple(at[~found] for at in waiting)


def _ways(
    offsets: Sequence[Sequence[int]],
) -> Iterator[tuple[int, int, tuple[int, ...], tuple[int, ...]]]:
    """For every edge to a neighbour: number of the step, column, the step, and to where it is kept.

    An edge is kept at the voxel that its offset points to, which may be this one or the other.
    """
    for column, offset in enumerate(offsets):
        if max(map(abs, offset)) == 1:
            known = neighbour_steps(len(offset))
            back, on = tuple(-side for side in offset), tuple(offset)
            yield known.index(back), column, back, known[0]
            yield known.index(on), column, on, on


def _jump(step: Sequence[int], shape: Sequence[int]) -> int:
    """What a step adds to a place in C order."""
    place = 0
    for side, length in zip(step, shape, strict=True):
        place = place * length + side
    return place


def _within(steps: np.ndarray) -> np.ndarray:
    """Steps without those that lead out of the array."""
    steps = np.ascontiguousarray(steps).copy()
    directions = np.array(neighbour_steps(steps.ndim))
    for axis in range(steps.ndim):
        for end, side in ((0, -1), (-1, 1)):
            face = steps[(slice(None),) * axis + (end,)]
            face[directions[face, axis] == side] = 0
    return steps
