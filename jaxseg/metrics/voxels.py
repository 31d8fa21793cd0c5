"""Agreement of classes voxel by voxel: counts that can be summed over images, and scores."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxseg.errors import InputError
from jaxseg.labels.runs import paired_runs


class ClassCounts(NamedTuple):
    """Voxels per class; counts of several images or blocks are summed before scores are made.

    Parameters
    ----------
    shared : (classes,) int64, of the class in both images
    truth, labels : (classes,) int64, of the class in either image
    """

    shared: np.ndarray
    truth: np.ndarray
    labels: np.ndarray

    def plus(self, other: ClassCounts) -> ClassCounts:
        """The counts of two images together."""
        return ClassCounts(*(a + b for a, b in zip(self, other, strict=True)))


def class_counts(
    truth: np.ndarray,
    labels: np.ndarray,
    *,
    classes: int,
    ignore: int = -1,
    voxels: np.ndarray | None = None,
) -> ClassCounts:
    """Count the voxels of every class.

    Parameters
    ----------
    truth, labels : (*S) integers 0 .. classes - 1
    classes : their number, background included
    ignore : voxels of which ``truth`` has this value do not count; -1 = none
    voxels : (*S) int64, how many voxels each element stands for; None = 1

    Returns
    -------
    ClassCounts

    Raises
    ------
    InputError : different shapes, labels that are not integers or are negative, or a class beyond
        the number of classes where it counts

    >>> class_counts(np.array([0, 1, 1, 9]), np.array([1, 1, 1, 1]), classes=2, ignore=9).shared
    array([0, 2])
    """
    runs = paired_runs(truth, labels, voxels)
    counted = runs.truth != ignore
    rows, cols = (values[counted].astype(np.int64) for values in (runs.truth, runs.labels))
    for name, values in (("truth", rows), ("labels", cols)):
        if values.max(initial=0) >= classes:
            raise InputError(
                f"{name} has a value that is no class",
                expected=f"0 to {classes - 1}",
                found=values.max(),
                fix="set the number of classes, or the value to ignore",
            )
    table = np.zeros((classes, classes), np.int64)
    np.add.at(table, (rows, cols), runs.lengths[counted])
    return ClassCounts(np.diagonal(table).copy(), table.sum(axis=1), table.sum(axis=0))


def iou(counts: ClassCounts) -> np.ndarray:
    """Intersection over union of every class.

    Returns
    -------
    (classes,) float64; nan for a class that is in neither image

    >>> iou(class_counts(np.array([0, 1, 1]), np.array([1, 1, 1]), classes=3))
    array([0.        , 0.66666667,        nan])
    """
    return _ratio(counts.shared, counts.truth + counts.labels - counts.shared)


def dice(counts: ClassCounts) -> np.ndarray:
    """Dice coefficient of every class, twice the intersection over the sum of sizes.

    Returns
    -------
    (classes,) float64; nan for a class that is in neither image
    """
    return _ratio(2 * counts.shared, counts.truth + counts.labels)


def iou_per_class(
    truth: np.ndarray, labels: np.ndarray, *, classes: int, ignore: int = -1
) -> np.ndarray:
    """Intersection over union of every class of one pair of images; see :func:`class_counts`.

    For the foreground of labels as a whole compare ``truth > 0`` with ``labels > 0`` as two classes
    and take the second.

    Parameters
    ----------
    truth, labels : (*S) integers, the classes
    classes : number of classes
    ignore : value of unannotated voxels in ``truth``; -1 = none

    Returns
    -------
    (classes,) float64; nan for a class that is in neither image

    >>> iou_per_class(np.array([0, 1, 1, 1]), np.array([0, 0, 1, 1]), classes=2)
    array([0.5       , 0.66666667])
    """
    return iou(class_counts(truth, labels, classes=classes, ignore=ignore))


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
