"""What became of every object of a comparison: what pictures show in colours."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxseg.metrics import Matching, associations, matching


class Verdict(NamedTuple):
    """The judgement of whole images, for pictures of any part of them.

    Parameters
    ----------
    counts : numbers of objects, and scores
    missed : (n,) ids of true objects that nothing matches
    spurious : (n,) ids of predicted objects that match nothing
    """

    counts: Matching
    missed: np.ndarray
    spurious: np.ndarray


def judged(
    truth: np.ndarray,
    labels: np.ndarray,
    *,
    threshold: float = 0.5,
    voxels: np.ndarray | None = None,
) -> Verdict:
    """Judge all objects.

    Parameters
    ----------
    truth, labels : (*S) non-negative integers, any ids; 0 = background
    threshold : least IoU of a match
    voxels : (*S) int64, how many voxels each element stands for; None = 1

    Returns
    -------
    Verdict

    Raises
    ------
    InputError : different shapes, or labels that are not integers or are negative
    """
    found, wrong = associations(truth, labels, threshold=threshold, voxels=voxels)
    counts = matching(truth, labels, thresholds=(threshold,), voxels=voxels)[0]
    return Verdict(counts, found.gt_id[found.tag == "FN"].to_numpy(), wrong.pred_id.to_numpy())
