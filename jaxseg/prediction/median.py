"""Median filters on planes, in chosen directions."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from jaxseg.config.option import checked_each
from jaxseg.config.postprocessing import Median


def median_filter(planes: np.ndarray, axes: str, size: int) -> np.ndarray:
    """Every value becomes the median of its neighbours along some axes, column by column.

    Parameters
    ----------
    planes : (*S, K) float
    axes : letters of the axes to filter along, together: ``"xy"``, ``"zy"``, ``"zx"``, ``"z"``, in
        any order; z needs three dimensions
    size : odd number of voxels along each of them; outside the image it continues mirrored, the
        outermost voxels twice

    Returns
    -------
    (*S, K) of the same type

    >>> median_filter(np.array([[0.0, 9.0, 1.0, 1.0]])[..., None], "x", 3)[..., 0].tolist()
    [[0.0, 1.0, 1.0, 1.0]]
    """
    names = "zyx"[1 - planes.ndim :]
    extent = [size if name in axes else 1 for name in names]
    columns = [
        ndimage.median_filter(planes[..., column], size=extent, mode="reflect")
        for column in range(planes.shape[-1])
    ]
    return np.stack(columns, axis=-1)


def median_filters(planes: np.ndarray, filters: Sequence[Median]) -> np.ndarray:
    """Planes after several filters, one after the other.

    Parameters
    ----------
    planes : (*S, K)
    filters : their axes and sizes, see :func:`median_filter`

    Returns
    -------
    (*S, K) of the same type
    """
    return functools.reduce(
        lambda found, one: median_filter(found, one.axes, one.size),
        checked_each(filters, Median),
        planes,
    )
