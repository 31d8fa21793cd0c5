"""Joining fragments into objects, the surest contact first.

Hierarchical agglomeration of a region graph as in Funke et al. (2019): the two fragments whose
contact scores highest become one, their contacts to a third become one contact, and so on until no
score is above the threshold. A score is the mean or a quantile of the affinities of the voxel pairs
of the contact, so that a leak of a few voxels in a wide boundary does not join two objects.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence

import numpy as np

from jaxseg.instances.region_graph import (
    BINS,
    RegionGraph,
    histogram_table,
    mean_table,
    region_graph,
)

Score = Callable[[np.ndarray], float]


def agglomerate(
    fragments: np.ndarray,
    columns: np.ndarray,
    offsets: Sequence[Sequence[int]],
    *,
    threshold: float = 0.5,
    quantile: float | None = None,
    min_contact: int = 1,
) -> np.ndarray:
    """Join fragments whose contacts have a high affinity.

    Parameters
    ----------
    fragments : (*S) non-negative integers; a table with a row per id up to the largest is made
    columns : (*S, k) float; column c at ``p`` is the edge between ``p`` and ``p - offsets[c]``
    offsets : k offsets in voxels, (z)yx
    threshold : the least score at which two fragments are joined
    quantile : score of a contact, in (0, 1): that quantile of its affinities, in steps of 1/256;
        None = their mean
    min_contact : a contact of fewer voxel pairs joins nothing

    Returns
    -------
    (*S) fragments with the id of one of those that were joined, of the same type

    >>> columns = np.array([[0.0], [1.0], [0.9], [0.2]])
    >>> agglomerate(np.array([1, 1, 2, 3]), columns, [(1,)]).tolist()
    [2, 2, 2, 3]
    """
    graph = region_graph(fragments, columns, offsets)
    if not len(graph.pairs):
        return fragments.copy()
    if quantile is None:
        table, score = mean_table(graph), mean_score(min_contact)
    else:
        table, score = histogram_table(graph), quantile_score(quantile, min_contact)
    roots = np.arange(int(fragments.max()) + 1, dtype=fragments.dtype)
    merged = merged_roots(graph, table, score, threshold)
    roots[: len(merged)] = merged
    return roots[fragments]


def mean_score(min_contact: int) -> Score:
    """Mean of a row of :func:`mean_table`; -inf for a contact that is too small."""
    return lambda row: row[0] / row[1] if row[1] >= min_contact else -np.inf


def quantile_score(quantile: float, min_contact: int) -> Score:
    """Quantile of a row of :func:`histogram_table`, the middle of its bin."""

    def score(row: np.ndarray) -> float:
        below = row.cumsum()
        if below[-1] < min_contact:
            return -np.inf
        place = int(np.searchsorted(below, int(quantile * below[-1]) + 1))
        return (min(place, BINS - 1) + 0.5) / BINS

    return score


def merged_roots(
    graph: RegionGraph, table: np.ndarray, score: Score, threshold: float
) -> np.ndarray:
    """For every id the id of the fragment that it was joined to; itself where it was not.

    Parameters
    ----------
    graph : contacts
    table : (E, k), a row per contact; that of joined contacts is the sum of their rows
    score : of a row
    threshold : the least score at which two fragments are joined; of equal scores the contact of
        smaller ids comes first

    Returns
    -------
    (largest id with a contact + 1,) int64
    """
    parent = np.arange(int(graph.pairs.max()) + 1)
    contacts: dict[int, dict[int, np.ndarray]] = {}
    heap: list[tuple[float, int, int, int]] = []
    current: list[np.ndarray] = []

    def push(one: int, other: int, row: np.ndarray) -> None:
        contacts.setdefault(one, {})[other] = contacts.setdefault(other, {})[one] = row
        value = score(row)
        if value >= threshold:
            current.append(row)
            heapq.heappush(heap, (-value, min(one, other), max(one, other), len(current) - 1))

    for (one, other), row in zip(graph.pairs.tolist(), table, strict=True):
        push(one, other, row)
    while heap:
        _, one, other, entry = heapq.heappop(heap)
        if contacts.get(one, {}).get(other) is not current[entry]:
            continue
        keep, gone = (one, other) if len(contacts[one]) >= len(contacts[other]) else (other, one)
        parent[gone] = keep
        del contacts[keep][gone]
        for third, row in contacts.pop(gone).items():
            if third == keep:
                continue
            del contacts[third][gone]
            known = contacts[keep].get(third)
            push(keep, third, row if known is None else known + row)
    return _resolved(parent)


def _resolved(parent: np.ndarray) -> np.ndarray:
    """Follow every chain of parents to its end, halving the chains in each pass."""
    while True:
        further = parent[parent]
        if np.array_equal(further, parent):
            return parent
        parent = further
