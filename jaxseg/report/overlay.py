"""Outlines of objects over the image: what was found, missed and made up."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.ndimage import binary_dilation
from skimage.segmentation import find_boundaries

from jaxseg.metrics import associations, matching
from jaxseg.report.canvas import Colour, Entry, compose
from jaxseg.report.panels import Scale, as_rgb, resized, scale_of, slice_indices

FOUND, SPURIOUS, MISSED = (60, 220, 90), (80, 150, 255), (255, 70, 60)
TRUE, UNJUDGED = (250, 250, 250), (255, 200, 40)


class Layer(NamedTuple):
    """Objects whose outlines have one colour."""

    labels: np.ndarray
    colour: Colour


def overlay(
    raw: np.ndarray,
    labels: np.ndarray,
    *,
    truth: np.ndarray | None = None,
    threshold: float = 0.5,
    title: str = "",
) -> np.ndarray:
    """The image, and the image with the outlines of objects.

    Outlines of true objects are white; over them those of predicted ones, green where they match a
    true object, blue where they match none; true objects that nothing matches are red on top.
    Small images are magnified. Of a volume some slices are shown; what matches is decided in 3D.

    Parameters
    ----------
    raw : (*S) or (*S, C), see :func:`jaxseg.report.panels.as_rgb`
    labels : (*S) predicted objects
    truth : (*S) true objects; None = predicted ones are drawn in yellow, without judgement
    threshold : least IoU of a match
    title : what the picture shows

    Returns
    -------
    (Y, X, 3) uint8

    Raises
    ------
    InputError : truth and labels differ in size
    """
    ndim = labels.ndim
    layers, legend, score = _judged(labels, truth, threshold)
    colours, scale = as_rgb(raw, ndim), scale_of(labels.shape)
    plain, drawn = [], []
    for index in slice_indices(labels.shape):
        panel = resized(colours[index], scale)
        plain.append(panel)
        drawn.append(_drawn(panel, [Layer(a[index], colour) for a, colour in layers], scale))
    heads = [f"z = {index[0]}" for index in slice_indices(labels.shape) if index]
    rows = [plain, drawn] if ndim == 3 else [[*plain, *drawn]]
    return compose(rows, title=title + score, legend=legend, heads=heads)


def _judged(
    labels: np.ndarray, truth: np.ndarray | None, threshold: float
) -> tuple[list[Layer], list[Entry], str]:
    """What to draw, from the lowest to the topmost, what it means, and the score."""
    if truth is None:
        count = len(np.unique(labels[labels > 0]))
        return [Layer(labels, UNJUDGED)], [Entry(UNJUDGED, f"predicted: {count}")], ""
    found, wrong = associations(truth, labels, threshold=threshold)
    counts = matching(truth, labels, thresholds=(threshold,))[0]
    missed = np.where(np.isin(truth, found.gt_id[found.tag == "FN"]), truth, 0)
    spurious = np.where(np.isin(labels, wrong.pred_id), labels, 0)
    hits = np.where(spurious > 0, 0, labels)
    layers = [Layer(truth, TRUE), Layer(hits, FOUND), Layer(spurious, SPURIOUS)]
    legend = [
        Entry(TRUE, f"ground truth: {counts.n_true}"),
        Entry(FOUND, f"found (TP): {counts.tp}"),
        Entry(SPURIOUS, f"spurious (FP): {counts.fp}"),
        Entry(MISSED, f"missed (FN): {counts.fn}"),
    ]
    score = f"   F1 {counts.f1:.3f}, PQ {counts.panoptic_quality:.3f} at IoU {threshold:g}"
    return [*layers, Layer(missed, MISSED)], legend, score


def _drawn(panel: np.ndarray, layers: list[Layer], scale: Scale) -> np.ndarray:
    """A panel with outlines; where there is room, lines of two pixels, the lowest further out."""
    picture, roomy = panel.copy(), scale.zoom > 1
    for level, (labels, colour) in enumerate(layers):
        large = resized(labels, scale)
        lowest = level == 0 and len(layers) > 1
        line = find_boundaries(large, mode="outer" if lowest and roomy else "inner")
        if roomy and not lowest:
            line = binary_dilation(line) & (large > 0)
        picture[line] = colour
    return picture
