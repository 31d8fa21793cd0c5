"""Matching as it is written down: the reference that ours is compared with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment


def dense_matching(
    truth: np.ndarray, labels: np.ndarray, thresholds: Sequence[float]
) -> list[tuple[int, float]]:
    """A dense table of overlaps and the Hungarian method on all of it; counts and sums of IoU."""
    table = np.zeros((int(truth.max()) + 1, int(labels.max()) + 1), np.int64)
    np.add.at(table, (truth.ravel(), labels.ravel()), 1)
    union = table.sum(1, keepdims=True) + table.sum(0, keepdims=True) - table
    scores = (table / np.maximum(union, 1))[1:, 1:]
    found = []
    for threshold in thresholds:
        worth = (scores >= threshold) + scores / (2 * min(scores.shape))
        matched = scores[linear_sum_assignment(-worth)]
        matched = matched[matched >= threshold]
        found.append((len(matched), float(matched.sum())))
    return found
