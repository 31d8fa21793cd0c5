"""Dilation and erosion of every object at once, whatever the ids."""

from __future__ import annotations

import math
from collections.abc import Sequence

import edt
import numpy as np
from scipy import ndimage

from jaxseg.labels.numbering import numbered

# Distances are computed in floating point; this much above the radius is still the radius.
ROUNDING = 1 + 1e-6


def dilate(labels: np.ndarray, radius: float | Sequence[float]) -> np.ndarray:
    """Grow every object into the background; no object takes voxels of another.

    A background voxel joins the nearest object if that is within reach: the ellipsoid with the
    given half-axes around the voxel touches it. Nearest is meant in that metric. Of objects
    equally near the one is taken whose voxel SciPy's distance transform reports, which depends on
    places and not on ids.

    Parameters
    ----------
    labels : (*S) non-negative integers, any ids; 0 = background
    radius : in voxels, one number or one per axis, (z)yx; 0 = no growth along that axis. A radius
        of 1 adds the direct neighbours

    Returns
    -------
    (*S) labels of the same type

    >>> dilate(np.array([[5, 0, 0, 0, 0, 2]]), 2).tolist()
    [[5, 5, 5, 2, 2, 2]]
    """
    sizes, reach = _ball(radius, labels.ndim)
    background = labels == 0
    grown = labels.copy()
    if not reach or background.all():
        return grown
    distance, nearest = ndimage.distance_transform_edt(
        background, sampling=sizes, return_indices=True
    )
    near = background & (distance <= reach * ROUNDING)
    grown[near] = labels[tuple(place[near] for place in nearest)]
    return grown


def erode(labels: np.ndarray, radius: float | Sequence[float]) -> np.ndarray:
    """Shrink every object against all that is not of it, touching objects included.

    A voxel stays if the ellipsoid with the given half-axes around it lies in its object. The image
    border takes nothing away. Objects may fall apart or vanish; their ids stay.

    Parameters
    ----------
    labels : (*S) non-negative integers, any ids; 0 = background
    radius : in voxels, one number or one per axis, (z)yx; 0 = none along that axis

    Returns
    -------
    (*S) labels of the same type

    >>> erode(np.array([[0, 5, 5, 5, 2, 2, 2]]), (0, 1)).tolist()
    [[0, 0, 5, 0, 0, 2, 2]]
    """
    sizes, reach = _ball(radius, labels.ndim)
    if not reach:
        return labels.copy()
    square = edt.edtsq(numbered(labels).numbers, anisotropy=sizes, black_border=False, parallel=0)
    return np.where(square > reach**2 * ROUNDING, labels, 0)


def _ball(radius: float | Sequence[float], ndim: int) -> tuple[tuple[float, ...], float]:
    """Voxel sizes that make the ellipsoid a ball, and the radius of that; whole if radii are."""
    radii = (radius,) * ndim if isinstance(radius, (int, float)) else tuple(radius)
    some = [value for value in radii if value]
    if not some:
        return (1.0,) * ndim, 0.0
    whole = all(float(value).is_integer() for value in some)
    reach = float(math.lcm(*map(int, some))) if whole else 1.0
    # Along an axis without radius the next voxel is out of reach.
    return tuple(reach / value if value else 2 * reach for value in radii), reach
