"""Clusters of points, each within a kernel about its most certain point, found one by one.

The greedy clustering of Neven et al. (2019). Every cluster needs the points in an ellipsoid, whose
size differs from seed to seed; they are looked up in a grid of cells, so that a cluster costs no
more than the points near it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

# Inside the kernel is where exp(-x) > 0.5.
REACH = math.log(2)
# Seeds whose kernels tell the size of the cells, and the most cells per point.
SAMPLE, CELLS = 1000, 4
# Points that are looked at together in search of the next seed.
AHEAD = 512


@dataclass(frozen=True)
class Grid:
    """Points sorted by the cell of a regular grid that they lie in.

    Parameters
    ----------
    points : (d, P) float64, sorted
    order : (P,) index of each among the points as given
    first : (cells + 1,) where the points of a cell begin; the last axis is the fastest
    shape : cells along each axis
    origin, cell : (d,) corner of the grid, size of a cell
    """

    points: np.ndarray
    order: np.ndarray
    first: np.ndarray
    shape: tuple[int, ...]
    origin: np.ndarray
    cell: np.ndarray


def cluster(
    points: np.ndarray,
    narrow: np.ndarray,
    certainty: np.ndarray,
    *,
    least_certain: float = 0.5,
    stop_at: int = 0,
    min_size: int = 1,
    min_free: float = 0.0,
) -> np.ndarray:
    """Number the clusters of points; each takes only points that no earlier one took.

    The most certain free point, of equal ones the first, is the centre ``c`` of the next cluster;
    its members are the free points with ``exp(-sum(narrow * (point - c)**2)) > 0.5``, ``narrow``
    being that of the centre.

    Parameters
    ----------
    points : (P, d) float, finite
    narrow : (P, d) float, above 0
    certainty : (P,) float
    least_certain : of a centre
    stop_at : stop when no more points than this are free
    min_size : the members of smaller clusters are lost to others, but get no number
    min_free : as are those of clusters of which no more than this part was free

    Returns
    -------
    (P,) int32, 0 = no cluster, 1..N in the order of certainty

    >>> points, narrow = np.array([[0.0], [0.1], [5.0]]), np.ones((3, 1))
    >>> cluster(points, narrow, np.array([0.6, 0.7, 0.8]))
    array([2, 2, 1], dtype=int32)
    """
    numbers = np.zeros(len(points), np.int32)
    ranked = np.argsort(-certainty, kind="stable")
    seeds = int(np.count_nonzero(certainty >= least_certain))
    if not seeds:
        return numbers
    points = np.ascontiguousarray(points[ranked].T, np.float64)
    narrow = np.asarray(narrow, np.float64)[ranked]
    grid = _grid(points, narrow[:seeds])
    free, left, count = np.ones(len(ranked), bool), len(ranked), 0
    found = np.zeros_like(numbers)
    seed = _next(free, 0, seeds)
    while seed < seeds and left > stop_at:
        near = _within(grid, points[:, seed], narrow[seed])
        members = near[free[near]]
        free[members] = False
        left -= len(members)
        if len(members) >= min_size and len(members) > min_free * len(near):
            count += 1
            found[members] = count
        seed = _next(free, seed + 1, seeds)
    numbers[ranked] = found
    return numbers


def _next(free: np.ndarray, start: int, stop: int) -> int:
    """The first free point from ``start`` on, or ``stop``."""
    while start < stop:
        ahead = free[start : min(start + AHEAD, stop)]
        place = int(ahead.argmax())
        if ahead[place]:
            return start + place
        start += AHEAD
    return stop


def _grid(points: np.ndarray, narrow: np.ndarray) -> Grid:
    """Cells about as large as the kernels of the seeds, and not many more than points."""
    some = narrow[:: max(1, len(narrow) // SAMPLE)]
    cell = np.median(np.sqrt(REACH / some), axis=0)
    origin, extent = points.min(axis=1), np.ptp(points, axis=1)
    most = CELLS * points.shape[1] + 1
    while np.prod(extent / cell + 1) > most:
        cell = cell * 1.5
    places = ((points - origin[:, None]) / cell[:, None]).astype(np.int64)
    shape = tuple((places.max(axis=1) + 1).tolist())
    cells = np.ravel_multi_index(tuple(places), shape)
    order = np.argsort(cells, kind="stable")
    first = np.concatenate([[0], np.cumsum(np.bincount(cells, minlength=math.prod(shape)))])
    return Grid(np.ascontiguousarray(points[:, order]), order, first, shape, origin, cell)


def _within(grid: Grid, centre: np.ndarray, narrow: np.ndarray) -> np.ndarray:
    """Indices of all points in the kernel about a centre."""
    # A hair wider, so that rounding loses no point; which are inside is decided by the kernel.
    half = np.sqrt(REACH / narrow) * (1 + 1e-9)
    low = np.floor((centre - half - grid.origin) / grid.cell)
    high = np.floor((centre + half - grid.origin) / grid.cell)
    low = np.clip(low, 0, np.array(grid.shape) - 1).astype(np.int64)
    high = np.clip(high, 0, np.array(grid.shape) - 1).astype(np.int64)
    rows = np.zeros(1, np.int64)
    for axis in range(len(low) - 1):
        steps = np.arange(low[axis], high[axis] + 1)
        rows = (rows[:, None] * grid.shape[axis] + steps).ravel()
    rows = rows * grid.shape[-1]
    starts, stops = grid.first[rows + low[-1]], grid.first[rows + high[-1] + 1]
    runs = [slice(a, b) for a, b in zip(starts.tolist(), stops.tolist(), strict=True) if b > a]
    points = np.concatenate([grid.points[:, run] for run in runs], axis=1)
    order = np.concatenate([grid.order[run] for run in runs])
    square = (narrow[:, None] * np.square(points - centre[:, None])).sum(axis=0)
    return order[square < REACH]
