"""How many objects were found: counts and scores at thresholds of the overlap."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxseg.labels.overlap import overlap
from jaxseg.metrics.assignment import matched


class Matching(NamedTuple):
    """Agreement of predicted with true objects at one threshold.

    Parameters
    ----------
    thresh : least IoU of a match
    fp, tp, fn : predicted objects without a match, matches, true objects without a match
    precision, recall : matches over predicted objects, over true objects
    accuracy : ``tp / (tp + fp + fn)``, the average precision of the field's challenges
    f1 : ``2 tp / (2 tp + fp + fn)``
    n_true, n_pred : numbers of objects
    mean_true_score, mean_matched_score : sum of the IoU of matches over ``n_true``, over ``tp``
    panoptic_quality : that sum over ``tp + fp / 2 + fn / 2`` (Kirillov et al. 2019)
    """

    thresh: float
    fp: int
    tp: int
    fn: int
    precision: float
    recall: float
    accuracy: float
    f1: float
    n_true: int
    n_pred: int
    mean_true_score: float
    mean_matched_score: float
    panoptic_quality: float


def matching(
    truth: np.ndarray,
    labels: np.ndarray,
    *,
    thresholds: Sequence[float] = (0.5,),
    voxels: np.ndarray | None = None,
) -> tuple[Matching, ...]:
    """Match objects one to one and count, at each threshold of the intersection over union.

    As many objects as possible are matched; among such assignments the one with the largest sum of
    IoU counts. Definitions and results are those of ``stardist.matching``, except for two empty
    images.

    Parameters
    ----------
    truth, labels : (*S) non-negative integers, any ids; 0 = background
    thresholds : each above 0; a pair with exactly this IoU matches
    voxels : (*S) int64, how many voxels each element stands for; None = 1

    Returns
    -------
    one Matching per threshold. Without any true object or any prediction the scores are 0; with
    neither they are nan, because nothing was asked

    Raises
    ------
    InputError : different shapes, or labels that are not integers or are negative

    >>> truth, labels = np.array([0, 1, 1, 2, 2]), np.array([3, 3, 3, 4, 4])
    >>> [(m.tp, m.fp, m.fn, m.f1) for m in matching(truth, labels, thresholds=(0.5, 0.75))]
    [(2, 0, 0, 1.0), (1, 1, 1, 0.5)]
    """
    table = overlap(truth, labels, voxels=voxels)
    iou, n_true, n_pred = table.iou, len(table.true_ids), len(table.labels_ids)
    found = []
    for threshold in thresholds:
        scores = iou[matched(table, threshold)]
        found.append(scored(threshold, len(scores), n_true, n_pred, float(scores.sum())))
    return tuple(found)


def scored(threshold: float, tp: int, n_true: int, n_pred: int, total: float) -> Matching:
    """All scores from the counts and the sum of the IoU of the matches."""
    fp, fn = n_pred - tp, n_true - tp
    empty = math.nan if n_true + n_pred == 0 else 0.0

    def ratio(part: float, whole: float) -> float:
        return part / whole if whole else empty

    return Matching(
        thresh=float(threshold),
        fp=fp,
        tp=tp,
        fn=fn,
        precision=ratio(tp, tp + fp),
        recall=ratio(tp, tp + fn),
        accuracy=ratio(tp, tp + fp + fn),
        f1=ratio(2 * tp, 2 * tp + fp + fn),
        n_true=n_true,
        n_pred=n_pred,
        mean_true_score=ratio(total, n_true),
        mean_matched_score=ratio(total, tp),
        panoptic_quality=ratio(total, tp + fp / 2 + fn / 2),
    )
