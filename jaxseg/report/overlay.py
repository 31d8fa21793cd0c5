"""Outlines of objects over the image: what was found, missed and made up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.ndimage import binary_dilation
from skimage.segmentation import find_boundaries

from jaxseg.report.canvas import Colour, Entry, compose
from jaxseg.report.panels import Scale, as_rgb, heads_of, resized, scale_of, slice_indices
from jaxseg.report.verdict import Verdict, judged

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
    verdict: Verdict | None = None,
    slices: Sequence[int] = (),
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
    verdict : of the images that all these are a part of, see :func:`jaxseg.report.shown`; None =
        these are the whole images
    slices : of the volume that these are a part of, the number of every slice

    Returns
    -------
    (Y, X, 3) uint8

    Raises
    ------
    InputError : truth and labels differ in size
    """
    if verdict is None:
        verdict = judged(np.zeros_like(labels) if truth is None else truth, labels,
                         threshold=threshold)  # fmt: skip
    layers, legend, score = _layers(labels, truth, verdict)
    return outlined(raw, layers, legend, title=title + score, slices=slices)


def point_overlay(
    raw: np.ndarray,
    found: np.ndarray,
    *,
    truth: np.ndarray | None = None,
    pairs: np.ndarray | None = None,
    title: str = "",
    slices: Sequence[int] = (),
    lines: Sequence[np.ndarray] = (),
) -> np.ndarray:
    """The image, and the image with circles around points.

    Parameters
    ----------
    raw, title, slices : as for :func:`overlay`
    found, truth : (*S) circles of points, numbered from 1; truth None = not known
    pairs : (n, 2) numbers of the true points that were found, and of those found for them, from 0
    lines : (*S) each, lines between points: where the truth is known right ones, spurious ones and
        missed ones

    Returns
    -------
    (Y, X, 3) uint8
    """
    if truth is None or pairs is None:
        legend = [Entry(UNJUDGED, "found")]
        layers = [Layer(one, UNJUDGED) for one in (found, *lines)]
        return outlined(raw, layers, legend, title=title, slices=slices)
    right, hit = np.isin(found, pairs[:, 1] + 1), np.isin(truth, pairs[:, 0] + 1)
    layers = [
        Layer(truth, TRUE),
        Layer(np.where(right, found, 0), FOUND),
        Layer(np.where(right, 0, found), SPURIOUS),
        Layer(np.where(hit, 0, truth), MISSED),
    ]
    texts = ("true", "found (TP)", "spurious (FP)", "missed (FN)")
    legend = [Entry(layer.colour, text) for layer, text in zip(layers, texts, strict=True)]
    drawn = zip(lines, (FOUND, SPURIOUS, MISSED), strict=False)
    layers += [Layer(line, colour) for line, colour in drawn]
    return outlined(raw, layers, legend, title=title, slices=slices)


def outlined(
    raw: np.ndarray,
    layers: Sequence[Layer],
    legend: Sequence[Entry],
    *,
    title: str,
    slices: Sequence[int] = (),
) -> np.ndarray:
    """The image, and the image with the outlines of layers, the last one on top."""
    shape = layers[0].labels.shape
    colours, scale = as_rgb(raw, len(shape)), scale_of(shape)
    plain, drawn = [], []
    for index in slice_indices(shape):
        panel = resized(colours[index], scale)
        plain.append(panel)
        drawn.append(_drawn(panel, [Layer(a[index], colour) for a, colour in layers], scale))
    rows = [plain, drawn] if len(shape) == 3 else [[*plain, *drawn]]
    return compose(rows, title=title, legend=list(legend), heads=heads_of(shape, slices))


def _layers(
    labels: np.ndarray, truth: np.ndarray | None, verdict: Verdict
) -> tuple[list[Layer], list[Entry], str]:
    """What to draw, from the lowest to the topmost, what it means, and the score."""
    counts = verdict.counts
    if truth is None:
        entry = Entry(UNJUDGED, f"predicted: {counts.n_pred}")
        return [Layer(labels, UNJUDGED)], [entry], ""
    missed = np.where(np.isin(truth, verdict.missed), truth, 0)
    spurious = np.where(np.isin(labels, verdict.spurious), labels, 0)
    hits = np.where(spurious > 0, 0, labels)
    layers = [Layer(truth, TRUE), Layer(hits, FOUND), Layer(spurious, SPURIOUS)]
    legend = [
        Entry(TRUE, f"ground truth: {counts.n_true}"),
        Entry(FOUND, f"found (TP): {counts.tp}"),
        Entry(SPURIOUS, f"spurious (FP): {counts.fp}"),
        Entry(MISSED, f"missed (FN): {counts.fn}"),
    ]
    score = f"   F1 {counts.f1:.3f}, PQ {counts.panoptic_quality:.3f} at IoU {counts.thresh:g}"
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
