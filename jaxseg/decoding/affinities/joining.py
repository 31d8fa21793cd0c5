"""Joining fragments into objects, the surest contact first.

Hierarchical agglomeration of a region graph as in Funke et al. (2019): the two fragments whose
contact scores highest become one, their contacts to a third become one contact, and so on until no
score is above the threshold. A score is the mean or a quantile of the affinities of the voxel pairs
of the contact, so that a leak of a few voxels in a wide boundary does not join two objects.
"""

from __future__ import annotations

import functools
import heapq
from collections.abc import Callable, Sequence

import numpy as np

from jaxseg.decoding.affinities.chains import followed
from jaxseg.decoding.affinities.edges import (
    BINS,
    PARTS,
    EdgeTable,
    added_rows,
    contacts_of,
    keys_of,
    numbers_of,
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
    (*S) fragments with the smallest id of those that were joined, of the same type

    >>> columns = np.array([[0.0], [1.0], [0.9], [0.2]])
    >>> agglomerate(np.array([1, 1, 2, 3]), columns, [(1,)]).tolist()
    [1, 1, 1, 3]
    """
    found = contacts_of(fragments, columns, offsets, histogram=quantile is not None)
    count = int(fragments.max(initial=0)) + 1
    joint = joined_ids(
        found, count, threshold=threshold, quantile=quantile, min_contact=min_contact
    )
    return joint.astype(fragments.dtype)[fragments]


def joined_ids(
    contacts: EdgeTable,
    count: int,
    *,
    threshold: float = 0.5,
    quantile: float | None = None,
    min_contact: int = 1,
) -> np.ndarray:
    """For every fragment the smallest id of those that it was joined with.

    Parameters
    ----------
    contacts : of all fragments; histograms if a quantile is asked for, else sums
    count : the largest id + 1
    threshold, quantile, min_contact : as for :func:`agglomerate`

    Returns
    -------
    (count,) int64
    """
    chosen = mean_score if quantile is None else functools.partial(quantile_score, quantile)
    roots = merged_roots(contacts, count, chosen(min_contact), threshold)
    smallest = np.full(count, count)
    np.minimum.at(smallest, roots, np.arange(count))
    return smallest[roots]


def mean_score(min_contact: int) -> Score:
    """Mean of a row of sums; -inf for a contact that is too small."""

    def score(row: np.ndarray) -> float:
        total, number = numbers_of(row).tolist()
        return total / number / PARTS if number >= min_contact else -np.inf

    return score


def quantile_score(quantile: float, min_contact: int) -> Score:
    """Quantile of a row that is a histogram, the middle of its bin."""

    def score(row: np.ndarray) -> float:
        below = numbers_of(row).cumsum()
        if below[-1] < min_contact:
            return -np.inf
        place = int(np.searchsorted(below, int(quantile * below[-1]) + 1))
        return (int(keys_of(row[min(place, len(row) - 1)])) + 0.5) / BINS

    return score


def merged_roots(contacts: EdgeTable, count: int, score: Score, threshold: float) -> np.ndarray:
    """For every id the id of the fragment that it was joined to; itself where it was not.

    Parameters
    ----------
    contacts : a row per contact; that of joined contacts is the sum of their rows
    count : the largest id + 1
    score : of a row
    threshold : the least score at which two fragments are joined; of equal scores the contact of
        smaller ids comes first

    Returns
    -------
    (count,) int64
    """
    parent = np.arange(count)
    touching: dict[int, dict[int, np.ndarray]] = {}
    heap: list[tuple[float, int, int, int]] = []
    current: list[np.ndarray] = []

    def push(one: int, other: int, row: np.ndarray) -> None:
        touching.setdefault(one, {})[other] = touching.setdefault(other, {})[one] = row
        value = score(row)
        if value >= threshold:
            current.append(row)
            heapq.heappush(heap, (-value, min(one, other), max(one, other), len(current) - 1))

    for (one, other), row in zip(contacts.pairs.tolist(), contacts.rows(), strict=True):
        push(one, other, row)
    while heap:
        _, one, other, entry = heapq.heappop(heap)
        if touching.get(one, {}).get(other) is not current[entry]:
            continue
        keep, gone = (one, other) if len(touching[one]) >= len(touching[other]) else (other, one)
        parent[gone] = keep
        del touching[keep][gone]
        for third, row in touching.pop(gone).items():
            if third == keep:
                continue
            del touching[third][gone]
            known = touching[keep].get(third)
            push(keep, third, row if known is None else added_rows(known, row))
    return followed(parent)
