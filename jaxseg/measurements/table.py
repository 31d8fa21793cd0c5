"""The table of measurements: one row per object."""

from __future__ import annotations

import math
from collections.abc import Sequence

import cc3d
import fastremap
import numpy as np
import pandas as pd

from jaxseg.config.properties import INTENSITY, Measured
from jaxseg.errors import InputError
from jaxseg.measurements.extra import extra_columns
from jaxseg.measurements.perimeter import perimeters
from jaxseg.measurements.surface import surface_areas
from jaxseg.volume import checked_spacing

Columns = dict[str, np.ndarray]

# Ids up to here are measured as they are, in tables with a row per id.
DIRECT = 2**22


def measure(
    labels: np.ndarray,
    *,
    spacing: Sequence[float] | None = None,
    intensity: np.ndarray | None = None,
    shape: bool = True,
    extra: Sequence[Measured] = (),
) -> pd.DataFrame:
    """Measure every object.

    Parameters
    ----------
    labels : (*S) non-negative integers of any type, any ids; 0 = background
    spacing : size of a voxel, (z)yx, µm; None = 1
    intensity : (*S) or (*S, C) image to measure inside the objects
    shape : measure outline or surface, too, and what follows from them
    extra : names of further measurements, see :func:`jaxseg.measurements.extra_columns`; they are
        made object by object and take far longer

    Returns
    -------
    one row per object, by ascending id; none without objects. Columns:

    label, npixels
        id and number of voxels
    area (2D) or volume (3D)
        µm² or µm³
    centroid-0.., centroid_um-0..
        mean position of the voxels per axis, in voxels and in µm, from the first voxel's centre
    bbox-0..
        first voxel per axis, then one past the last per axis
    diameter, diameter_voxels
        longest side of that box, in µm and in voxels
    perimeter, circularity, elongation (2D)
        length of the outline, µm, see :func:`perimeters`; ``4 pi area / perimeter²``, 0 where the
        perimeter is 0; ``perimeter² / (4 pi area)``
    surface_area, sphericity (3D)
        µm², see :func:`surface_areas`; ``36 pi volume² / surface_area³``, 1 for a ball: the cube of
        the sphericity of Wadell (1935)
    intensity_mean, intensity_min, intensity_max, intensity_std
        of the voxels of the object; with more than one channel followed by ``-`` and its number
    the names of ``extra``
        in powers of µm; vectors with ``-0``, ``-1``, ... after the name

    Raises
    ------
    InputError : labels that are not integers or are negative, an intensity image of another size
    ConfigError : a spacing that is none, or another number of them than axes; illegal names in
        ``extra``

    >>> table = measure(np.array([[0, 7, 7], [0, 7, 7]]), spacing=(2.0, 0.5))
    >>> table[["label", "npixels", "area", "centroid_um-1", "diameter"]].values.tolist()
    [[7.0, 4.0, 4.0, 0.75, 4.0]]
    """
    labels = np.asarray(labels)
    sizes = _checked(labels, spacing, intensity)
    numbers, names = _small_ids(labels)
    # The package asks for more voxels than ids; one more slice at the end changes nothing.
    spare = [(0, int(numbers.max(initial=0)) >= numbers.size), *[(0, 0)] * (numbers.ndim - 1)]
    found = cc3d.statistics(np.pad(numbers, spare) if any(spare[0]) else numbers)
    rows = np.flatnonzero(found["voxel_counts"][1:]) + 1
    count = found["voxel_counts"][rows].astype(np.int64)
    ids = rows if names is None else names[rows]
    columns: Columns = {"label": ids, "npixels": count, size_name(sizes): count * math.prod(sizes)}
    columns |= centroids(found["centroids"][rows], sizes)
    columns |= boxes([found["bounding_boxes"][row] for row in rows], sizes)
    if shape:
        columns |= _shapes(numbers, rows, columns[size_name(sizes)], sizes)
    if intensity is not None:
        columns |= _intensities(numbers, rows, np.asarray(intensity))
    if extra:
        columns |= extra_columns(numbers, extra, spacing=sizes, intensity=intensity)
    return pd.DataFrame(columns)


def _checked(
    labels: np.ndarray, spacing: Sequence[float] | None, intensity: np.ndarray | None
) -> tuple[float, ...]:
    """The voxel size, once all is found to fit."""
    if labels.dtype.kind not in "iub" or labels.ndim not in (2, 3) or not labels.size:
        raise InputError(
            "not a label image",
            expected="integers, (z)yx, at least one voxel",
            found=f"{labels.dtype}, shape {labels.shape}",
        )
    if labels.dtype.kind == "i" and labels.min(initial=0) < 0:
        raise InputError("negative labels", found=labels.min(), expected="0 = background, ids > 0")
    sizes = (1.0,) * labels.ndim if spacing is None else checked_spacing(spacing, labels.ndim)
    if intensity is not None and intensity.shape[: labels.ndim] != labels.shape:
        raise InputError(
            "labels and intensity image differ in size",
            expected=labels.shape,
            found=intensity.shape,
        )
    return sizes


def _small_ids(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Labels with ids small enough for tables, and their true ids unless they are the same."""
    if labels.dtype == bool:
        return labels.view(np.uint8), None
    if labels.max(initial=0) < min(labels.size, DIRECT):
        return labels, None
    ids, numbers = fastremap.unique(labels, return_inverse=True)
    if ids[0] != 0:
        # A zero of another type would turn 64-bit ids into floats.
        ids, numbers = np.concatenate([np.zeros(1, ids.dtype), ids]), numbers + 1
    return numbers.reshape(labels.shape).astype(np.uint32), ids


def size_name(sizes: Sequence[float]) -> str:
    """The name of the column with the size."""
    return "area" if len(sizes) == 2 else "volume"


def centroids(found: np.ndarray, sizes: Sequence[float]) -> Columns:
    """Mean positions."""
    voxels = found.astype(np.float64).reshape(-1, len(sizes))
    columns = {f"centroid-{axis}": voxels[:, axis] for axis in range(len(sizes))}
    return columns | {
        f"centroid_um-{axis}": voxels[:, axis] * size for axis, size in enumerate(sizes)
    }


def boxes(found: Sequence[tuple[slice, ...]], sizes: Sequence[float]) -> Columns:
    """Bounding boxes and their longest sides."""
    ends = [[side.start for side in box] + [side.stop for side in box] for box in found]
    table = np.array(ends, np.int64).reshape(-1, 2 * len(sizes))
    sides = table[:, len(sizes) :] - table[:, : len(sizes)]
    columns = {f"bbox-{place}": table[:, place] for place in range(2 * len(sizes))}
    longest = (sides * np.asarray(sizes)).max(axis=1, initial=0)
    return columns | {"diameter": longest, "diameter_voxels": sides.max(axis=1, initial=0)}


def _shapes(
    numbers: np.ndarray, rows: np.ndarray, size: np.ndarray, sizes: Sequence[float]
) -> Columns:
    """Outline or surface, and how round the object is."""
    measured = surface_areas if len(sizes) == 3 else perimeters
    return roundness(measured(numbers, spacing=sizes)[rows], size, sizes)


def roundness(outline: np.ndarray, size: np.ndarray, sizes: Sequence[float]) -> Columns:
    """Columns out of the surface or outline and the volume or area of every object."""
    if len(sizes) == 3:
        return {"surface_area": outline, "sphericity": 36 * np.pi * size**2 / outline**3}
    square, disc = outline**2, 4 * np.pi * size
    circularity = np.divide(disc, square, out=np.zeros_like(square), where=square > 0)
    return {"perimeter": outline, "circularity": circularity, "elongation": square / disc}


def _intensities(numbers: np.ndarray, rows: np.ndarray, image: np.ndarray) -> Columns:
    """Mean, least and largest value and standard deviation per object and channel."""
    channels = image.reshape(*numbers.shape, -1)
    inside = numbers > 0
    ids, count = numbers[inside].astype(np.int64), int(rows.max(initial=0)) + 1
    several = channels.shape[-1] > 1
    columns: Columns = {}
    measured = [
        _moments(ids, channels[..., channel][inside].astype(np.float64), count)
        for channel in range(channels.shape[-1])
    ]
    for place, name in enumerate(INTENSITY):
        for channel, values in enumerate(measured):
            columns[f"{name}-{channel}" if several else name] = values[place][rows]
    return columns


def _moments(ids: np.ndarray, values: np.ndarray, count: int) -> tuple[np.ndarray, ...]:
    """Mean, least, largest, standard deviation of the values of every id."""
    low, high = np.full(count, np.inf), np.full(count, -np.inf)
    np.minimum.at(low, ids, values)
    np.maximum.at(high, ids, values)
    voxels = np.maximum(np.bincount(ids, minlength=count), 1)
    mean = np.bincount(ids, weights=values, minlength=count) / voxels
    # In two passes: the difference of large sums would lose the digits.
    square = np.square(values - mean[ids])
    spread = np.bincount(ids, weights=square, minlength=count) / voxels
    return mean, low, high, np.sqrt(spread)
