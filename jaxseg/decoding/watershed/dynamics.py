"""Peaks of a map that stand out from what surrounds them: one seed per peak.

The dynamics of a peak is the height that one must go down on the best way to a higher peak (Grimaud
1992). Peaks of at least a given dynamics are those of the h-maxima transform. A flooding from all
peaks finds it by the passes between them, without the transform's pass over every voxel: every
voxel points to its highest neighbour, the voxels that lead to the same top are a hill, and hills
are joined across their highest passes first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import cc3d
import numpy as np
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import minimum_spanning_tree

from jaxseg.decoding.affinities.chains import followed
from jaxseg.labels.contacts import FACES

# How far a Gaussian reaches, in standard deviations.
TRUNCATE = 3.0


def smoothed(plane: np.ndarray, sigma: float, *, spacing: Sequence[float]) -> np.ndarray:
    """A plane after a Gaussian filter that is as wide in µm along every axis.

    Parameters
    ----------
    plane : (*S) float
    sigma : standard deviation in the finest voxels; 0 = as it is
    spacing : size of a voxel, (z)yx, µm

    Returns
    -------
    (*S) float32

    >>> smoothed(np.eye(3), 0.0, spacing=(1, 1)).dtype
    dtype('float32')
    """
    plane = np.asarray(plane, np.float32)
    if not sigma:
        return plane
    sigmas = [sigma * min(spacing) / size for size in spacing]
    return ndimage.gaussian_filter(plane, sigmas, mode="nearest", truncate=TRUNCATE)


def peaks(
    height: np.ndarray,
    mask: np.ndarray,
    *,
    least: float,
    min_seed: int = 1,
    sure: np.ndarray | None = None,
) -> np.ndarray:
    """Number the peaks of a map that have at least a given dynamics.

    The highest peak of every connected part of the mask has any dynamics. A peak is the connected
    voxels that are less than ``least`` below its top, so that no two share a face.

    Parameters
    ----------
    height : (*S) float, high inside objects
    mask : (*S) bool, where objects are; neighbours share a face (4 in 2D, 6 in 3D)
    least : dynamics of a peak, above 0, in the units of ``height``
    min_seed : a peak with fewer voxels above its highest pass to another peak is none; the last
        peak of a connected part of the mask always stays
    sure : (*S) bool, the same for a peak without such a voxel above that pass; None = everywhere

    Returns
    -------
    (*S) int32, 0 and 1..N in the order of their first voxels

    >>> height, mask = np.array([[0.5, 0.9, 0.8, 1.0, 0.3, 0.6]]), np.ones((1, 6), bool)
    >>> peaks(height, mask, least=0.25).tolist()
    [[0, 1, 1, 1, 0, 2]]
    >>> peaks(height, mask, least=0.25, min_seed=2).tolist()
    [[0, 1, 1, 1, 0, 0]]
    """
    ground = _Ground.of(np.asarray(height, np.float32), mask)
    hill, tops = _hills(ground)
    values = ground.values.astype(np.float64)
    summit, (pairs, passes) = values[tops], _passes(ground, hill, len(tops))
    owner = _joined(summit, pairs, passes, least, np.zeros(len(tops), bool))
    level = _level(owner, pairs, passes)
    above = values > level[owner[hill]]
    barred = np.bincount(owner[hill[above]], minlength=len(tops)) < min_seed
    if sure is not None:
        above &= sure[mask]
        barred |= np.bincount(owner[hill[above]], minlength=len(tops)) == 0
    if (barred & np.isfinite(level)).any():
        owner = _joined(summit, pairs, passes, least, barred & np.isfinite(level))
    own = owner[hill]
    near = np.zeros(mask.shape, np.int32)
    near[mask] = np.where(values > summit[own] - least, own + 1, 0)
    parts = cc3d.connected_components(near, connectivity=FACES[near.ndim])
    kept = np.zeros(int(parts.max(initial=0)) + 1, np.int32)
    chosen = np.unique(parts[mask][tops[np.unique(owner)]])
    kept[chosen] = np.arange(1, len(chosen) + 1)
    return kept[parts]


class _Ground(NamedTuple):
    """The voxels of a mask in a row, in the order of the array.

    Parameters
    ----------
    values : (n,) float32
    places : (n,) where they are in the array with a margin of one voxel
    numbers : the array with a margin, flat: which voxel of the row it is, n outside the mask
    steps : along each axis from a voxel to the next one, in that array
    """

    values: np.ndarray
    places: np.ndarray
    numbers: np.ndarray
    steps: tuple[int, ...]

    @classmethod
    def of(cls, height: np.ndarray, mask: np.ndarray) -> _Ground:
        """The ground of a map."""
        places = np.flatnonzero(np.pad(mask, 1))
        wide = tuple(side + 2 for side in mask.shape)
        numbers = np.full(math.prod(wide), len(places), np.int32 if mask.size < 2**31 else np.int64)
        numbers[places] = np.arange(len(places))
        steps = tuple(math.prod(wide[axis + 1 :]) for axis in range(mask.ndim))
        return cls(height[mask], places, numbers, steps)

    def neighbours(self, step: int) -> np.ndarray:
        """For every voxel the one a step away, n where that is outside the mask."""
        return self.numbers[self.places + step]


def _hills(ground: _Ground) -> tuple[np.ndarray, np.ndarray]:
    """For every voxel the hill whose top it leads to, from 0, and the tops.

    Of equal neighbours a later one is the higher one, so that a plateau may have several tops.
    """
    values = np.append(ground.values, np.float32(-np.inf))
    best, parent = ground.values.copy(), np.arange(len(ground.values), dtype=ground.numbers.dtype)
    steps = [(np.greater, -step) for step in ground.steps]
    for higher, step in [*steps, *((np.greater_equal, step) for step in ground.steps)]:
        there = ground.neighbours(step)
        near = values[there]
        better = higher(near, best)
        np.copyto(best, near, where=better)
        np.copyto(parent, there, where=better)
    root = followed(parent)
    tops = np.flatnonzero(root == np.arange(len(root)))
    hills = np.zeros(len(root), np.int64)
    hills[tops] = np.arange(len(tops))
    return hills[root], tops


def _passes(ground: _Ground, hill: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The highest pass between every two hills that touch: (n, 2) numbers, (n,) heights."""
    keys, heights = [np.zeros(0, np.int64)], [np.zeros(0, np.float32)]
    beyond, values = np.append(hill, -1), np.append(ground.values, np.float32(-np.inf))
    for step in ground.steps:
        there = ground.neighbours(step)
        meets = np.flatnonzero((beyond[there] != hill) & (beyond[there] >= 0))
        one, other, there = hill[meets], beyond[there[meets]], there[meets]
        keys.append(np.minimum(one, other) * count + np.maximum(one, other))
        heights.append(np.minimum(ground.values[meets], values[there]))
    key, height = np.concatenate(keys), np.concatenate(heights)
    order = np.lexsort((-height, key))
    key, first = np.unique(key[order], return_index=True)
    pairs = np.stack(np.divmod(key, max(count, 1)), axis=1)
    return pairs, height[order][first].astype(np.float64)


def _level(owner: np.ndarray, pairs: np.ndarray, passes: np.ndarray) -> np.ndarray:
    """For every peak its highest pass to another; -inf where there is none."""
    ends, level = owner[pairs], np.full(len(owner), -np.inf)
    between = ends[:, 0] != ends[:, 1]
    for side in (0, 1):
        np.maximum.at(level, ends[between, side], passes[between])
    return level


def _joined(
    summit: np.ndarray, pairs: np.ndarray, passes: np.ndarray, least: float, barred: np.ndarray
) -> np.ndarray:
    """For every hill the hill whose peak it belongs to; those barred belong to another if any."""
    count = len(summit)
    order = np.argsort(-passes, kind="stable")
    ends, ranks = pairs[order], np.arange(1, len(order) + 1)
    graph = coo_array((ranks, (ends[:, 0], ends[:, 1])), shape=(count, count))
    chosen = np.sort(minimum_spanning_tree(graph.tocsr()).data).astype(np.int64) - 1
    joint, peak, highest = list(range(count)), list(range(count)), list(range(count))
    rank = list(zip((~barred).tolist(), summit.tolist(), strict=True))
    for (one, other), height in zip(
        ends[chosen].tolist(), passes[order][chosen].tolist(), strict=True
    ):
        high, low = _root(joint, one), _root(joint, other)
        if rank[highest[high]] < rank[highest[low]]:
            high, low, one = low, high, other
        joint[low] = high
        top = highest[low]
        stands, value = rank[top]
        if not stands or value - height < least:
            peak[top] = one
    return np.array([_root(peak, hill) for hill in range(count)], np.int64)


def _root(parent: list[int], one: int) -> int:
    """The end of a chain of parents, which is halved."""
    while parent[one] != one:
        parent[one] = parent[parent[one]]
        one = parent[one]
    return one
