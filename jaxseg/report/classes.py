"""Classes as colours: image, truth and prediction side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jaxseg.report.canvas import Entry, compose
from jaxseg.report.panels import as_rgb, resized, scale_of, slice_indices

# Okabe and Ito (2008), told apart by colour-blind people as well; background is black.
PALETTE = np.array(
    [
        (0, 0, 0),
        (230, 159, 0),
        (86, 180, 233),
        (0, 158, 115),
        (240, 228, 66),
        (0, 114, 178),
        (213, 94, 0),
        (204, 121, 167),
    ],
    np.uint8,
)
# What no class stands for, such as a value to be ignored.
UNKNOWN = (128, 128, 128)


def class_overlay(
    raw: np.ndarray,
    labels: np.ndarray,
    *,
    truth: np.ndarray | None = None,
    names: Sequence[str],
    title: str = "",
) -> np.ndarray:
    """The image, the true classes and the predicted ones, side by side.

    Small images are magnified. Of a volume some slices are shown, one row each.

    Parameters
    ----------
    raw : (*S) or (*S, C), see :func:`jaxseg.report.panels.as_rgb`
    labels : (*S) predicted classes
    truth : (*S) true classes; None = not shown. Values beyond the classes are grey
    names : one per class, background first
    title : what the picture shows

    Returns
    -------
    (Y, X, 3) uint8
    """
    scale = scale_of(labels.shape)
    colours = as_rgb(raw, labels.ndim)
    shown = {"prediction": labels} if truth is None else {"truth": truth, "prediction": labels}
    rows = []
    for index in slice_indices(labels.shape):
        classes = [_coloured(image[index], len(names)) for image in shown.values()]
        rows.append([resized(panel, scale) for panel in (colours[index], *classes)])
    tints = _coloured(np.arange(len(names)), len(names)).tolist()
    legend = [Entry(tuple(tint), name) for tint, name in zip(tints, names, strict=True)]
    return compose(rows, title=title, legend=legend, heads=("image", *shown))


def _coloured(classes: np.ndarray, count: int) -> np.ndarray:
    """Classes as colours, which repeat after as many as there are, except black."""
    numbers = np.minimum(classes.astype(np.int64), count)
    table = PALETTE[np.where(np.arange(count) > 0, (np.arange(count) - 1) % 7 + 1, 0)]
    return np.concatenate([table, np.array([UNKNOWN], np.uint8)])[numbers]
