"""How far the predicted planes of test images are from the true ones, channel by channel."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import pandas as pd

from jaxseg import channels, data, io, memory
from jaxseg.channels.objective import metric_parts
from jaxseg.config.channels import Semantic
from jaxseg.errors import JaxsegWarning
from jaxseg.geometry import Box
from jaxseg.report.tables import MEAN
from jaxseg.runs.layout import Work

# Of a value: predicted and true, whether it counts, and copies of them on the device.
BYTES = 24
Ratios = Mapping[str, tuple[float, float]]


class Compared(NamedTuple):
    """Whole images, (*S, K) each but the ids, (*S)."""

    values: np.ndarray
    truth: np.ndarray
    counts: np.ndarray
    ids: np.ndarray


def with_plane_scores(table: pd.DataFrame, works: Sequence[Work]) -> pd.DataFrame:
    """A table of scores with those of the planes, where they are asked for.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per image, its name in ``file``, and rows for all of them.
    works : sequence of Work
        The images.

    Returns
    -------
    pandas.DataFrame
        With the columns ``F IoU``, ``Db error`` and so on: of the whole image; in the row ``mean of
        images`` the mean, in the last one of all voxels together. ``F IoU (patch)`` is the mean
        over patches of the size of training patches that have anything to compare.
    """
    known = [one for one in works if one.sample.labels is not None]
    if not known or not known[0].config.evaluate.planes:
        return table
    known = [one for one in known if fits(one)]
    if not known:
        return table
    rows: dict[str, dict[str, float]] = {}
    sums: dict[str, list[tuple[float, float]]] = {}
    for work in known:
        images = compared(work)
        whole = ratios(work, images, Box((0,) * len(work.shape), work.shape))
        patches = [ratios(work, images, box) for box in _patches(work)]
        rows[work.sample.name] = {name: _quotient(*ratio) for name, ratio in whole.items()} | {
            f"{name} (patch)": _mean(_quotient(*patch[name]) for patch in patches) for name in whole
        }
        for name, ratio in whole.items():
            sums.setdefault(name, []).append(ratio)
    found = pd.DataFrame.from_dict(rows, orient="index")
    found.loc[MEAN] = found.mean()
    pooled = {name: _quotient(*np.sum(parts, axis=0)) for name, parts in sums.items()}
    found.loc[str(table.file.iloc[-1])] = pooled
    return table.merge(found, how="left", left_on="file", right_index=True)


def fits(work: Work) -> bool:
    """Whether the planes of an image can be held as often as it takes; a warning where not."""
    planes = channels.columns(work.config.channels, work.config.ndim).total
    needed, room = math.prod(work.shape) * planes * BYTES, memory.available()
    if needed > room:
        warnings.warn(
            f"the planes of {work.name} were not compared: this takes {memory.readable(needed)}, "
            f"there are {memory.readable(room)}",
            JaxsegWarning,
            stacklevel=2,
        )
    return needed <= room


def compared(work: Work) -> Compared:
    """Predicted and true planes of an image, in memory."""
    config, sample = work.config, work.sample
    assert sample.labels is not None
    labels = sample.labels.array()
    classes = None if sample.classes is None else sample.classes.array()
    ignore = _ignored(work)
    reach = data.label_statistics([sample], ignore=ignore).reach
    values = io.open_image(work.planes, ndim=config.ndim).array().astype(np.float32)
    known = labels != ignore if ignore != -1 else None
    truth, counts = channels.encode_masked(
        labels, config.channels, spacing=work.spacing, classes=classes, known=known,
        max_distance=reach,
    )  # fmt: skip
    return Compared(values, np.asarray(truth), np.asarray(counts), _numbered(labels, known))


def _ignored(work: Work) -> int:
    """The label that says nothing: of classes the channel's own."""
    options = [channel.options for channel in work.config.channels]
    own = [one.ignore for one in options if isinstance(one, Semantic)]
    return own[0] if own and len(options) == 1 else work.config.data.ignore


def _numbered(labels: np.ndarray, known: np.ndarray | None) -> np.ndarray:
    """Labels as int32 without gaps."""
    _, places = np.unique(labels if known is None else labels * known, return_inverse=True)
    return places.reshape(labels.shape).astype(np.int32)


def ratios(work: Work, images: Compared, box: Box) -> Ratios:
    """Numerators and denominators of a part of an image."""
    values, truth, counts, ids = (jnp.asarray(array[box.slices][None]) for array in images)
    found = metric_parts(
        values, truth, counts, work.config.channels, labels=ids, spacing=work.spacing,
        max_label=int(images.ids.max(initial=0)) + 1, linked=True,
    )  # fmt: skip
    return {name: (float(top[0]), float(bottom[0])) for name, (top, bottom) in found.items()}


def _patches(work: Work) -> Iterator[Box]:
    """Parts of an image of the size of training patches, as many as cover it."""
    for _, start in data.grid([work.sample], patch=work.config.patch):
        low = tuple(max(at, 0) for at in start)
        ends = zip(start, work.config.patch, work.shape, strict=True)
        yield Box(low, tuple(min(at + side, size) for at, side, size in ends))


def _quotient(top: Any, bottom: Any) -> float:
    return float(top / bottom) if bottom else float("nan")


def _mean(values: Iterator[float]) -> float:
    known = [value for value in values if value == value]
    return float(np.mean(known)) if known else float("nan")
