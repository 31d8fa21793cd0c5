"""Which predicted object stands for which true one: the best assignment of a sparse table."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

from jaxseg.metrics.overlap import Overlap


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
    matches = table.iou >= threshold
    smaller = min(len(table.true_ids), len(table.labels_ids))
    worth = matches + table.iou / (2 * max(smaller, 1))
    if not _are_alone(table, matches):
        return _heaviest(table.rows, table.cols, worth)
    # Every match is the only one of its objects, so that all are in the best assignment.
    free = ~np.isin(table.rows, table.rows[matches]) & ~np.isin(table.cols, table.cols[matches])
    matches[free] = _heaviest(table.rows[free], table.cols[free], worth[free])
    return matches


def _are_alone(table: Overlap, matches: np.ndarray) -> bool:
    """Whether no object has two matches."""
    rows, cols = table.rows[matches], table.cols[matches]
    return bool(np.bincount(rows).max(initial=0) <= 1 and np.bincount(cols).max(initial=0) <= 1)


def _heaviest(rows: np.ndarray, cols: np.ndarray, worth: np.ndarray) -> np.ndarray:
    """Which pairs are in the matching with the largest total worth, all worths being positive."""
    if not rows.size:
        return np.zeros(0, bool)
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
