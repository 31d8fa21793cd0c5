"""Which fragments touch, and the affinities of the voxel pairs where they do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxseg.instances.affinity_map import edge_ends

# Of a histogram of affinities between 0 and 1.
BINS = 256


class RegionGraph(NamedTuple):
    """The contacts of fragments.

    Parameters
    ----------
    pairs : (E, 2) int64, ids of two fragments that touch, the smaller one first, sorted
    contact : (E,) int64, the contact that each voxel pair belongs to is a row of ``pairs``
    affinity : (P,) float32, of every voxel pair that joins two fragments
    owner : (P,) int64, the row of ``pairs`` that the voxel pair belongs to
    """

    pairs: np.ndarray
    contact: np.ndarray
    affinity: np.ndarray
    owner: np.ndarray


def region_graph(
    fragments: np.ndarray, columns: np.ndarray, offsets: Sequence[Sequence[int]]
) -> RegionGraph:
    """The contacts of all fragments, without a loop over fragments.

    Parameters
    ----------
    fragments : (*S) non-negative integers below 2**31, 0 = none
    columns : (*S, k) float; column c at ``p`` is the edge between ``p`` and ``p - offsets[c]``
    offsets : k offsets in voxels, (z)yx

    Returns
    -------
    RegionGraph; without contacts its arrays are empty

    >>> graph = region_graph(np.array([3, 3, 7]), np.array([[0.0], [1.0], [0.25]]), [(1,)])
    >>> graph.pairs.tolist(), graph.contact.tolist(), graph.affinity.tolist()
    ([[3, 7]], [1], [0.25])
    """
    codes, values = [], []
    for column, (here, there) in enumerate(edge_ends(fragments.shape, offsets)):
        one, other = fragments[here], fragments[there]
        joins = (one != other) & (one > 0) & (other > 0)
        low = np.minimum(one[joins], other[joins]).astype(np.int64)
        codes.append(low << 32 | np.maximum(one[joins], other[joins]).astype(np.int64))
        values.append(columns[..., column][here][joins].astype(np.float32, copy=False))
    found, owner, number = np.unique(np.concatenate(codes), return_inverse=True, return_counts=True)
    pairs = np.stack([found >> 32, found & (2**32 - 1)], axis=-1)
    return RegionGraph(pairs, number, np.concatenate(values), owner.ravel())


def mean_table(graph: RegionGraph) -> np.ndarray:
    """Sum and number of the affinities of every contact, (E, 2) float64."""
    total = np.bincount(graph.owner, graph.affinity, minlength=len(graph.pairs))
    return np.stack([total, graph.contact], axis=-1)


def histogram_table(graph: RegionGraph) -> np.ndarray:
    """Histogram of the affinities of every contact, (E, 256) int64; values are cut to [0, 1]."""
    bins = np.clip((graph.affinity * BINS).astype(np.int64), 0, BINS - 1)
    size = len(graph.pairs) * BINS
    return np.bincount(graph.owner * BINS + bins, minlength=size).reshape(-1, BINS)
