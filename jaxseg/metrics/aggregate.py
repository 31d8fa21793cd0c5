"""Matching statistics of a data set from those of its images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from jaxseg.metrics.matching import Matching, scored

SCORES = (
    "precision",
    "recall",
    "accuracy",
    "f1",
    "mean_true_score",
    "mean_matched_score",
    "panoptic_quality",
)


class Aggregate(NamedTuple):
    """Statistics of several images at one threshold.

    Parameters
    ----------
    matching : counts are sums, scores depend on how they were put together
    n_images : images given
    n_used : images with objects, true or predicted; the others say nothing about scores
    """

    matching: Matching
    n_images: int
    n_used: int


def aggregate(
    images: Sequence[Sequence[Matching]], *, by_image: bool = True
) -> tuple[Aggregate, ...]:
    """Put the results of several images together, threshold by threshold.

    Parameters
    ----------
    images : the result of :func:`jaxseg.metrics.matching` of every image, same thresholds
    by_image : mean of the scores over the images that have objects, so that every image counts the
        same; else scores of the summed counts, so that every object does

    Returns
    -------
    one Aggregate per threshold; scores are nan where no image has objects

    >>> from jaxseg.metrics import matching
    >>> import numpy as np
    >>> empty, full = np.zeros(4, int), np.array([0, 1, 1, 0])
    >>> images = [matching(full, full), matching(full, empty), matching(empty, empty)]
    >>> found = aggregate(images)[0]
    >>> found.matching.f1, found.matching.tp, found.n_images, found.n_used
    (0.5, 1, 3, 2)
    """
    return tuple(_at_threshold(column, by_image) for column in zip(*images, strict=True))


def _at_threshold(column: Sequence[Matching], by_image: bool) -> Aggregate:
    used = [found for found in column if found.n_true + found.n_pred]
    tp, n_true, n_pred = (
        sum(getattr(found, name) for found in used) for name in ("tp", "n_true", "n_pred")
    )
    total = math.fsum(found.mean_matched_score * found.tp for found in used)
    result = scored(column[0].thresh, tp, n_true, n_pred, total)
    if by_image and used:
        values = result._asdict()
        values |= {name: _mean([getattr(found, name) for found in used]) for name in SCORES}
        result = Matching(**values)
    return Aggregate(result, len(column), len(used))


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
