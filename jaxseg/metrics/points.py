"""How many points were found: one-to-one assignment within a tolerance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree


class PointMatching(NamedTuple):
    """How well points agree with true ones.

    Parameters
    ----------
    tolerance : distance within which a point counts as found, µm
    tp, fp, fn : points found, spurious, and missed
    precision, recall, f1 : shares; NaN where there is nothing to find and nothing was found
    mean_distance : of the points found to the true ones, µm; NaN without any
    pairs : (tp, 2) rows of the true and of the found points
    distances : (tp,) µm
    """

    tolerance: float
    tp: int
    fp: int
    fn: int
    precision: float
    recall: float
    f1: float
    mean_distance: float
    pairs: np.ndarray
    distances: np.ndarray


def match_points(
    truth: np.ndarray,
    found: np.ndarray,
    *,
    tolerance: float,
    spacing: Sequence[float] | None = None,
) -> PointMatching:
    """Points compared with true ones.

    As many pairs as possible are made, each of one true and one found point no further apart than
    the tolerance, and among all such choices those whose distances add up to the least.

    Parameters
    ----------
    truth, found : (n, ndim), (m, ndim) float
        Positions in voxels, (z)yx.
    tolerance : float
        In the units of ``spacing``.
    spacing : sequence of float, optional
        Size of a voxel, (z)yx, µm; None = 1.

    Returns
    -------
    PointMatching

    Examples
    --------
    >>> true, found = np.array([[0.0, 0], [0, 9]]), np.array([[0.0, 1], [5, 5]])
    >>> match_points(true, found, tolerance=2)[:4]
    (2, 1, 1, 1)
    """
    ndim = max(np.shape(truth)[-1], np.shape(found)[-1])
    scale = np.asarray(spacing or (1.0,) * ndim, float)
    one = np.asarray(truth, float).reshape(-1, ndim) * scale
    other = np.asarray(found, float).reshape(-1, ndim) * scale
    pairs, distances = _assigned(one, other, tolerance)
    return scored(tolerance, len(other) - len(pairs), len(one) - len(pairs), pairs, distances)


def pooled_points(results: Sequence[PointMatching]) -> PointMatching:
    """The scores of the points of several images together, without their pairs.

    Parameters
    ----------
    results : of :func:`match_points` of every image, with the same tolerance; at least one

    Returns
    -------
    PointMatching
    """
    fp, fn = (sum(getattr(one, name) for one in results) for name in ("fp", "fn"))
    distances = np.concatenate([one.distances for one in results])
    return scored(results[0].tolerance, fp, fn, results[0].pairs[:0], distances)


def scored(
    tolerance: float, fp: int, fn: int, pairs: np.ndarray, distances: np.ndarray
) -> PointMatching:
    """The scores that follow from what was found, made up and missed.

    Parameters
    ----------
    tolerance : within which was looked, µm
    fp, fn : how many were spurious, and missed
    pairs, distances : of what was found, see :class:`PointMatching`

    Returns
    -------
    PointMatching
    """
    tp = len(distances)
    nothing = not tp + fp + fn
    return PointMatching(
        tolerance, tp, fp, fn,
        np.nan if nothing else tp / max(1, tp + fp),
        np.nan if nothing else tp / max(1, tp + fn),
        np.nan if nothing else 2 * tp / (2 * tp + fp + fn),
        float(distances.mean()) if tp else np.nan, pairs, distances,
    )  # fmt: skip


def _assigned(
    one: np.ndarray, other: np.ndarray, tolerance: float
) -> tuple[np.ndarray, np.ndarray]:
    """The pairs of the best assignment, in groups of points that can reach each other."""
    none = np.zeros((0, 2), int), np.zeros(0)
    if not len(one) or not len(other):
        return none
    near = cKDTree(one).sparse_distance_matrix(
        cKDTree(other), tolerance * (1 + 1e-12), output_type="coo_matrix"
    )
    rows, columns = near.row, near.col
    if not len(rows):
        return none
    size = len(one) + len(other)
    links = coo_array((np.ones(len(rows), bool), (rows, len(one) + columns)), shape=(size, size))
    _, group = connected_components(links, directed=False)
    order = np.argsort(group[rows], kind="stable")
    cuts = np.flatnonzero(np.diff(group[rows][order])) + 1
    pairs = [_best(rows[part], columns[part], near.data[part], tolerance)
             for part in np.split(order, cuts)]  # fmt: skip
    found = np.concatenate(pairs)
    found = found[np.argsort(found[:, 0], kind="stable")]
    return found, np.linalg.norm(one[found[:, 0]] - other[found[:, 1]], axis=1)


def _best(
    rows: np.ndarray, columns: np.ndarray, distances: np.ndarray, tolerance: float
) -> np.ndarray:
    """The best assignment of one group, (pairs, 2)."""
    if len(rows) == 1:
        return np.stack([rows, columns], axis=1)
    (left, one), (right, other) = (np.unique(side, return_inverse=True) for side in (rows, columns))
    # A pair is worth more than any saving of distance.
    unpaired = (tolerance + 1.0) * (min(len(left), len(right)) + 1)
    cost = np.full((len(left), len(right)), unpaired)
    cost[one, other] = distances
    chosen = linear_sum_assignment(cost)
    kept = cost[chosen] < unpaired
    return np.stack([left[chosen[0][kept]], right[chosen[1][kept]]], axis=1)
