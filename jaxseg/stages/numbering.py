"""Ids of whole objects out of the pieces that blocks found: a pure function of tables.

A piece is a local id of a block. Pieces that neighbours recognised as the same are joined; the
objects are numbered in the order of their first voxels in the volume. No id depends on which job
did which block, or when.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from jaxseg.decoding.judging import sure

# Of a piece that has no voxel in the core of its block, only in the band.
NOWHERE = np.iinfo(np.int64).max


class Numbering(NamedTuple):
    """The object of every piece.

    Parameters
    ----------
    ids : (pieces,) uint64, 0 = dropped or without a voxel
    objects : number of objects, the largest id
    joined : pieces with voxels that were joined to another one
    """

    ids: np.ndarray
    objects: int
    joined: int


def number_objects(
    voxels: np.ndarray,
    first: np.ndarray,
    pairs: np.ndarray,
    *,
    min_size: int = 1,
    steps: np.ndarray | None = None,
    min_mean: float = 0.0,
) -> Numbering:
    """Join pieces into objects and number them 1..N in the order of their first voxels.

    Time grows with the number of pieces, memory by about 60 bytes for each.

    Parameters
    ----------
    voxels : (pieces,) int64, voxels of every piece in the core of its block
    first : (pieces,) int64, place of the first of them in the volume in C order; ``NOWHERE``
        without any
    pairs : (n, 2) int64, pieces of one object
    min_size : objects of fewer voxels are dropped
    steps, min_mean : (pieces,) int64, sums of their foreground, read for objects of a lower mean
        to be dropped, see :func:`jaxseg.decoding.judging.sure`

    Returns
    -------
    Numbering

    >>> found = number_objects(
    ...     np.array([3, 4, 2]), np.array([5, 0, 9]), np.array([[0, 2]]), min_size=5
    ... )
    >>> found.ids, found.objects, found.joined
    (array([1, 0, 1], dtype=uint64), 1, 2)
    """
    parts = _joined(len(voxels), pairs)
    sizes = _summed(parts, voxels)
    starts = np.full(len(voxels), NOWHERE, np.int64)
    np.minimum.at(starts, parts, first)
    stays = sizes >= max(min_size, 1)
    if min_mean and steps is not None:
        stays &= sure(_summed(parts, steps), sizes, min_mean)
    kept = np.flatnonzero(stays)
    kept = kept[np.argsort(starts[kept], kind="stable")]
    number = np.zeros(len(voxels), np.uint64)
    number[kept] = np.arange(1, len(kept) + 1, dtype=np.uint64)
    owned = voxels > 0
    pieces = np.bincount(parts[owned], minlength=1)
    ids = np.where(owned, number[parts], np.uint64(0))
    return Numbering(ids, len(kept), int(pieces[pieces > 1].sum()))


def _summed(parts: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Sums over the pieces of each part, at its number, (pieces,) int64."""
    sums = np.zeros(len(parts), np.int64)
    np.add.at(sums, parts, values)
    return sums


def _joined(count: int, pairs: np.ndarray) -> np.ndarray:
    """For every piece the smallest piece that it is joined with, (count,) int64."""
    parts = np.arange(count)
    if not len(pairs):
        return parts
    # Most pieces meet no neighbour: the graph holds only those that do.
    members, ends = np.unique(pairs, return_inverse=True)
    ends = ends.reshape(-1, 2)
    ones = np.ones(len(ends), bool)
    graph = coo_array((ones, (ends[:, 0], ends[:, 1])), shape=(len(members),) * 2)
    _, groups = connected_components(graph, directed=False)
    _, smallest = np.unique(groups, return_index=True)
    parts[members] = members[smallest][groups]
    return parts
