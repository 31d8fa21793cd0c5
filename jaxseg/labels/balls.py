"""Points as label images: a ball around every point, drawn in any part of a volume."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jaxseg.geometry import Box


def balls(
    points: np.ndarray,
    box: Box,
    *,
    radius: float,
    spacing: Sequence[float] | None = None,
) -> np.ndarray:
    """A label image of balls around points, as it is in a box.

    Where balls overlap, a voxel belongs to the nearest point, and to the first of equally near
    ones, so that a part of a volume is drawn exactly as in the whole.

    Parameters
    ----------
    points : (n, ndim) float
        Positions in voxels, (z)yx; 0 is the centre of the first voxel.
    box : Box
        The part that is drawn.
    radius : float
        Of every ball, in the units of ``spacing``; the voxel that holds the point always belongs to
        it.
    spacing : sequence of float, optional
        Size of a voxel, (z)yx, µm; None = 1.

    Returns
    -------
    (*box.shape) int32
        Number of the point, from 1; 0 = none.

    Examples
    --------
    >>> balls(np.array([[1.0, 1.0], [1.0, 4.0]]), Box((0, 0), (3, 6)), radius=1).tolist()
    [[0, 1, 0, 0, 2, 0], [1, 1, 1, 2, 2, 2], [0, 1, 0, 0, 2, 0]]
    """
    points = np.asarray(points, float).reshape(-1, len(box.shape))
    scale = np.asarray(spacing or (1.0,) * len(box.shape), float)
    labels = np.zeros(box.shape, np.int32)
    nearest = np.full(box.shape, np.inf)
    reach = np.floor(radius / scale).astype(int) + 1
    own = np.rint(points).astype(int)
    low, high = own - reach, own + reach + 1
    meets = (high > np.asarray(box.start)).all(1) & (low < np.asarray(box.stop)).all(1)
    for index in np.flatnonzero(meets):
        start = np.maximum(low[index], box.start)
        stop = np.minimum(high[index], box.stop)
        axes = [
            (np.arange(first, last) - centre) * size
            for first, last, centre, size in zip(start, stop, points[index], scale, strict=True)
        ]
        square = sum(np.square(axis) for axis in np.ix_(*axes))
        place = tuple(slice(a - b, c - b) for a, c, b in zip(start, stop, box.start, strict=True))
        here = np.ix_(*(np.arange(first, last) for first, last in zip(start, stop, strict=True)))
        same = np.ones_like(square, bool)
        for axis, centre in zip(here, own[index], strict=True):
            same &= axis == centre
        closer = ((square <= radius**2 * (1 + 1e-9)) | same) & (square < nearest[place])
        labels[place][closer] = index + 1
        nearest[place][closer] = square[closer]
    return labels
