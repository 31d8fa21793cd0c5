"""Which fragments touch, and what the affinities of the voxel pairs there amount to.

The tables of parts of an image add up to that of the whole, in any order: all numbers are integers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

# Of a histogram of affinities between 0 and 1.
BINS = 256
# Affinities are summed as whole numbers of so many parts of one.
PARTS = 2**24
# An entry is a key in the upper bits and a number in the lower ones, 2**55 at most.
SHIFT = np.uint64(56)
NUMBER = np.uint64(2**56 - 1)


class EdgeTable(NamedTuple):
    """The contacts of fragments, and a sparse row of numbers for each.

    Parameters
    ----------
    pairs : (E, 2) int64, ids of two fragments that touch, the smaller one first, sorted
    ends : (E,) int64, one past the last entry of every contact
    entries : (n,) uint64, keys and numbers, see :func:`entry`; ascending in a contact, no key
        twice. Keys are bins of a histogram and numbers voxel pairs; or the sum of the affinities
        has key 0 and the number of voxel pairs key 1
    """

    pairs: np.ndarray
    ends: np.ndarray
    entries: np.ndarray

    def rows(self) -> Iterator[np.ndarray]:
        """The entries of every contact."""
        begin = 0
        for end in self.ends.tolist():
            yield self.entries[begin:end]
            begin = end


def contacts_of(
    fragments: np.ndarray,
    columns: np.ndarray,
    offsets: Sequence[Sequence[int]],
    *,
    histogram: bool = False,
    start: Sequence[int] | None = None,
) -> EdgeTable:
    """The contacts of all fragments, without a loop over fragments.

    Parameters
    ----------
    fragments : (*T) non-negative integers below 2**31, 0 = none
    columns : (*S, k) float; column c at ``p`` is the edge between ``p`` and ``p - offsets[c]``
    offsets : k offsets in voxels, (z)yx
    histogram : of the affinities, else their sum; they are cut to [0, 1]
    start : place of the columns among the fragments, None = they are of the same size; edges whose
        one end is not among the fragments are left out

    Returns
    -------
    EdgeTable; empty without any

    >>> found = contacts_of(np.array([3, 3, 7]), np.array([[0.0], [1.0], [0.25]]), [(1,)])
    >>> found.pairs.tolist(), numbers_of(found.entries).tolist()
    ([[3, 7]], [4194304, 1])
    """
    codes, values = [np.zeros(0, np.int64)], [np.zeros(0)]
    sides = columns.shape[:-1]
    for column, offset in enumerate(offsets):
        here, place, there = _ends(sides, offset, start or (0,) * len(sides), fragments.shape)
        one, other = fragments[place], fragments[there]
        joins = (one != other) & (one > 0) & (other > 0)
        one, other = one[joins].astype(np.int64), other[joins].astype(np.int64)
        codes.append(np.minimum(one, other) << 32 | np.maximum(one, other))
        values.append(columns[..., column][here][joins].astype(np.float64))
    found, owner = np.unique(np.concatenate(codes), return_inverse=True)
    pairs = np.stack([found >> 32, found & (2**32 - 1)], axis=-1)
    return _tabulated(pairs, owner.ravel(), np.concatenate(values), histogram)


def _ends(
    sides: Sequence[int], offset: Sequence[int], start: Sequence[int], around: Sequence[int]
) -> tuple[tuple[slice, ...], ...]:
    """Voxels whose partner is among the fragments: in the columns, in the fragments; the partners.

    >>> _ends((3,), (1,), (0,), (3,)), _ends((3,), (1,), (1,), (5,))
    (((slice(1, 3, None),), (slice(1, 3, None),), (slice(0, 2, None),)), \
((slice(0, 3, None),), (slice(1, 4, None),), (slice(0, 3, None),)))
    """
    here, place, there = [], [], []
    for side, step, first, length in zip(sides, offset, start, around, strict=True):
        low = min(max(0, step - first), side)
        high = max(min(side, length + step - first), low)
        here.append(slice(low, high))
        place.append(slice(first + low, first + high))
        there.append(slice(first + low - step, first + high - step))
    return tuple(here), tuple(place), tuple(there)


def _tabulated(
    pairs: np.ndarray, owner: np.ndarray, values: np.ndarray, histogram: bool
) -> EdgeTable:
    """Sum up what belongs to every contact."""
    count, values = len(pairs), np.fmin(np.fmax(values, 0), 1)
    if histogram:
        bins = np.minimum((values * BINS).astype(np.int64), BINS - 1)
        cells, number = np.unique(owner * BINS + bins, return_counts=True)
        rows, keys = np.divmod(cells, BINS)
        return EdgeTable(
            pairs, np.searchsorted(rows, np.arange(count), "right"), entry(keys, number)
        )
    # Whole numbers, which float64 adds without rounding.
    total = np.bincount(owner, np.rint(values * PARTS), minlength=count)
    number = np.bincount(owner, minlength=count)
    entries = entry(np.tile([0, 1], count), np.stack([total, number], axis=-1).ravel())
    return EdgeTable(pairs, 2 * np.arange(1, count + 1), entries)


def entry(keys: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Keys below 256 and whole numbers from 0 as entries of a row."""
    return keys.astype(np.uint64) << SHIFT | numbers.astype(np.uint64)


def numbers_of(entries: np.ndarray) -> np.ndarray:
    """The numbers of entries, int64."""
    return (entries & NUMBER).astype(np.int64)


def keys_of(entries: np.ndarray) -> np.ndarray:
    """The keys of entries, int64."""
    return (entries >> SHIFT).astype(np.int64)


def added(tables: Sequence[EdgeTable]) -> EdgeTable:
    """The table of several parts, from the tables of each.

    >>> one = contacts_of(np.array([1, 2, 2]), np.array([[0.0], [1.0], [0.5]]), [(1,)])
    >>> both = added([one, one])
    >>> both.pairs.tolist(), numbers_of(both.entries).tolist()
    ([[1, 2]], [33554432, 2])
    """
    pairs = np.concatenate([np.zeros((0, 2), np.int64), *(table.pairs for table in tables)])
    sizes = [np.diff(table.ends, prepend=0) for table in tables]
    entries = np.concatenate([np.zeros(0, np.uint64), *(table.entries for table in tables)])
    found, place = np.unique(pairs[:, 0] << 32 | pairs[:, 1], return_inverse=True)
    owner = np.repeat(place.ravel(), np.concatenate([np.zeros(0, np.int64), *sizes]))
    cells = owner * BINS + keys_of(entries)
    order = np.argsort(cells, kind="stable")
    cells, first = np.unique(cells[order], return_index=True)
    numbers = numbers_of(entries)[order]
    total = np.add.reduceat(numbers, first) if len(first) else numbers
    rows, keys = np.divmod(cells, BINS)
    ends = np.searchsorted(rows, np.arange(len(found)), "right")
    pairs = np.stack([found >> 32, found & (2**32 - 1)], axis=-1)
    return EdgeTable(pairs, ends, entry(keys, total))


def added_rows(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The sum of two rows."""
    entries = np.sort(np.concatenate([one, other]))
    keys = entries >> SHIFT
    first = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    return (keys[first] << SHIFT) | np.add.reduceat(entries & NUMBER, first)
