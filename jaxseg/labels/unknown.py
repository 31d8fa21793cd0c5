"""Voxels that nobody looked at, taken out of a comparison."""

from __future__ import annotations

import numpy as np

from jaxseg.labels.overlap import overlap


def without_unknown(
    truth: np.ndarray,
    labels: np.ndarray,
    unknown: np.ndarray,
    *,
    voxels: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Both label images without the voxels that are not known.

    Objects lose these voxels. Predicted objects of which more than half is unknown go altogether:
    what is left of them would be held against a prediction that nobody can judge (after the void
    regions of Kirillov et al. 2019).

    Parameters
    ----------
    truth, labels : (*S) non-negative integers of any type, any ids
    unknown : (*S) bool
    voxels : (*S) int64, how many voxels each element stands for; None = 1

    Returns
    -------
    truth, labels : copies, 0 where unknown

    >>> truth, labels = np.array([9, 9, 1, 1]), np.array([3, 3, 3, 4])
    >>> without_unknown(truth, labels, truth == 9)
    (array([0, 0, 1, 1]), array([0, 0, 0, 4]))
    """
    return cleared(truth, labels, unknown, hidden_objects(labels, unknown, voxels=voxels))


def hidden_objects(
    labels: np.ndarray, unknown: np.ndarray, *, voxels: np.ndarray | None = None
) -> np.ndarray:
    """Ids of the objects of which more than half is unknown.

    Parameters
    ----------
    labels : (*S) integers, 0 = background
    unknown : (*S) bool, unannotated voxels
    voxels : (*S) integers, how many voxels each element stands for; None = 1

    Returns
    -------
    (n,) ids
    """
    table = overlap(labels, unknown.astype(np.uint8), voxels=voxels)
    return table.true_ids[table.rows[2 * table.shared > table.true_sizes[table.rows]]]


def cleared(
    truth: np.ndarray, labels: np.ndarray, unknown: np.ndarray, hidden: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Both label images, or a part of them, without unknown voxels and hidden objects.

    Parameters
    ----------
    truth, labels : (*S) integers, 0 = background
    unknown : (*S) bool, unannotated voxels
    hidden : (n,) ids of ``labels`` that are removed

    Returns
    -------
    truth, labels : (*S), new arrays
    """
    gone = unknown | np.isin(labels, hidden)
    return np.where(unknown, truth.dtype.type(0), truth), np.where(
        gone, labels.dtype.type(0), labels
    )
