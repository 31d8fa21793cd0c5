"""Clusters of points, each within a kernel about its most certain point, found one by one.

The greedy clustering of Neven et al. (2019). Every cluster needs the points in an ellipsoid, whose
size differs from seed to seed; they are looked up in a grid of cells, so that a cluster costs no
more than the points near it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

# Inside the kernel is where exp(-x) > 0.5.
REACH = math.log(2)
# Seeds whose kernels tell the size of the cells, and the most cells per point.
SAMPLE, CELLS = 1000, 4
# The part of the waiting points that is sorted in one go, and the fewest points.
PART, LEAST = 16, 4096
# Points that are looked at together in search of the next seed.
AHEAD = 128


@dataclass(frozen=True)
class Grid:
    """Points sorted by the cell of a regular grid that they lie in.

    Parameters
    ----------
    points : (d, P) float64, sorted
    order : (P,) index of each among the points as given
    first : (cells + 1,) where the points of a cell begin; the last axis is the fastest
    shape : cells along each axis
    origin, cell : per axis, corner of the grid and size of a cell
    """

    points: np.ndarray
    order: np.ndarray
    first: np.ndarray
    shape: tuple[int, ...]
    origin: list[float]
    cell: list[float]


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
    sure = certainty >= least_certain
    if not sure.any():
        return numbers
    grid = _grid(np.ascontiguousarray(np.transpose(points), np.float64), narrow[sure])
    free, left, count = np.ones(len(points), bool), len(points), 0
    for seed in _seeds(certainty, sure, free):
        if left <= stop_at:
            break
        near = _within(grid, points[seed].tolist(), narrow[seed].tolist())
        members = near[free[near]]
        free[members] = False
        left -= len(members)
        if len(members) >= min_size and len(members) > min_free * len(near):
            count += 1
            numbers[members] = count
    return numbers


def _seeds(certainty: np.ndarray, sure: np.ndarray, free: np.ndarray) -> Iterator[int]:
    """The most certain free point, again and again, while whoever asks makes points unfree.

    Only the best part of what is left is sorted: most of the rest will not be free by then.
    """
    waiting = np.flatnonzero(sure)
    while waiting.size:
        values = certainty[waiting]
        best = max(waiting.size // PART, LEAST)
        layer = waiting
        if best < waiting.size:
            layer = waiting[values >= np.partition(values, -best)[-best]]
        layer = layer[np.argsort(-certainty[layer], kind="stable")]
        place = 0
        while place < layer.size:
            ahead = free[layer[place : place + AHEAD]]
            step = int(ahead.argmax())
            if ahead[step]:
                yield int(layer[place + step])
                place += step + 1
            else:
                place += len(ahead)
        waiting = waiting[free[waiting]]


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
    # Short integers are sorted by their digits, much faster.
    keys = cells.astype(np.uint16) if math.prod(shape) <= 2**16 else cells
    order = np.argsort(keys, kind="stable")
    first = np.concatenate([[0], np.cumsum(np.bincount(cells, minlength=math.prod(shape)))])
    return Grid(points[:, order], order, first, shape, origin.tolist(), cell.tolist())


def _within(grid: Grid, centre: list[float], narrow: list[float]) -> np.ndarray:
    """Indices of all points in the kernel about a centre."""
    spans = []
    for axis, length in enumerate(grid.shape):
        # A hair wider, so that rounding loses no point; the kernel decides which are inside.
        from_origin = centre[axis] - grid.origin[axis]
        half = math.sqrt(REACH / narrow[axis]) * (1 + 1e-9) + from_origin * 1e-15
        low = max((from_origin - half) / grid.cell[axis], 0)
        high = min((from_origin + half) / grid.cell[axis], length - 1)
        spans.append((int(low), int(high)))
    rows = np.zeros(1, np.int64)
    for (low, high), length in zip(spans[:-1], grid.shape[:-1], strict=True):
        rows = (rows[:, None] * length + np.arange(low, high + 1)).ravel()
    rows = rows * grid.shape[-1]
    starts, stops = grid.first[rows + spans[-1][0]], grid.first[rows + spans[-1][1] + 1]
    runs = [slice(a, b) for a, b in zip(starts.tolist(), stops.tolist(), strict=True) if b > a]
    points = np.concatenate([grid.points[:, run] for run in runs], axis=1)
    order = np.concatenate([grid.order[run] for run in runs])
    square = np.zeros(len(order))
    for values, middle, factor in zip(points, centre, narrow, strict=True):
        square += factor * np.square(values - middle)
    return order[square < REACH]
