"""One plane out of affinities: how strongly a voxel is tied to its neighbours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

Offset = Sequence[int]
Slices = tuple[slice, ...]


def nearest_offsets(offsets: Sequence[Offset]) -> tuple[int, ...]:
    """Columns whose offset reaches no further than one voxel along any axis; if none, all.

    An object thinner than a longer offset has no voxel all of whose edges stay inside it.

    >>> nearest_offsets([(0, 1), (1, -1), (0, 9)])
    (0, 1)
    """
    near = tuple(i for i, offset in enumerate(offsets) if max(map(abs, offset)) <= 1)
    return near or tuple(range(len(offsets)))


def tightest_edge(columns: np.ndarray, offsets: Sequence[Offset]) -> np.ndarray:
    """Smallest affinity of all edges at a voxel, high only where no edge leaves the object.

    Parameters
    ----------
    columns : (*S, k) float; column c at ``p`` is the edge between ``p`` and ``p - offsets[c]``
    offsets : k offsets in voxels, (z)yx

    Returns
    -------
    (*S) float32; edges across the image border do not count, a voxel without edges has 0

    >>> tightest_edge(np.array([[0.0], [1.0], [1.0], [0.0]]), [(1,)]).tolist()
    [1.0, 1.0, 0.0, 0.0]
    """
    return _over_edges(columns, offsets, np.minimum, np.inf)


def loosest_edge(columns: np.ndarray, offsets: Sequence[Offset]) -> np.ndarray:
    """Largest affinity of all edges at a voxel, high wherever an object of several voxels is.

    Parameters and result as in :func:`tightest_edge`.

    >>> loosest_edge(np.array([[0.0], [1.0], [1.0], [0.0]]), [(1,)]).tolist()
    [1.0, 1.0, 1.0, 0.0]
    """
    return _over_edges(columns, offsets, np.maximum, -np.inf)


def mean_edge(columns: np.ndarray, offsets: Sequence[Offset]) -> np.ndarray:
    """Mean affinity of all edges at a voxel, low at boundaries of objects and less noisy than one.

    Parameters and result as in :func:`tightest_edge`.

    >>> mean_edge(np.array([[0.0], [1.0], [0.5], [0.0]]), [(1,)]).tolist()
    [1.0, 0.75, 0.25, 0.0]
    """
    total = np.zeros(columns.shape[:-1], np.float32)
    number = np.zeros(columns.shape[:-1], np.float32)
    for column, ends in enumerate(edge_ends(columns.shape[:-1], offsets)):
        for end in ends:
            total[end] += columns[..., column][ends[0]]
            number[end] += 1
    return total / np.maximum(number, 1)


def _over_edges(
    columns: np.ndarray, offsets: Sequence[Offset], choose: np.ufunc, start: float
) -> np.ndarray:
    """Reduce over both ends of every edge."""
    found = np.full(columns.shape[:-1], start, np.float32)
    for column, (here, there) in enumerate(edge_ends(columns.shape[:-1], offsets)):
        edge = columns[..., column][here]
        for end in (here, there):
            choose(found[end], edge, out=found[end])
    return np.where(np.isfinite(found), found, np.float32(0))


def edge_ends(shape: Sequence[int], offsets: Sequence[Offset]) -> Iterator[tuple[Slices, Slices]]:
    """For every offset, the voxels whose partner is inside the image, and those partners.

    >>> [[np.arange(3)[end].tolist() for end in ends] for ends in edge_ends((3,), [(1,), (-1,)])]
    [[[1, 2], [0, 1]], [[0, 1], [1, 2]]]
    """
    for offset in offsets:
        axes = [(n, max(min(o, n), -n)) for n, o in zip(shape, offset, strict=True)]
        here = tuple(slice(max(o, 0), n + min(o, 0)) for n, o in axes)
        there = tuple(slice(max(-o, 0), n + min(-o, 0)) for n, o in axes)
        yield here, there
