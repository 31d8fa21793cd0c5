"""How well objects of every class are found, and how often a found object has the right class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxseg.labels.overlap import overlap
from jaxseg.labels.unknown import without_unknown
from jaxseg.labels.votes import majority, painted
from jaxseg.metrics.assignment import matched
from jaxseg.metrics.matching import Matching, matching


class ClassMatching(NamedTuple):
    """Agreement of objects with classes at some thresholds.

    Parameters
    ----------
    per_class : for every class but the background, in their order, a Matching per threshold
    confusion : (thresholds, classes, classes) int64, matched objects by true and predicted class
    """

    per_class: tuple[tuple[Matching, ...], ...]
    confusion: np.ndarray

    def accuracy(self) -> np.ndarray:
        """Share of the matched objects that have the right class.

        Returns
        -------
        (thresholds,) float64; nan where nothing matches
        """
        right = np.trace(self.confusion, axis1=1, axis2=2)
        every = self.confusion.sum(axis=(1, 2))
        return np.divide(right, every, out=np.full(len(every), np.nan), where=every > 0)


def matching_by_class(
    truth: np.ndarray,
    labels: np.ndarray,
    *,
    true_classes: np.ndarray,
    classes: np.ndarray,
    number: int,
    ignore: int = -1,
    thresholds: Sequence[float] = (0.5,),
    voxels: np.ndarray | None = None,
) -> ClassMatching:
    """Match objects class by class, and count the classes of objects that match regardless of it.

    An object has the class of most of its voxels. True objects without a class, or with the one to
    ignore, are unknown: what lies on them is not judged, see :func:`without_unknown`.

    Parameters
    ----------
    truth, labels : (*S) non-negative integers, any ids; 0 = background
    true_classes, classes : (*S) int, their classes; 0 = background
    number : of classes, background included
    ignore : a class that says nothing; -1 = none
    thresholds : of the intersection over union
    voxels : (*S) int64, how many voxels each element stands for; None = 1

    Returns
    -------
    ClassMatching

    Raises
    ------
    InputError : different shapes, or labels that are not integers or are negative

    >>> truth, labels = np.array([1, 1, 0, 2, 2]), np.array([1, 1, 0, 3, 3])
    >>> found = matching_by_class(truth, labels, true_classes=np.array([1, 1, 0, 2, 2]),
    ...                           classes=np.array([1, 1, 0, 1, 1]), number=3)
    >>> [one[0].f1 for one in found.per_class], found.accuracy()
    ([0.6666666666666666, 0.0], array([0.5]))
    """
    of_truth = painted(truth, majority(truth, true_classes, voxels=voxels))
    unknown = (truth > 0) & ((of_truth == 0) | (of_truth == ignore))
    truth, labels = without_unknown(truth, labels, unknown, voxels=voxels)
    of_labels = painted(labels, majority(labels, classes, voxels=voxels))
    per_class = tuple(
        matching(
            _only(truth, of_truth, one),
            _only(labels, of_labels, one),
            thresholds=thresholds,
            voxels=voxels,
        )
        for one in range(1, number)
    )
    return ClassMatching(
        per_class, _confusion(truth, labels, of_truth, of_labels, number, thresholds, voxels)
    )


def _only(labels: np.ndarray, classes: np.ndarray, one: int) -> np.ndarray:
    return np.where(classes == one, labels, labels.dtype.type(0))


def _confusion(
    truth: np.ndarray,
    labels: np.ndarray,
    of_truth: np.ndarray,
    of_labels: np.ndarray,
    number: int,
    thresholds: Sequence[float],
    voxels: np.ndarray | None,
) -> np.ndarray:
    table = overlap(truth, labels, voxels=voxels)
    rows = majority(truth, of_truth, voxels=voxels).classes
    cols = majority(labels, of_labels, voxels=voxels).classes
    counts = np.zeros((len(thresholds), number, number), np.int64)
    for place, threshold in enumerate(thresholds):
        pairs = matched(table, threshold)
        np.add.at(counts[place], (rows[table.rows[pairs]], cols[table.cols[pairs]]), 1)
    return counts
