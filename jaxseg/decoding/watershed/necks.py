"""Where a mask of several objects is to be parted, told from its shape alone."""

from __future__ import annotations

from collections.abc import Sequence

import edt
import numpy as np


def necks(mask: np.ndarray, seeds: np.ndarray, *, spacing: Sequence[float]) -> np.ndarray:
    """A surface with ridges where a mask is narrow and, where it is not, midway between seeds.

    The distance to the nearest seed over the sum of that distance and the one to the outside of the
    mask.

    Parameters
    ----------
    mask : (*S) bool
    seeds : (*S) integers, 0 = none
    spacing : size of a voxel along each axis

    Returns
    -------
    (*S) float32, 0 at seeds, 1 outside the mask; 0 everywhere if there is no seed

    >>> mask, seeds = np.array([[0, 1, 1, 1, 0]], bool), np.array([[0, 0, 1, 0, 0]])
    >>> necks(mask, seeds, spacing=(1.0, 1.0)).tolist()
    [[1.0, 0.5, 0.0, 0.5, 1.0]]
    """
    if not seeds.any():
        return np.zeros(mask.shape, np.float32)
    away, depth = (
        edt.edt(np.ascontiguousarray(part), anisotropy=tuple(spacing), parallel=0)
        for part in (seeds == 0, mask)
    )
    # A mask without an outside is infinitely deep.
    return np.where(mask, away / np.maximum(away + depth, np.finfo(np.float32).tiny), 1)
