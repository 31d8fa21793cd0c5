"""What makes an object hard to recover, whatever the representation."""

from __future__ import annotations

import cc3d
import numpy as np
from edt import edt

from jaxseg.labels.contacts import FACES, face_pairs
from jaxseg.labels.numbering import numbered

# Objects are tiny with fewer voxels, and thin where none is farther from the outside, in voxels.
TINY, THIN = 10, 1.5


def difficulties(labels: np.ndarray, ids: np.ndarray) -> list[str]:
    """Why objects are hard to represent: for each the first reason that applies.

    Parameters
    ----------
    labels : (*S) non-negative integers
    ids : (n,) of the objects

    Returns
    -------
    for every id ``in pieces``, not connected through faces; ``tiny``, fewer than 10 voxels;
    ``thin``, no voxel farther than 1.5 from the outside; ``touching`` another object; ``other``

    >>> difficulties(np.array([[1, 1, 0, 7], [1, 1, 0, 0], [7, 0, 0, 0]]), np.array([1, 7]))
    ['tiny', 'in pieces']
    """
    if not ids.size:
        return []
    numbers, names = numbered(labels)
    order = np.argsort(names)
    rows = order[np.searchsorted(names, ids, sorter=order)]
    total = len(names)
    sizes = np.bincount(numbers.ravel(), minlength=total)
    depth = np.zeros(total, np.float32)
    np.maximum.at(depth, numbers.ravel(), edt(numbers).ravel())
    traits = {
        "in pieces": _pieces(numbers, total) > 1,
        "tiny": sizes < TINY,
        "thin": depth <= THIN,
        "touching": _touching(numbers, total),
        "other": np.ones(total, bool),
    }
    return [next(name for name, has in traits.items() if has[row]) for row in rows]


def _pieces(numbers: np.ndarray, total: int) -> np.ndarray:
    """Number of parts of every object that are connected through faces."""
    parts, count = cc3d.connected_components(
        np.ascontiguousarray(numbers), connectivity=FACES[numbers.ndim], return_N=True
    )
    owner = np.zeros(count + 1, np.int64)
    owner[parts.ravel()] = numbers.ravel()
    return np.bincount(owner[1:], minlength=total)


def _touching(numbers: np.ndarray, total: int) -> np.ndarray:
    """Whether every object shares a face with another one."""
    touches = np.zeros(total, bool)
    for here, there in face_pairs(numbers.ndim):
        one, other = numbers[here], numbers[there]
        touches[np.unique(one[(one > 0) & (other > 0) & (one != other)])] = True
    return touches
