"""Which predicted object stands for which true one: the best assignment of a sparse table."""

from __future__ import annotations

import math

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, min_weight_full_bipartite_matching

from jaxseg.labels.overlap import Overlap

# Pairs that are assigned in one go, unless more of them hang together.
GROUP = 500


def matched(table: Overlap, threshold: float) -> np.ndarray:
    """Pairs that match: those of the best assignment with an IoU of at least ``threshold``.

    Above an IoU of 0.5 no object can have two, so that nothing has to be assigned.

    Parameters
    ----------
    table : of the overlapping objects
    threshold : least IoU, above 0

    Returns
    -------
    (pairs,) bool
    """
    matches = table.iou >= threshold
    if _are_alone(table, matches):
        return matches
    return assigned(table, threshold) & matches


def assigned(table: Overlap, threshold: float) -> np.ndarray:
    """Pairs of the assignment with most matches and, among those, the largest sum of IoU.

    The sum is over all assigned pairs that overlap, whether they match or not.

    Parameters
    ----------
    table : of the overlapping objects
    threshold : a pair matches if its IoU is at least this

    Returns
    -------
    (pairs,) bool, at most one pair per object
    """
    iou = table.iou
    matches = iou >= threshold
    smaller = min(len(table.true_ids), len(table.labels_ids))
    worth = matches + iou / (2 * max(smaller, 1))
    chosen = matches if _are_alone(table, matches) else matches & (iou > _certain(threshold))
    left_rows, left_cols = np.ones(len(table.true_ids), bool), np.ones(len(table.labels_ids), bool)
    left_rows[table.rows[chosen]] = False
    left_cols[table.cols[chosen]] = False
    free = left_rows[table.rows] & left_cols[table.cols]
    chosen[free] = _heaviest(table.rows[free], table.cols[free], worth[free])
    return chosen


def _certain(threshold: float) -> float:
    """An IoU above which a pair is in the best assignment, whatever else there is.

    Objects of an image do not overlap. With ``a`` voxels shared by a pair and ``p`` and ``q``
    others in its two objects, pairs with third objects have IoU of at most ``p / (a + p)`` and
    ``q / (a + q)``. Above the first bound not both of these match; above the second their sum is
    smaller than the IoU of the pair. So to part it never pays.
    """
    return max((1 - threshold) / (1 + threshold), (math.sqrt(17) - 3) / 2)


def _are_alone(table: Overlap, matches: np.ndarray) -> bool:
    """Whether no object has two matches."""
    rows, cols = table.rows[matches], table.cols[matches]
    return bool(np.bincount(rows).max(initial=0) <= 1 and np.bincount(cols).max(initial=0) <= 1)


def _heaviest(rows: np.ndarray, cols: np.ndarray, worth: np.ndarray) -> np.ndarray:
    """Which pairs are in the matching with the largest total worth, all worths being positive."""
    chosen = np.zeros(len(rows), bool)
    if not rows.size:
        return chosen
    rows, cols = (np.unique(index, return_inverse=True)[1] for index in (rows, cols))
    for group in _groups(rows, cols):
        chosen[group] = _heaviest_of_group(rows[group], cols[group], worth[group])
    return chosen


def _groups(rows: np.ndarray, cols: np.ndarray) -> list[np.ndarray]:
    """Pairs in groups that share no object, none much larger than it must be.

    The time of an assignment grows faster than its size.
    """
    count = int(rows.max()) + 1
    size = count + int(cols.max()) + 1
    graph = coo_array((np.ones(len(rows), bool), (rows, count + cols)), shape=(size, size))
    parts = connected_components(graph, directed=False)[1][rows]
    order = np.argsort(parts, kind="stable")
    sizes = np.bincount(parts)
    group_of_part = np.cumsum(sizes) // GROUP
    return np.split(order, np.flatnonzero(np.diff(group_of_part[parts[order]])) + 1)


def _heaviest_of_group(rows: np.ndarray, cols: np.ndarray, worth: np.ndarray) -> np.ndarray:
    """The best matching of one group."""
    rows, cols = (np.unique(index, return_inverse=True)[1] for index in (rows, cols))
    n_rows, n_cols = int(rows.max()) + 1, int(cols.max()) + 1
    # A column of its own lets every row stay alone; weights must not be 0, so all are shifted.
    alone = np.arange(n_rows)
    weights = np.concatenate([1 + worth, np.ones(n_rows)])
    graph = coo_array(
        (weights, (np.concatenate([rows, alone]), np.concatenate([cols, n_cols + alone]))),
        shape=(n_rows, n_cols + n_rows),
    ).tocsr()
    chosen = np.full(n_rows, -1)
    row_of, col_of = min_weight_full_bipartite_matching(graph, maximize=True)
    chosen[row_of] = col_of
    return chosen[rows] == cols
