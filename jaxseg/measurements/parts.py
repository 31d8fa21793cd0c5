"""The table of measurements of an image that is read part by part."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from jaxseg.config.properties import INTENSITY
from jaxseg.measurements.perimeter import outline_lengths
from jaxseg.measurements.surface import cell_areas
from jaxseg.measurements.table import boxes, centroids, roundness, size_name

# Voxels of context on every side of a part.
MARGIN = 2


class Part(NamedTuple):
    """What a part of an image adds to the measurements of the objects in it and next to it.

    Parameters
    ----------
    ids : (n,) of the labels' type
    voxels : (n,) int64
    sums : (n, axes) int64, sums of the coordinates of the voxels
    low, high : (n, axes) int64, first voxel and one past the last
    outline : (n,) float64, length or surface, µm or µm²
    total, spread, least, most : (n, channels) float64, of the intensities: sum, sum of squared
        differences from the mean in this part, smallest and largest
    """

    ids: np.ndarray
    voxels: np.ndarray
    sums: np.ndarray
    low: np.ndarray
    high: np.ndarray
    outline: np.ndarray
    total: np.ndarray
    spread: np.ndarray
    least: np.ndarray
    most: np.ndarray


def measure_part(
    labels: np.ndarray,
    start: Sequence[int],
    last: Sequence[bool],
    *,
    spacing: Sequence[float],
    intensity: np.ndarray,
) -> Part:
    """Measure the objects of one part of an image.

    Parameters
    ----------
    labels : (*S) non-negative integers, the part with ``MARGIN`` voxels on every side, zeros beyond
        the image
    start : coordinates of the first voxel of the part
    last : per axis, whether the image ends with this part
    spacing : size of a voxel, (z)yx, µm
    intensity : (*part, C), without the margin

    Returns
    -------
    Part
    """
    ndim = labels.ndim
    ids, numbers = np.unique(labels, return_inverse=True)
    numbers = numbers.reshape(labels.shape)
    if ids[0] != 0:
        ids, numbers = np.concatenate([np.zeros(1, ids.dtype), ids]), numbers + 1
    core = numbers[(slice(MARGIN, -MARGIN),) * ndim]
    places = np.nonzero(core)
    own = core[places]
    count = len(ids)
    low = np.full((count, ndim), np.iinfo(np.int64).max)
    high = np.zeros((count, ndim), np.int64)
    sums = np.zeros((count, ndim), np.int64)
    for axis, (at, first) in enumerate(zip(places, start, strict=True)):
        np.add.at(sums[:, axis], own, at + first)
        np.minimum.at(low[:, axis], own, at + first)
        np.maximum.at(high[:, axis], own, at + first + 1)
    values = intensity.reshape(*core.shape, -1)[places].astype(np.float64)
    total, spread = np.zeros((2, count, values.shape[-1]))
    least, most = np.full_like(total, np.inf), np.full_like(total, -np.inf)
    np.add.at(total, own, values)
    voxels = np.bincount(own, minlength=count)
    means = total / np.maximum(voxels, 1)[:, None]
    # In two passes: the difference of large sums would lose the digits.
    np.add.at(spread, own, (values - means[own]) ** 2)
    np.minimum.at(least, own, values)
    np.maximum.at(most, own, values)
    outline = _outline(numbers, last, spacing, count)
    columns = (ids, voxels, sums, low, high, outline, total, spread, least, most)
    return Part(*(column[1:] for column in columns))


def _outline(
    numbers: np.ndarray, last: Sequence[bool], spacing: Sequence[float], count: int
) -> np.ndarray:
    """Each cell between voxels belongs to the part of its upper corner."""
    if numbers.ndim == 2:
        found = outline_lengths(numbers, MARGIN, spacing=spacing)
    else:
        box = tuple(slice(MARGIN - 1, 1 - MARGIN if end else -MARGIN) for end in last)
        found = cell_areas(numbers[box], spacing=spacing)
    return np.pad(found, (0, count - len(found)))


def measured(parts: Iterable[Part], *, spacing: Sequence[float]) -> pd.DataFrame:
    """The table of :func:`jaxseg.measurements.measure` out of all parts of an image.

    Parameters
    ----------
    parts : that cover the image once
    spacing : size of a voxel, (z)yx, µm

    Returns
    -------
    one row per object, by ascending id; memory grows with the number of objects only
    """
    sizes = tuple(map(float, spacing))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    ids, place = np.unique(columns[0], return_inverse=True)
    rest = zip(Part._fields[1:], columns[1:], strict=True)
    found = Part(ids, *(_gathered(name, column, place, len(ids)) for name, column in rest))
    size = found.voxels * math.prod(sizes)
    means = found.sums / found.voxels[:, None]
    sides = [tuple(map(slice, a, b)) for a, b in zip(found.low, found.high, strict=True)]
    table = {"label": ids, "npixels": found.voxels, size_name(sizes): size}
    table |= centroids(means, sizes) | boxes(sides, sizes) | roundness(found.outline, size, sizes)
    table |= _intensities(found, _between(columns, found, place))
    return pd.DataFrame(table)


def _between(columns: Sequence[np.ndarray], found: Part, place: np.ndarray) -> np.ndarray:
    """Squared differences of the means in the parts from that of the object, per voxel, summed."""
    piece = Part(*columns)
    sizes = piece.voxels[:, None]
    mean = found.total / found.voxels[:, None]
    apart = piece.total / np.maximum(sizes, 1) - mean[place]
    summed = np.zeros_like(found.total)
    np.add.at(summed, place, sizes * apart**2)
    return summed


def _intensities(found: Part, between: np.ndarray) -> dict[str, np.ndarray]:
    """Columns of the intensities, as :func:`jaxseg.measurements.measure` has them."""
    voxels, channels = found.voxels[:, None], found.total.shape[1]
    values = (
        found.total / voxels,
        found.least,
        found.most,
        np.sqrt((found.spread + between) / voxels),
    )
    return {
        f"{name}-{channel}" if channels > 1 else name: value[:, channel]
        for name, value in zip(INTENSITY, values, strict=True)
        for channel in range(channels)
    }


def _gathered(name: str, column: np.ndarray, place: np.ndarray, count: int) -> np.ndarray:
    """The rows of every object put together."""
    function: np.ufunc = np.add
    start: float = 0
    if name in ("low", "least"):
        start, function = column.max(initial=0), np.minimum
    if name in ("high", "most"):
        start, function = column.min(initial=0), np.maximum
    result = np.full((count, *column.shape[1:]), start, column.dtype)
    function.at(result, place, column)
    return result
