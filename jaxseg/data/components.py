"""Objects out of masks: every connected part of a value becomes one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Literal

import cc3d
import numpy as np

from jaxseg.volume import Volume

# Diagonal neighbours count as connected, as in other programs that label masks.
CONNECTIVITY: Mapping[int, Literal[8, 26]] = MappingProxyType({2: 8, 3: 26})


def components(mask: np.ndarray) -> np.ndarray:
    """Number the connected parts of every value.

    Parameters
    ----------
    mask : (*S) integers or bool, 0 = background

    Returns
    -------
    (*S) uint32; voxels that touch, also diagonally, and have the same value are one object

    >>> components(np.array([[255, 0, 255]]))
    array([[1, 0, 2]], dtype=uint32)
    """
    return cc3d.connected_components(mask, connectivity=CONNECTIVITY[mask.ndim], out_dtype="uint32")


def split_components(labels: Volume, *, ignore: int = -1) -> Volume:
    """Label images as :func:`components` numbers them, in memory.

    Parameters
    ----------
    labels : (*S) integers
    ignore : a value that is no object and stays as it is; -1 = none

    Returns
    -------
    Volume
        (*S) uint32, in memory.

    Raises
    ------
    ResourceError : more than there is memory

    >>> mask = Volume(np.array([[9, 0, 9, 2]]), "yx", (1.0, 1.0))
    >>> split_components(mask, ignore=2)[:]
    array([[1, 0, 3, 2]], dtype=uint32)
    """
    given = labels.array()
    left = given == ignore if ignore > 0 else np.zeros(given.shape, bool)
    found = components(np.where(left, given.dtype.type(0), given))
    if left.any():
        # The value to ignore is not the number of an object.
        found[found == ignore] = found.max() + 1
        found[left] = ignore
    return replace(labels, data=found, held=None)
