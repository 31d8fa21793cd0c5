"""Lines between points, as they lie in the slices that pictures show."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from skimage.draw import line

from jaxseg.report.panels import scale_of, slice_indices


def drawn_lines(
    starts: np.ndarray, ends: np.ndarray, shape: Sequence[int], *, reach: float = 0.0
) -> np.ndarray:
    """Lines between points in the planes that pictures show of an image.

    Of a volume a line is drawn as a whole in every shown slice that it crosses, or that it comes
    near.

    Parameters
    ----------
    starts, ends : (n, ndim) float
        Both ends of every line, in voxels, (z)yx.
    shape : sequence of int
        Of the image, (z)yx.
    reach : float
        How near along z, in voxels.

    Returns
    -------
    numpy.ndarray
        (slices, y, x) or (y, x) uint8, thinned out as :func:`jaxseg.report.shown` does; 1 on lines.

    Examples
    --------
    >>> drawn_lines(np.array([[0.0, 0.0]]), np.array([[2.0, 2.0]]), (3, 3)).tolist()
    [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    """
    shape = tuple(shape)
    step = scale_of(shape).step
    plane = tuple(-(-size // step) for size in shape[-2:])
    panels = []
    for index in slice_indices(shape):
        panel = np.zeros(plane, np.uint8)
        near = np.ones(len(starts), bool)
        if index:
            low, high = (pick(starts[:, 0], ends[:, 0]) for pick in (np.minimum, np.maximum))
            near = (low - reach <= index[0]) & (index[0] <= high + reach)
        for one, other in zip(starts[near], ends[near], strict=True):
            corners = np.rint(np.concatenate([one[-2:], other[-2:]]) / step).astype(int)
            rows, columns = line(*corners)
            inside = (rows >= 0) & (columns >= 0) & (rows < plane[0]) & (columns < plane[1])
            panel[rows[inside], columns[inside]] = 1
        panels.append(panel)
    return np.stack(panels) if len(shape) == 3 else panels[0]
