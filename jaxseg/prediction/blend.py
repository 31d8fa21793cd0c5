"""Overlapping tiles blended into slabs, in memory that grows with the cross-section of a tile.

Along each axis a voxel of a core lies ``d`` voxels from the nearer end of the core (0 at the end).
With neighbouring cores overlapping by ``e`` voxels its weight is

    w = sin²(π/2 · (d + 1/2) / e)  for d < e,   1 elsewhere,

and the weight in the volume is the product over the axes. The weights of two neighbours sum to 1
where they overlap (e at most half a core). Tiles are added in the order of their numbers as a
running mean, ``mean += w / (W + w) · (tile - mean)`` with ``W`` the weights already added: tiles
that agree leave the mean as it is, to the last bit. ``W`` follows from the grid alone, so nothing
but the mean is stored, and a part of an image is blended exactly as in the whole.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator

import numpy as np

from jaxseg.geometry import Box, TileGrid

Part = tuple[tuple[slice, ...], np.ndarray | None]


def window(core: int, step: int) -> np.ndarray:
    """Weight of each voxel of a core along one axis, (core,) float64 in (0, 1].

    Parameters
    ----------
    core : voxels of a core
    step : voxels from one core to the next, at most ``core``

    >>> window(6, 4).round(3)
    array([0.146, 0.854, 1.   , 1.   , 0.854, 0.146])
    """
    overlap = core - step
    if overlap == 0:
        return np.ones(core)
    inside = np.minimum(np.arange(core), np.arange(core)[::-1])
    return np.sin(np.pi / 2 * np.minimum((inside + 0.5) / overlap, 1.0)) ** 2


def stripes(grid: TileGrid, region: Box, planes: int, *, budget_bytes: int) -> list[Box]:
    """Cut a region across all axes but the first, so that blending one part fits the budget.

    The cuts lie at starts of cores, where the fewest tiles belong to both sides; those tiles are
    computed twice. A part is never thinner than one tile, even where that exceeds the budget.

    Parameters
    ----------
    grid, region : the tiles, and the part of the image that is wanted
    planes : values per voxel
    budget_bytes : memory for the running mean and for what waits to be written

    Returns
    -------
    boxes that cover the region, each voxel once
    """
    ranges = grid.ranges(region)
    parts = [1] * len(ranges)
    while True:
        longest = [-(-len(r) // p) for r, p in zip(ranges, parts, strict=True)]
        widths = [longest[a] * grid.step[a] for a in range(1, len(ranges))]
        if blend_bytes(grid, longest, planes) <= budget_bytes or max(longest[1:]) == 1:
            break
        parts[1 + max(range(len(widths)), key=lambda a: (longest[a + 1] > 1, widths[a]))] += 1
    cuts = [_cuts(grid, region, axis, ranges[axis], parts[axis]) for axis in range(len(ranges))]
    return list(_product(cuts))


def blend_bytes(grid: TileGrid, tiles: list[int], planes: int) -> int:
    """Bytes held at once by blending so many tiles along each axis and those across the cuts."""
    lead = [c - s for c, s in zip(grid.core, grid.step, strict=True)]
    extra = [-(-c // s) - 1 for c, s in zip(grid.core, grid.step, strict=True)]
    axes = zip(tiles, extra, grid.step, grid.core, strict=True)
    extent = [(n + e - 1) * s + c for n, e, s, c in axes]
    carried = lead[0] * math.prod(extent[1:])
    rows = math.prod(grid.core[:2]) * math.prod(extent[2:])
    return 4 * planes * (carried + 4 * rows)


def _cuts(
    grid: TileGrid, region: Box, axis: int, tiles: range, parts: int
) -> list[tuple[int, int]]:
    """Start and stop, along one axis, of so many parts of the region."""
    first = [tiles.start + len(tiles) * part // parts for part in range(1, parts)]
    inner = [grid.origin[axis] + i * grid.step[axis] for i in first]
    low, high = region.start[axis], region.stop[axis]
    edges = [low, *(min(max(cut, low), high) for cut in inner), high]
    return [(a, b) for a, b in itertools.pairwise(edges) if a < b]


def _product(cuts: list[list[tuple[int, int]]]) -> Iterator[Box]:
    """Every combination of one range per axis."""
    for index in np.ndindex(*(len(ranges) for ranges in cuts)):
        chosen = [cuts[axis][i] for axis, i in enumerate(index)]
        yield Box(tuple(a for a, _ in chosen), tuple(b for _, b in chosen))


def blended_slabs(
    grid: TileGrid, box: Box, cores: Iterator[np.ndarray], planes: int
) -> Iterator[tuple[Box, np.ndarray]]:
    """Blend the tiles that touch a box; give each part of it as soon as no more tile changes it.

    Two buffers do for any depth: ``row`` holds the cores of one row of tiles and moves along the
    second axis, ``carry`` holds what the next layer of tiles along the first axis overlaps.

    Parameters
    ----------
    grid, box : the tiles, and the part of the image that is wanted; at least two axes
    cores : for each tile of ``grid.tiles_touching(box)``, in that order, (*core, planes) float32
    planes : values per voxel

    Yields
    ------
    disjoint boxes that cover ``box``, ordered by their starts along the first two axes, with their
    values (*shape, planes) float32, a new array each
    """
    ranges = grid.ranges(box)
    (deep, high, *_), (step0, step1, *_) = grid.core, grid.step
    extent = [(len(r) - 1) * s + c for r, s, c in zip(ranges, grid.step, grid.core, strict=True)]
    lead = deep - step0
    carry = np.zeros((lead, *extent[1:], planes), np.float32)
    for i in ranges[0]:
        row = np.zeros((deep, high, *extent[2:], planes), np.float32)
        for j in ranges[1]:
            top = (j - ranges[1].start) * step1
            entered = high if top == 0 else step1
            row[:, :-entered] = row[:, entered:]
            row[:lead, -entered:] = carry[:, top + high - entered : top + high]
            row[lead:, -entered:] = 0
            _add_row(grid, (i, j), ranges[2:], row, cores)
            final = (
                deep if i == ranges[0][-1] else step0,
                high if j == ranges[1][-1] else step1,
            )
            carry[:, top : top + final[1]] = row[step0:, : final[1]]
            first = grid.at((i, j, *(r.start for r in ranges[2:]))).core.start
            stop = tuple(a + n for a, n in zip(first, (*final, *extent[2:]), strict=True))
            ready = Box(first, stop).intersection(box)
            if ready.size:
                yield ready, row[ready.relative_to(first).slices].copy()


def _add_row(
    grid: TileGrid,
    start: tuple[int, int],
    ranges: tuple[range, ...],
    row: np.ndarray,
    cores: Iterator[np.ndarray],
) -> None:
    """Add the tiles along the remaining axes to the row buffer, in place."""
    for index in np.ndindex(*(len(r) for r in ranges)):
        at = (*start, *(r.start + k for r, k in zip(ranges, index, strict=True)))
        left = [k * s for k, s in zip(index, grid.step[2:], strict=True)]
        place = tuple(slice(a, a + c) for a, c in zip(left, grid.core[2:], strict=True))
        target = row[(slice(None), slice(None), *place)]
        _add_tile(target, next(cores), parts_of(grid, at))


def _add_tile(target: np.ndarray, values: np.ndarray, parts: tuple[Part, ...]) -> None:
    """Blend one core into its place, in place."""
    for where, ratio in parts:
        if ratio is None:
            target[where] = values[where]
            continue
        change = values[where] - target[where]
        change *= ratio[..., None]
        target[where] += change


def parts_of(grid: TileGrid, index: tuple[int, ...]) -> tuple[Part, ...]:
    """The parts of a core, each with the share ``w / (W + w)`` of this tile in the running mean.

    Only the margins towards lower tiles were reached before; the share is 1 in the rest, given as
    None, and is copied.
    """
    reach = [-(-c // s) - 1 for c, s in zip(grid.core, grid.step, strict=True)]
    before = tuple(map(min, index, reach))
    after = tuple(min(n - 1 - i, r) for n, i, r in zip(grid.count, index, reach, strict=True))
    return _parts(grid.core, grid.step, before, after)


# Along a row there are three kinds of tile (first, inner, last), each kept with its float32 shares.
@functools.lru_cache(maxsize=8)
def _parts(
    core: tuple[int, ...], step: tuple[int, ...], before: tuple[int, ...], after: tuple[int, ...]
) -> tuple[Part, ...]:
    """``parts_of`` for a tile with so many overlapping tiles before and after it on each axis."""
    leads = [c - s if b else 0 for c, s, b in zip(core, step, before, strict=True)]
    weights = [_axis_weights(*axis) for axis in zip(core, step, before, after, strict=True)]
    parts: list[Part] = []
    for axis, lead in enumerate(leads):
        where = tuple(
            slice(leads[a], None) if a < axis else slice(lead if a == axis else None)
            for a in range(len(core))
        )
        if lead:
            cut = [[w[s] for w in axes] for axes, s in zip(weights, where, strict=True)]
            parts.append((where, _share(cut)))
    return (*parts, (tuple(slice(lead, None) for lead in leads), None))


def _axis_weights(core: int, step: int, before: int, after: int) -> list[np.ndarray]:
    """Weight of this tile, of the lower tiles, and of all tiles, for each voxel along one axis."""
    own = window(core, step)
    lower, higher = np.zeros(core), np.zeros(core)
    for k in range(1, before + 1):
        lower[: core - k * step] += own[k * step :]
    for k in range(1, after + 1):
        higher[k * step :] += own[: core - k * step]
    return [own, lower, lower + own + higher]


def _share(weights: list[list[np.ndarray]]) -> np.ndarray:
    """``w / (W + w)`` of a box, float32, from the weights (own, lower, all) along its axes.

    A lower tile lies lower on the first axis where it differs, is the same on the axes before it
    and anything on those behind it; ``W`` sums over that axis.
    """
    ndim = len(weights)
    own = functools.reduce(np.multiply.outer, [w[0] for w in weights])
    earlier = np.zeros_like(own)
    for axis in range(ndim):
        kinds = [0 if a < axis else 1 if a == axis else 2 for a in range(ndim)]
        earlier += functools.reduce(
            np.multiply.outer, [w[kind] for w, kind in zip(weights, kinds, strict=True)]
        )
    return (own / (earlier + own)).astype(np.float32)
