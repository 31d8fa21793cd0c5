"""Where in an image a training patch was taken."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jaxseg.report.changes import coloured_labels
from jaxseg.report.panels import as_rgb, resized, scale_of

SQUARE, POINT = (0, 90, 255), (255, 0, 0)


def marked(
    image: np.ndarray, labels: np.ndarray, start: Sequence[int], patch: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """An image and its labels with a patch as a blue square and its centre as a red point.

    Parameters
    ----------
    image : numpy.ndarray
        (*S, C); of a volume the plane through the centre of the patch is shown.
    labels : numpy.ndarray
        (*S) integers.
    start : sequence of int
        Corner of the patch, (z)yx; may lie outside.
    patch : sequence of int
        Its size.

    Returns
    -------
    numpy.ndarray, numpy.ndarray
        (Y, X, 3) uint8 each.
    """
    ndim = labels.ndim
    centre = [
        int(np.clip(a + n // 2, 0, length - 1))
        for a, n, length in zip(start, patch, labels.shape, strict=True)
    ]
    index = tuple(centre[:-2])
    scale = scale_of(labels.shape[-2:])
    colours = (coloured_labels(labels[index]) * 255).astype(np.uint8)
    pictures = (as_rgb(image[index], 2), colours)
    place = (start[ndim - 2 :], patch[ndim - 2 :], centre[-2:])
    drawn = [_drawn(resized(one, scale), *place, scale.zoom / scale.step) for one in pictures]
    return drawn[0], drawn[1]


def _drawn(
    picture: np.ndarray,
    start: Sequence[int],
    patch: Sequence[int],
    centre: Sequence[int],
    factor: float,
) -> np.ndarray:
    """A picture with the square and the point, in pixels."""
    picture = picture.copy()
    height, width, _ = picture.shape
    top, left = (round(max(a, 0) * factor) for a in start)
    bottom, right = (
        min(round((a + n) * factor), length)
        for a, n, length in zip(start, patch, (height, width), strict=True)
    )
    line = max(round(min(height, width) / 200), 1)
    for edge in (slice(top, top + line), slice(bottom - line, bottom)):
        picture[edge, left:right] = SQUARE
    for edge in (slice(left, left + line), slice(right - line, right)):
        picture[top:bottom, edge] = SQUARE
    y, x = (int((at + 0.5) * factor) for at in centre)
    radius = 2 * line
    picture[max(y - radius, 0) : y + radius + 1, max(x - radius, 0) : x + radius + 1] = POINT
    return picture
