"""Points out of planes: peaks of a probability, or blobs of a size, at positions within voxels.

A voxel is a peak if nothing in a ball around it is higher, and nothing as high comes before it. So
what is found in a part of a volume is found in the whole, if the part is read with as much around
it as :func:`points_margin` says.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from jaxseg.config.detection import Detection
from jaxseg.errors import ConfigError
from jaxseg.geometry import Box

# Of Gaussians, in standard deviations: what lies beyond is not looked at.
TRUNCATED = 4.0
# Ratio of the two Gaussians whose difference is nearest to the Laplacian (Marr & Hildreth 1980).
RATIO = 1.6


class Points(NamedTuple):
    """Points, the surest one first.

    Parameters
    ----------
    places : (n, ndim) float64 positions in voxels, (z)yx; 0 is the centre of the first voxel
    scores : (n,) float32 values of the plane, or of the response to blobs
    classes : (n,) int32; 0 where there are none
    """

    places: np.ndarray
    scores: np.ndarray
    classes: np.ndarray

    def take(self, rows: np.ndarray) -> Points:
        """Some of them."""
        return Points(*(column[rows] for column in self))


def find_points(
    plane: np.ndarray,
    *,
    spacing: Sequence[float] | None = None,
    options: Detection | None = None,
    threshold: float | None = None,
) -> Points:
    """The points that a plane shows.

    Parameters
    ----------
    plane : (*S) float
        Probability that a point is here, or an intensity where blobs are looked for.
    spacing : sequence of float, optional
        Size of a voxel, (z)yx, µm; None = 1.
    options : Detection, optional
        Method, distances and borders.
    threshold : float, optional
        In place of that of the options, which may be "auto".

    Returns
    -------
    Points

    Raises
    ------
    ConfigError
        Illegal options.

    Examples
    --------
    >>> plane = np.zeros((5, 7)); plane[2, 2], plane[2, 4] = 0.9, 0.8
    >>> find_points(plane, options=Detection(min_distance=1)).places.tolist()
    [[2.0, 2.0], [2.0, 4.0]]
    >>> find_points(plane, options=Detection(min_distance=2)).places.tolist()
    [[2.0, 2.0]]
    """
    options = Detection() if options is None else options
    whole = Box((0,) * plane.ndim, plane.shape)
    found = points_in(
        plane, whole, whole, plane.shape, spacing=spacing, options=options, threshold=threshold
    )
    return found.take(np.argsort(-found.scores, kind="stable"))


def points_margin(ndim: int, *, spacing: Sequence[float], options: Detection) -> tuple[int, ...]:
    """Voxels around a box that decide which points are in it, (z)yx.

    >>> points_margin(2, spacing=(1.0, 0.5), options=Detection(min_distance=2))
    (3, 5)
    """
    sizes = np.asarray(spacing, float)
    peaks = np.ceil(options.min_distance / sizes).astype(int) + 1
    wide = RATIO if options.method == "dog" else 1.0
    blobs = np.zeros(ndim, int)
    if options.method != "maxima":
        blobs = np.floor(TRUNCATED * wide * _sigma(options, ndim) / sizes + 0.5).astype(int)
    return tuple(int(n) for n in peaks + blobs)


def points_in(
    plane: np.ndarray,
    wide: Box,
    core: Box,
    shape: Sequence[int],
    *,
    spacing: Sequence[float] | None = None,
    options: Detection,
    threshold: float | None = None,
) -> Points:
    """The points of a box of a volume, exactly as they are in the whole.

    Parameters
    ----------
    plane : (*wide.shape) float
        The plane in the box with :func:`points_margin` around it, as far as the volume goes.
    wide, core : Box
        What was read, and where points are looked for.
    shape : sequence of int
        Of the volume.
    spacing, options, threshold
        As for :func:`find_points`.

    Returns
    -------
    Points
        In the order of their voxels; positions are those in the volume.
    """
    ndim = plane.ndim
    sizes = tuple(spacing or (1.0,) * ndim)
    least = options.threshold if threshold is None else threshold
    if isinstance(least, str):
        raise ConfigError("the threshold must be a number here", file="detection.threshold")
    values = response(plane, spacing=sizes, options=options)
    offsets = _ball(options.min_distance, sizes)
    highest = ndimage.maximum_filter(values, footprint=offsets, mode="constant", cval=-np.inf)
    peaks = (values >= highest) & (values >= least) & np.isfinite(values)
    inside = np.zeros(plane.shape, bool)
    inside[core.relative_to(wide.start).slices] = True
    border = np.ceil(np.asarray(options.exclude_border) / sizes).astype(int)
    keep = tuple(
        slice(max(0, edge - start), max(0, size - edge - start))
        for edge, size, start in zip(border, shape, wide.start, strict=True)
    )
    allowed = np.zeros(plane.shape, bool)
    allowed[keep] = True
    candidates = np.argwhere(peaks)
    first = _first_of_equals(values, candidates, offsets)
    kept = candidates[first]
    kept = kept[(inside & allowed)[tuple(kept.T)]]
    # The voxel first, then what is added to it, so that a position is the same however it was cut.
    places = (kept + np.asarray(wide.start)).astype(float)
    if options.subpixel:
        places += _shifts(values, kept, wide, shape)
    scores = values[tuple(kept.T)].astype(np.float32)
    return Points(places, scores, np.zeros(len(kept), np.int32))


def response(plane: np.ndarray, *, spacing: Sequence[float], options: Detection) -> np.ndarray:
    """What is searched for peaks: the plane, or how much it looks like a bright blob.

    The response of a Gaussian blob of the radius is highest at its centre. ``log`` is the scale-
    normalised negative Laplacian of a Gaussian (Lindeberg 1998), ``dog`` the difference of two.
    """
    plane = np.asarray(plane, np.float32)
    if options.method == "maxima":
        return plane
    sigma = _sigma(options, plane.ndim)
    sizes = np.asarray(spacing, float)

    def blurred(width: float) -> np.ndarray:
        return ndimage.gaussian_filter(plane, width / sizes, mode="nearest", truncate=TRUNCATED)

    if options.method == "dog":
        return (blurred(sigma) - blurred(RATIO * sigma)) / (RATIO - 1)
    smooth = blurred(sigma)
    total = np.zeros_like(smooth)
    for axis, size in enumerate(sizes):
        second = ndimage.correlate1d(smooth, [1.0, -2.0, 1.0], axis=axis, mode="nearest")
        total -= (second * (sigma / size) ** 2).astype(np.float32)
    return total


def _sigma(options: Detection, ndim: int) -> float:
    """Standard deviation of the Gaussian that answers most to a ball of the radius."""
    return options.blob_radius / math.sqrt(ndim)


def _ball(radius: float, spacing: Sequence[float]) -> np.ndarray:
    """The voxels within a distance, as a footprint; at least the neighbours along the axes."""
    sizes = np.asarray(spacing, float)
    reach = np.maximum(1, np.floor(radius / sizes + 1e-9).astype(int))
    axes = [np.arange(-n, n + 1) * size for n, size in zip(reach, sizes, strict=True)]
    square = sum(np.square(axis) for axis in np.ix_(*axes))
    footprint = square <= radius**2 * (1 + 1e-9)
    return footprint | _cross(footprint.shape)


def _cross(shape: tuple[int, ...]) -> np.ndarray:
    """The centre of a footprint and its neighbours along the axes."""
    found = np.zeros(shape, bool)
    centre = tuple(n // 2 for n in shape)
    for axis in range(len(shape)):
        index: list[int | slice] = list(centre)
        index[axis] = slice(centre[axis] - 1, centre[axis] + 2)
        found[tuple(index)] = True
    return found


def _first_of_equals(
    values: np.ndarray, candidates: np.ndarray, footprint: np.ndarray
) -> np.ndarray:
    """Which peaks have no voxel as high before them within the footprint, (n,) bool."""
    centre = np.array(footprint.shape) // 2
    earlier = np.argwhere(footprint) - centre
    earlier = [step for step in earlier if tuple(step) < (0,) * len(centre)]
    first = np.ones(len(candidates), bool)
    shape = np.array(values.shape)
    for step in earlier:
        there = candidates + step
        legal = ((there >= 0) & (there < shape)).all(1)
        rows = np.flatnonzero(legal & first)
        if not len(rows):
            continue
        place, near = tuple(candidates[rows].T), tuple(there[rows].T)
        first[rows] &= values[near] != values[place]
    return first


def _shifts(values: np.ndarray, peaks: np.ndarray, wide: Box, shape: Sequence[int]) -> np.ndarray:
    """From a peak to the top of a parabola through it and its neighbours, along each axis."""
    shifts = np.zeros(peaks.shape)
    for axis, size in enumerate(shape):
        at = peaks[:, axis] + wide.start[axis]
        rows = np.flatnonzero((at > 0) & (at < size - 1))
        index = [peaks[rows, other] for other in range(peaks.shape[1])]
        before, after = list(index), list(index)
        before[axis], after[axis] = index[axis] - 1, index[axis] + 1
        low, top, high = (values[tuple(one)].astype(float) for one in (before, index, after))
        bend = low - 2 * top + high
        with np.errstate(invalid="ignore", divide="ignore"):
            shift = np.where(bend < 0, 0.5 * (low - high) / bend, 0.0)
        shifts[rows, axis] = np.clip(np.nan_to_num(shift), -0.5, 0.5)
    return shifts
