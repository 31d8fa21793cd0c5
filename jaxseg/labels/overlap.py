"""Which objects of two label images overlap, and by how much: a sparse contingency table."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array

from jaxseg.labels.runs import paired_runs

# A table with a row per id is made if it has at most so many rows per run.
DIRECT = 8


class Overlap(NamedTuple):
    """The objects of two label images and the pairs that share voxels.

    Parameters
    ----------
    true_ids, labels_ids : (n_true,), (n_pred,) ids in ascending order, of the images' types
    true_sizes, labels_sizes : (n_true,), (n_pred,) int64 voxels
    rows, cols : (pairs,) int64 indices of the two objects of every pair that shares voxels
    shared : (pairs,) int64 voxels
    """

    true_ids: np.ndarray
    labels_ids: np.ndarray
    true_sizes: np.ndarray
    labels_sizes: np.ndarray
    rows: np.ndarray
    cols: np.ndarray
    shared: np.ndarray

    @property
    def iou(self) -> np.ndarray:
        """(pairs,) float64 intersection over union."""
        union = self.true_sizes[self.rows] + self.labels_sizes[self.cols] - self.shared
        return self.shared / union


def overlap(truth: np.ndarray, labels: np.ndarray, *, voxels: np.ndarray | None = None) -> Overlap:
    """Count the voxels that every pair of objects shares.

    Time grows with the number of voxels, memory with the number of pairs that overlap.

    Parameters
    ----------
    truth, labels : (*S) non-negative integers of any type, any ids; 0 = background
    voxels : (*S) int64, how many voxels each element stands for; None = 1

    Returns
    -------
    Overlap

    Raises
    ------
    InputError : different shapes, or labels that are not integers or are negative

    >>> found = overlap(np.array([0, 5, 5, 9]), np.array([1, 1, 2, 2]))
    >>> found.rows, found.cols, found.shared
    (array([0, 0, 1]), array([0, 1, 1]), array([1, 1, 1]))
    """
    runs = paired_runs(truth, labels, voxels)
    true_ids, numbers, true_sizes = _numbered(runs.truth, runs.lengths)
    labels_ids, others, labels_sizes = _numbered(runs.labels, runs.lengths)
    both = (runs.truth > 0) & (runs.labels > 0)
    # One bucket per true object, then sorted within: linear in the number of runs.
    pairs = coo_array(
        (runs.lengths[both], (numbers[both], others[both])),
        shape=(max(len(true_ids), 1), max(len(labels_ids), 1)),
    ).tocsr()
    pairs.sort_indices()
    rows = np.repeat(np.arange(pairs.shape[0]), np.diff(pairs.indptr))
    cols, shared = pairs.indices.astype(np.int64), pairs.data
    return Overlap(true_ids, labels_ids, true_sizes, labels_sizes, rows, cols, shared)


def _numbered(values: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, ...]:
    """The ids in ascending order, for every run the place of its id in them, and their voxels.

    The place of the background, 0, is of no meaning.
    """
    largest = int(values.max(initial=0))
    if largest < max(DIRECT * len(values), 2**16):
        # Counts stay exact in the float64 of the weights.
        totals = np.bincount(values.astype(np.int64), weights=lengths, minlength=1)
        totals[0] = 0
        found = np.flatnonzero(totals)
        places = np.zeros(len(totals), np.int64)
        places[found] = np.arange(len(found))
        return found.astype(values.dtype), places[values], totals[found].astype(np.int64)
    ids, sizes = _summed(values[values > 0], lengths[values > 0])
    return ids, np.searchsorted(ids, values), sizes


def _summed(keys: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The different keys in ascending order, and the sum of the lengths of each."""
    order = np.argsort(keys, kind="stable")
    keys, lengths = keys[order], lengths[order]
    first = np.flatnonzero(
        np.concatenate([np.ones(min(keys.size, 1), bool), keys[1:] != keys[:-1]])
    )
    sums = np.add.reduceat(lengths, first) if first.size else np.zeros(0, np.int64)
    return keys[first], sums
