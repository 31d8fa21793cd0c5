"""Which predicted object stands for which true one, as tables."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from jaxseg.labels.overlap import overlap
from jaxseg.metrics.assignment import assigned


class Associations(NamedTuple):
    """The two tables of :func:`associations`.

    Parameters
    ----------
    gt_assoc : one row per true object, by ascending id: ``gt_id``; ``pred_id``, the predicted
        object assigned to it, -1 = none; ``iou`` of the two, 0 = none; ``tag``, TP if the IoU
        reaches the threshold, else FN
    fp : one row per predicted object that matches none, by ascending id: ``pred_id``
    """

    gt_assoc: pd.DataFrame
    fp: pd.DataFrame


def associations(
    truth: np.ndarray,
    labels: np.ndarray,
    *,
    threshold: float = 0.5,
    voxels: np.ndarray | None = None,
) -> Associations:
    """The assignment behind :func:`jaxseg.metrics.matching`, object by object.

    Parameters
    ----------
    truth, labels : (*S) non-negative integers, any ids; 0 = background
    threshold : least IoU of a match
    voxels : (*S) int64, how many voxels each element stands for; None = 1

    Returns
    -------
    Associations; tables without rows where there are no objects

    Raises
    ------
    InputError : different shapes, or labels that are not integers or are negative

    >>> found = associations(np.array([0, 5, 5, 6]), np.array([9, 3, 3, 0]))
    >>> found.gt_assoc.values.tolist(), found.fp.pred_id.tolist()
    ([[5, 3, 1.0, 'TP'], [6, -1, 0.0, 'FN']], [9])
    """
    table = overlap(truth, labels, voxels=voxels)
    pairs = assigned(table, threshold)
    partner = np.full(len(table.true_ids), -1)
    partner[table.rows[pairs]] = table.cols[pairs]
    iou = np.zeros(len(partner))
    iou[table.rows[pairs]] = table.iou[pairs]
    found = iou >= threshold
    names = [int(table.labels_ids[col]) if col >= 0 else -1 for col in partner]
    gt_assoc = pd.DataFrame(
        {
            "gt_id": table.true_ids,
            "pred_id": pd.array(names, dtype=object if _beyond_int64(names) else np.int64),
            "iou": iou,
            "tag": np.where(found, "TP", "FN"),
        }
    )
    wrong = np.ones(len(table.labels_ids), bool)
    wrong[partner[found]] = False
    return Associations(gt_assoc, pd.DataFrame({"pred_id": table.labels_ids[wrong]}))


def _beyond_int64(names: list[int]) -> bool:
    """Whether an id beside -1 fits no 64-bit type."""
    return max(names, default=0) > np.iinfo(np.int64).max
