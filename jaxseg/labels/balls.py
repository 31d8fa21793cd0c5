"""Points as label images: a ball around every point, drawn in any part of a volume."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jaxseg.geometry import Box

# Voxels of balls that are drawn together; bounds the memory.
MOST_ROWS = 2**20
# Of a radius of 0, so that nothing is divided by it.
TINY = 1e-6


def balls(
    points: np.ndarray,
    box: Box,
    *,
    radius: float | Sequence[float],
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
    radius : float or sequence of float
        Of every ball, in the units of ``spacing``, one or one per axis; distances are measured in
        radii. The voxel that holds the point always belongs to it.
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
    ndim = len(box.shape)
    points = np.asarray(points, float).reshape(-1, ndim)
    sizes = np.asarray(spacing or (1.0,) * ndim, float)
    radii = np.maximum(np.broadcast_to(np.asarray(radius, float), (ndim,)), TINY)
    reach = np.floor(radii / sizes).astype(int) + 1
    own = np.rint(points).astype(int)
    meets = (own + reach >= np.asarray(box.start)).all(1) & (own - reach < box.stop).all(1)
    steps = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), -1)
    steps = steps.reshape(-1, ndim)
    labels, nearest = np.zeros(box.size, np.int32), np.full(box.size, np.inf)
    rows = np.flatnonzero(meets)
    together = max(1, MOST_ROWS // len(steps))
    for first in range(0, len(rows), together):
        part = rows[first : first + together]
        at = own[part][:, None] + steps
        square = np.square((at - points[part][:, None]) * (sizes / radii)).sum(-1)
        inside = (square <= 1 + 1e-9) | (steps == 0).all(1)
        inside &= ((at >= box.start) & (at < box.stop)).all(-1)
        places = np.ravel_multi_index(tuple((at[inside] - box.start).T), box.shape)
        distances, numbers = square[inside], np.broadcast_to(part[:, None], inside.shape)[inside]
        order = np.lexsort((numbers, distances, places))
        order = order[np.diff(places[order], prepend=-1) > 0]
        order = order[distances[order] < nearest[places[order]]]
        labels[places[order]] = numbers[order] + 1
        nearest[places[order]] = distances[order]
    return labels.reshape(box.shape)
