"""How many pairs of synaptic sites were found: both ends must be those of one true pair."""

from __future__ import annotations

import numpy as np

from jaxseg.metrics.points import PointMatching, scored


def match_pairs(
    truth: np.ndarray, found: np.ndarray, *, pre: PointMatching, post: PointMatching
) -> PointMatching:
    """Pairs compared with true ones.

    A pair is right if its presynaptic site stands for that of a true pair, and its postsynaptic
    site for that of the same pair.

    Parameters
    ----------
    truth, found : (n, 2), (m, 2) int
        Rows of the pre- and of the postsynaptic site of every pair; no pair twice.
    pre, post : PointMatching
        Which sites stand for which, with the same tolerance.

    Returns
    -------
    PointMatching
        ``pairs`` are rows of ``truth`` and of ``found``; the distance of a pair is that of its end
        that is further away.

    Examples
    --------
    >>> from jaxseg.metrics.points import match_points
    >>> sites = np.array([[0.0, 0.0], [0.0, 9.0]])
    >>> same = match_points(sites, sites, tolerance=1)
    >>> match_pairs(np.array([[0, 0], [0, 1]]), np.array([[0, 0], [1, 1]]), pre=same, post=same)[:4]
    (1, 1, 1, 1)
    """
    truth, found = (np.asarray(one, np.int64).reshape(-1, 2) for one in (truth, found))
    sides = zip((pre, post), found.T, strict=True)
    stands, away = zip(*(_stands_for(match, rows) for match, rows in sides), strict=True)
    right = (stands[0] >= 0) & (stands[1] >= 0)
    rows = {pair: row for row, pair in enumerate(map(tuple, truth.tolist()))}
    meant = np.stack(stands, axis=1).tolist()
    true = np.array([rows.get(tuple(pair), -1) for pair in meant], np.int64).reshape(-1)
    right &= true >= 0
    pairs = np.stack([true[right], np.flatnonzero(right)], axis=1)
    distances = np.maximum(*away)[right]
    order = np.argsort(pairs[:, 0], kind="stable")
    count = len(pairs)
    return scored(
        pre.tolerance, len(found) - count, len(truth) - count, pairs[order], distances[order]
    )


def _stands_for(match: PointMatching, found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The true site that each found one stands for, -1 = none, and how far away it is."""
    length = 1 + max(int(found.max(initial=-1)), int(match.pairs[:, 1].max(initial=-1)), 0)
    sites, away = np.full(length, -1, np.int64), np.full(length, np.nan)
    sites[match.pairs[:, 1]] = match.pairs[:, 0]
    away[match.pairs[:, 1]] = match.distances
    return sites[found], away[found]
