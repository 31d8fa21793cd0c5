"""Where the objects of a label image are: the ids, and a few random voxels of each."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import fastremap
import numpy as np

from jaxseg.volume import Volume

# Voxels kept for all objects together, and at least for each of them.
POINTS = 2**16
LEAST = 16


class LabelIndex(NamedTuple):
    """Ids of a label image and places to find them.

    ``points[first[k]:first[k + 1]]`` are voxels of the object ``ids[k]``.
    """

    ids: np.ndarray
    """(K,) uint64, ascending, without 0."""
    first: np.ndarray
    """(K + 1,) int64."""
    points: np.ndarray
    """(P, ndim) int64, (z)yx."""
    voxels: np.ndarray | None = None
    """(K,) int64 how many voxels each object has; None where only the points are known."""

    @property
    def sizes(self) -> np.ndarray:
        """(K,) int64 voxels of each object, or how many points are known."""
        return np.diff(self.first) if self.voxels is None else self.voxels


class _Found(NamedTuple):
    """Voxels with a random key each; those with the smallest keys of an id are a fair sample."""

    ids: np.ndarray
    keys: np.ndarray
    points: np.ndarray


def index_labels(labels: Volume, *, ignore: int = -1) -> LabelIndex:
    """Ids of a label image and a random sample of the voxels of each, read once, slab by slab.

    Parameters
    ----------
    labels : (*S) integers
    ignore : a value to leave out besides 0; -1 = none

    Returns
    -------
    LabelIndex, the same for the same file

    >>> index = index_labels(Volume(np.array([[0, 7], [7, 9]]), "yx", (1.0, 1.0)))
    >>> index.ids, index.points[index.first[1] : index.first[2]]
    (array([7, 9], dtype=uint64), array([[1, 1]]))
    """
    ndim = labels.ndim_spatial
    table = _Found(np.zeros(0, np.uint64), np.zeros(0, np.float32), np.zeros((0, ndim), np.int64))
    sizes: Counter[int] = Counter()
    for start, stop in labels.slabs():
        block = labels.read(start, stop)
        found = _sample(block, start, ignore)
        table = _fewest(_Found(*map(np.concatenate, zip(table, found, strict=True))))
        values, counts = fastremap.unique(block, return_counts=True)
        sizes.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))
    ids, first = np.unique(table.ids, return_index=True)
    voxels = np.array([sizes[int(one)] for one in ids], np.int64)
    return LabelIndex(ids, np.append(first, len(table.ids)), table.points, voxels)


def _sample(block: np.ndarray, corner: tuple[int, ...], ignore: int) -> _Found:
    """A random sample of the voxels of each id of a block; small objects are taken whole."""
    compact, names = fastremap.renumber(block, preserve_zero=True, in_place=False)
    ids = np.zeros(len(names) + 1, np.uint64)
    ids[np.fromiter(names.values(), np.int64, len(names))] = list(names)
    counts = np.bincount(compact.ravel(), minlength=len(ids))
    wanted = (ids != 0) & (ids != max(ignore, 0))
    # Twice as many as will be kept, so that chance does not leave too few.
    share = 2 * _per_object(int(wanted.sum())) / np.maximum(counts, 1)
    share = np.where(wanted, share, 0).astype(np.float32)
    keys = np.random.default_rng(corner).random(block.shape, np.float32)
    points = np.argwhere(keys < share[compact])
    at = tuple(points.T)
    return _Found(ids[compact[at]], keys[at], points + np.asarray(corner))


def _fewest(found: _Found) -> _Found:
    """For each id the voxels with the smallest keys, sorted by id."""
    order = np.lexsort((found.keys, found.ids))
    ids = found.ids[order]
    starts = np.flatnonzero(np.diff(ids, prepend=ids[:1] + np.uint64(1)))
    sizes = np.diff(np.append(starts, len(ids)))
    rank = np.arange(len(ids)) - np.repeat(starts, sizes)
    kept = order[rank < _per_object(len(starts))]
    return _Found(*(column[kept] for column in found))


def _per_object(objects: int) -> int:
    """How many voxels to keep of each of so many objects."""
    return max(POINTS // max(objects, 1), LEAST)
