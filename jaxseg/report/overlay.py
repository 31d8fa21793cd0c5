"""Pictures for people: what was found, what was wrong, what was missed. Drawing only, no files."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from skimage.segmentation import find_boundaries

from jaxseg.metrics import associations

FOUND, WRONG, MISSED, TRUTH = (0.1, 0.9, 0.2), (0.2, 0.5, 1.0), (1.0, 0.15, 0.1), (1.0, 0.85, 0.2)
SLICES = 5
INCHES = 5.0


def overlay(
    raw: np.ndarray,
    labels: np.ndarray,
    *,
    truth: np.ndarray | None = None,
    threshold: float = 0.5,
    title: str = "",
) -> np.ndarray:
    """Outlines of objects on the image, next to the image itself.

    With the truth, predicted objects are green where they match one at the threshold and blue
    where they do not, missed true objects are red, and the outlines of all true ones yellow in a
    picture of their own. Of a volume, slices are shown.

    Parameters
    ----------
    raw : (*S, C) image; 3 channels are shown in colour, else the first one in grey
    labels : (*S) predicted objects
    truth : (*S) true objects, or None
    threshold : IoU of a match
    title : above the picture

    Returns
    -------
    (height, width, 3) uint8
    """
    grey = stretched(raw)
    drawn, legend = _outlines(labels, truth, threshold)
    views = [("image", [])]
    views += [("truth", [(truth, TRUTH)])] if truth is not None else []
    views += [("prediction", drawn)]
    picks = _slices(labels.shape)
    figure = Figure(figsize=(INCHES * len(views), INCHES * len(picks)), layout="constrained")
    axes = figure.subplots(len(picks), len(views), squeeze=False)
    for row, (where, pick) in zip(axes, picks, strict=True):
        for axis, (name, outlined) in zip(row, views, strict=True):
            picture = _enlarged(grey[pick], labels[pick].shape)
            for objects, colour in outlined:
                edge = find_boundaries(_enlarged(objects[pick], labels[pick].shape), mode="inner")
                picture[edge] = colour
            axis.imshow(picture, interpolation="nearest")
            axis.set_title(" ".join(filter(None, (name, where))), fontsize=10)
            axis.axis("off")
    if legend:
        figure.legend(handles=legend, loc="outside lower center", ncols=len(legend))
    figure.suptitle(title)
    return _rendered(figure)


def class_overlay(
    raw: np.ndarray,
    classes: np.ndarray,
    *,
    truth: np.ndarray | None = None,
    names: Sequence[str] = (),
    title: str = "",
) -> np.ndarray:
    """Image, true classes and predicted classes side by side, with a legend.

    Parameters
    ----------
    raw : (*S, C) image
    classes : (*S) predicted classes
    truth : (*S) true classes, or None
    names : of the classes, from 0; empty = their numbers
    title : above the picture

    Returns
    -------
    (height, width, 3) uint8
    """
    count = max(int(classes.max(initial=0)), int(0 if truth is None else truth.max(initial=0))) + 1
    count = max(count, len(names))
    colours = np.array([(0.0, 0.0, 0.0), *colormaps["tab10"].colors, *colormaps["tab20"].colors])  # type: ignore[attr-defined]
    colours = colours[np.arange(count) % len(colours)]
    views = [("truth", truth)] if truth is not None else []
    views += [("prediction", classes)]
    picks, grey = _slices(classes.shape), stretched(raw)
    size = (INCHES * (1 + len(views)), INCHES * len(picks))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(picks), 1 + len(views), squeeze=False)
    for row, (where, pick) in zip(axes, picks, strict=True):
        row[0].imshow(grey[pick])
        row[0].set_title(" ".join(filter(None, ("image", where))), fontsize=10)
        for axis, (name, values) in zip(row[1:], views, strict=True):
            axis.imshow(colours[np.minimum(values[pick], count - 1)], interpolation="nearest")
            axis.set_title(name, fontsize=10)
        for axis in row:
            axis.axis("off")
    labelled = names or [str(number) for number in range(count)]
    handles = [Patch(color=tuple(c), label=n) for c, n in zip(colours, labelled, strict=False)]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 8))
    figure.suptitle(title)
    return _rendered(figure)


def stretched(raw: np.ndarray) -> np.ndarray:
    """(*S, C) of any type as (*S, 3) in [0, 1]: percentiles 1 and 99.8, dark parts lifted."""
    image = raw if raw.shape[-1] == 3 else raw[..., :1]
    image = image.astype(np.float32)
    if raw.dtype == np.uint8 and raw.shape[-1] == 3:
        return image / 255
    low, high = np.percentile(image, (1.0, 99.8))
    image = np.clip((image - low) / max(high - low, 1e-12), 0, 1) ** 0.7
    return np.broadcast_to(image, (*image.shape[:-1], 3)).copy()


def _outlines(
    labels: np.ndarray, truth: np.ndarray | None, threshold: float
) -> tuple[list[tuple[np.ndarray, tuple[float, float, float]]], list[Patch]]:
    """Objects to outline with their colours, later ones on top, and the legend."""
    if truth is None:
        return [(labels, FOUND)], [Patch(color=FOUND, label=f"{_count(labels)} objects")]
    table = associations(truth, labels, threshold=threshold)
    hit = table.gt_assoc[table.gt_assoc["tag"] == "TP"]
    wrong = np.isin(labels, table.fp["pred_id"].to_numpy())
    missed = np.isin(truth, table.gt_assoc["gt_id"][table.gt_assoc["tag"] == "FN"].to_numpy())
    layers = [
        (np.where(missed, truth, 0), MISSED),
        (np.where(wrong, labels, 0), WRONG),
        (np.where(wrong, 0, labels), FOUND),
    ]
    counts = {
        f"found {len(hit)}": FOUND,
        f"wrong {len(table.fp)}": WRONG,
        f"missed {len(table.gt_assoc) - len(hit)}": MISSED,
    }
    return layers, [Patch(color=colour, label=text) for text, colour in counts.items()]


def _count(labels: np.ndarray) -> int:
    found = np.unique(labels)
    return len(found) - int(0 in found)


def _slices(shape: tuple[int, ...]) -> list[tuple[str, tuple]]:
    """The parts of an image that are shown: all of it, or evenly spaced slices of a volume."""
    if len(shape) == 2:
        return [("", (slice(None), slice(None)))]
    depth = shape[0]
    count = min(SLICES, depth)
    places = [int((number + 0.5) * depth / count) for number in range(count)]
    return [(f"z = {z}", (z, slice(None), slice(None))) for z in places]


def _enlarged(picture: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Small images grow by a whole factor, so that an outline does not hide an object."""
    factor = max(1, 512 // max(shape))
    return np.repeat(np.repeat(picture, factor, axis=0), factor, axis=1)


def _rendered(figure: Figure) -> np.ndarray:
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()
