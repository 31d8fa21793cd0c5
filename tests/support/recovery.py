"""How much of true objects a decoder finds again."""

from __future__ import annotations

import numpy as np

from jaxseg.metrics import matching


def recovered(truth: np.ndarray, labels: np.ndarray) -> float:
    """Mean IoU of the true objects."""
    return matching(truth, labels, thresholds=(1e-9,))[0].mean_true_score
