"""Two label images as runs of equal pairs: all that counting needs, and far fewer than voxels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxseg.errors import InputError


class Runs(NamedTuple):
    """Stretches, in the order of the arrays, in which neither image changes.

    Parameters
    ----------
    truth, labels : (runs,) the values, of the images' types
    lengths : (runs,) int64 voxels
    """

    truth: np.ndarray
    labels: np.ndarray
    lengths: np.ndarray


def paired_runs(truth: np.ndarray, labels: np.ndarray, voxels: np.ndarray | None = None) -> Runs:
    """The runs of two label images.

    Parameters
    ----------
    truth, labels : (*S) non-negative integers of any type, any ids
    voxels : (*S) int64, how many voxels each element stands for, see
        :class:`jaxseg.labels.tally.Tally`; None = 1

    Returns
    -------
    Runs

    Raises
    ------
    InputError : different shapes, or labels that are not integers or are negative

    >>> paired_runs(np.array([[0, 5], [5, 5]]), np.array([[0, 0], [0, 1]])).lengths
    array([1, 2, 1])
    """
    truth, labels = np.asarray(truth), np.asarray(labels)
    if truth.shape != labels.shape:
        raise InputError(
            "truth and labels differ in size", expected=truth.shape, found=labels.shape
        )
    rows, cols = truth.ravel(), labels.ravel()
    changes = (rows[1:] != rows[:-1]) | (cols[1:] != cols[:-1])
    starts = np.concatenate([np.zeros(min(rows.size, 1), np.int64), np.flatnonzero(changes) + 1])
    if voxels is None or not starts.size:
        lengths = np.diff(starts, append=rows.size)
    else:
        lengths = np.add.reduceat(voxels.ravel(), starts)
    return Runs(_checked(rows[starts], "truth"), _checked(cols[starts], "labels"), lengths)


def _checked(values: np.ndarray, name: str) -> np.ndarray:
    """Refuse what is no label."""
    if values.dtype.kind not in "iub":
        raise InputError(f"{name} is not an image of integers", found=values.dtype)
    if values.dtype.kind == "i" and values.min(initial=0) < 0:
        raise InputError(f"{name} has negative values", found=values.min())
    return values.view(np.uint8) if values.dtype == bool else values
