"""Numbers 1..N in place of ids of any size."""

from __future__ import annotations

from typing import NamedTuple

import fastremap
import numpy as np


class Numbered(NamedTuple):
    """Labels as small numbers, and the ids that these stand for.

    Parameters
    ----------
    numbers : (*S) uint32, 0 and 1..N in the order of the objects' first voxels
    ids : (N + 1,) of the type of the labels; ``ids[numbers]`` are the labels
    """

    numbers: np.ndarray
    ids: np.ndarray


def numbered(labels: np.ndarray) -> Numbered:
    """Number the objects by where they begin, so that nothing depends on their ids.

    Parameters
    ----------
    labels : (*S) non-negative integers, any ids

    Returns
    -------
    Numbered

    >>> found = numbered(np.array([0, 2**40, 7, 2**40]))
    >>> found.numbers.tolist(), found.ids.tolist()
    ([0, 1, 2, 1], [0, 1099511627776, 7])
    """
    labels = np.ascontiguousarray(labels)
    numbers, places = fastremap.renumber(labels, in_place=False)
    ids = np.zeros(int(numbers.max(initial=0)) + 1, labels.dtype)
    for label, number in places.items():
        ids[int(number)] = label
    return Numbered(numbers.astype(np.uint32), ids)
