"""Masks grown and shrunk by balls, in time that does not depend on the radius."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import edt
import numpy as np

Operation = Literal["dilate", "erode"]


def morph(
    mask: np.ndarray,
    sequence: Sequence[tuple[Operation, int]],
    *,
    spacing: Sequence[float] | None = None,
    by_slices: bool = False,
) -> np.ndarray:
    """Dilate and erode a mask, one operation after the other.

    Dilating and then eroding closes small holes and gaps, the reverse removes thin parts. The image
    border is no boundary: nothing is eroded from it.

    Parameters
    ----------
    mask : (*S) bool, 2D or 3D
    sequence : operations and radii, in units of the finest voxel; a radius of 1 is the voxels that
        share a face, 0 changes nothing
    spacing : size of a voxel, (z)yx, µm; None = 1; a ball is round in µm, so that it may not reach
        over to the next slice
    by_slices : discs in every slice of the first axis on its own

    Returns
    -------
    (*S) bool

    >>> mask = np.array([[1, 1, 0, 1, 0, 0, 0]], bool)
    >>> morph(mask, [("dilate", 1), ("erode", 1)]).astype(int).tolist()
    [[1, 1, 1, 1, 0, 0, 0]]
    """
    sizes = tuple(spacing) if spacing is not None else (1.0,) * mask.ndim
    if by_slices:
        slices = [morph(one, sequence, spacing=sizes[1:]) for one in mask]
        return np.stack(slices) if slices else mask.copy()
    scaled = tuple(size / min(sizes) for size in sizes)
    found = mask
    for operation, radius in sequence:
        grows = operation == "dilate"
        reached = _within(found if grows else ~found, radius, scaled)
        found = reached if grows else ~reached
    return found.copy()


def _within(mask: np.ndarray, radius: int, sizes: tuple[float, ...]) -> np.ndarray:
    """Voxels no further than a radius from one of the mask."""
    if not mask.any():
        return mask
    away = edt.edt((~mask).astype(np.uint8), anisotropy=sizes, black_border=False, parallel=0)
    return away <= radius + 1e-4
