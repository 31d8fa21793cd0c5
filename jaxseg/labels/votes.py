"""The class of an object from the classes of its voxels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from jaxseg.labels.overlap import overlap


class Votes(NamedTuple):
    """Objects and their classes.

    Parameters
    ----------
    ids : (objects,) in ascending order, of the type of the labels
    classes : (objects,) int64; 0 where no voxel has a class
    """

    ids: np.ndarray
    classes: np.ndarray


def majority(labels: np.ndarray, classes: np.ndarray, *, voxels: np.ndarray | None = None) -> Votes:
    """The most frequent class of every object; of equally frequent ones the smallest.

    Parameters
    ----------
    labels : (*S) non-negative integers of any type, any ids; 0 = background
    classes : (*S) non-negative integers; 0 = background, which is no vote
    voxels : (*S) int64, how many voxels each element stands for; None = 1

    Returns
    -------
    Votes

    Raises
    ------
    InputError : different shapes, or values that are not integers or are negative

    >>> majority(np.array([5, 5, 5, 9, 9, 0]), np.array([0, 2, 3, 0, 0, 1]))
    Votes(ids=array([5, 9]), classes=array([2, 0]))
    """
    table = overlap(labels, classes, voxels=voxels)
    names = table.labels_ids.astype(np.int64)
    # Ascending by object, then by votes, then from the last class to the first.
    order = np.lexsort((-table.cols, table.shared, table.rows))
    found = np.zeros(len(table.true_ids), np.int64)
    # Of several assignments to one object the last one stays.
    found[table.rows[order]] = names[table.cols[order]]
    return Votes(table.true_ids, found)


def painted(labels: np.ndarray, votes: Votes) -> np.ndarray:
    """The class of its object at every voxel.

    Parameters
    ----------
    labels : (*S) with the ids of the votes
    votes : of :func:`majority`

    Returns
    -------
    (*S) uint8, or uint16 for classes above 255; 0 = background

    >>> painted(np.array([0, 9, 5]), Votes(np.array([5, 9]), np.array([2, 1])))
    array([0, 1, 2], dtype=uint8)
    """
    dtype = np.uint8 if votes.classes.max(initial=0) < 2**8 else np.uint16
    table = np.append(votes.classes, 0).astype(dtype)
    places = np.searchsorted(votes.ids, labels)
    return np.where(labels > 0, table[places], dtype(0))
