"""How many points were found: one-to-one assignment within a tolerance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components, min_weight_full_bipartite_matching
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
    """The pairs of the best assignment, and their distances."""
    none = np.zeros((0, 2), int), np.zeros(0)
    if not len(one) or not len(other):
        return none
    near = cKDTree(one).sparse_distance_matrix(
        cKDTree(other), tolerance * (1 + 1e-12), output_type="coo_matrix"
    )
    rows, columns = near.row.astype(np.int64), near.col.astype(np.int64)
    if not len(rows):
        return none
    # Two points that can reach each other and no third one are a pair.
    alone = (np.bincount(rows)[rows] == 1) & (np.bincount(columns)[columns] == 1)
    pairs = np.stack([rows, columns], axis=1)
    best = _best(rows[~alone], columns[~alone], near.data[~alone], tolerance)
    found = np.concatenate([pairs[alone], best])
    found = found[np.argsort(found[:, 0], kind="stable")]
    return found, np.linalg.norm(one[found[:, 0]] - other[found[:, 1]], axis=1)


def _best(
    rows: np.ndarray, columns: np.ndarray, distances: np.ndarray, tolerance: float
) -> np.ndarray:
    """As many pairs as possible, and of all such choices the one of least distance, (pairs, 2)."""
    if not len(rows):
        return np.zeros((0, 2), np.int64)
    (left, one), (right, other) = (np.unique(side, return_inverse=True) for side in (rows, columns))
    count, width = len(left), len(right)
    # Costs above 0, as an edge of 0 would be none. A pair is worth more than any saving of distance
    # among points that can reach one another; who has none is given to a place of its own.
    links = coo_array((np.ones(len(one), bool), (one, count + other)), shape=(count + width,) * 2)
    _, group = connected_components(links, directed=False)
    unpaired = (2 * tolerance + 1.0) * (np.bincount(group).max() + 1)
    places = np.arange(count)
    cost = csr_array(
        (
            np.concatenate([distances + tolerance, np.full(count, unpaired)]),
            (np.concatenate([one, places]), np.concatenate([other, width + places])),
        ),
        shape=(count, width + count),
    )
    chosen, partner = min_weight_full_bipartite_matching(cost)
    paired = partner < width
    return np.stack([left[chosen[paired]], right[partner[paired]]], axis=1)
