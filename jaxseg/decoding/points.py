"""Points out of planes: peaks of a probability, or blobs of a size, at positions within voxels.

A voxel is a peak if nothing in a ball around it is higher, and nothing as high comes before it. So
what is found in a part of a volume is found in the whole, if the part is read with as much around
it as :func:`points_margin` says.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from jaxseg.config.detection import Detection, each, radius_in_um
from jaxseg.decoding.responses import response, response_reach
from jaxseg.errors import ConfigError
from jaxseg.geometry import Box


class Points(NamedTuple):
    """Points, the surest one first.

    Parameters
    ----------
    places : (n, ndim) float64 positions in voxels, (z)yx; 0 is the centre of the first voxel
    scores : (n,) float32 values of the plane, or of the response to blobs
    classes : (n,) int32 from 1; 0 where there are none
    radii : (n,) float32 of blobs, µm; empty where none are looked for
    """

    places: np.ndarray
    scores: np.ndarray
    classes: np.ndarray
    radii: np.ndarray = np.zeros(0, np.float32)

    def take(self, rows: np.ndarray) -> Points:
        """Some of them."""
        return Points(*(column[rows] if len(column) else column for column in self))


def find_points(
    plane: np.ndarray,
    *,
    spacing: Sequence[float] | None = None,
    options: Detection | None = None,
    threshold: float | Sequence[float] | None = None,
    class_planes: np.ndarray | None = None,
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
    threshold : float or sequence of float, optional
        In place of that of the options, which may be "auto"; one, or one per class.
    class_planes : (*S, classes) float, optional
        Probability of every class, without the background.

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
    >>> find_points(plane, options=Detection(remove_close=2)).places.tolist()
    [[2.0, 2.0]]
    """
    options = Detection() if options is None else options
    whole = Box((0,) * plane.ndim, plane.shape)
    found = points_in(
        plane, whole, whole, plane.shape, spacing=spacing, options=options, threshold=threshold,
        class_planes=class_planes,
    )  # fmt: skip
    return sorted_points(found, spacing=spacing, options=options)


def sorted_points(
    found: Points, *, spacing: Sequence[float] | None = None, options: Detection
) -> Points:
    """The points of a whole volume, the surest first, without those close to surer ones.

    Parameters
    ----------
    found : in any order; equally sure ones go by their places, however the volume was cut
    spacing, options : as for :func:`find_points`
    """
    found = found.take(np.lexsort((*found.places.T[::-1], -found.scores)))
    number = max(int(found.classes.max(initial=0)), 1)
    limits = each(options.remove_close, number)
    own = np.asarray(limits)[np.maximum(found.classes, 1) - 1]
    return found.take(far_apart(found.places, own, spacing=spacing))


def far_apart(
    places: np.ndarray, radii: np.ndarray, *, spacing: Sequence[float] | None = None
) -> np.ndarray:
    """Which points stay if those close to a surer point that stays are removed, one by one.

    Parameters
    ----------
    places : (n, ndim) positions in voxels, the surest first
    radii : (n,) within which a surer point removes this one, in the units of ``spacing``; 0 = none
    spacing : size of a voxel; None = 1

    Returns
    -------
    (n,) bool

    >>> far_apart(np.array([[0.0], [2.0], [4.0]]), np.full(3, 2.0)).tolist()
    [True, False, True]
    """
    stays = np.ones(len(places), bool)
    if not len(places) or not radii.max():
        return stays
    scaled = places * np.asarray(spacing or (1.0,) * places.shape[1], float)
    pairs = cKDTree(scaled).query_pairs(float(radii.max()) * (1 + 1e-9), output_type="ndarray")
    pairs = np.sort(pairs, axis=1)
    distances = np.linalg.norm(scaled[pairs[:, 0]] - scaled[pairs[:, 1]], axis=1)
    pairs = pairs[(distances <= radii[pairs[:, 1]] * (1 + 1e-9)) & (radii[pairs[:, 1]] > 0)]
    waiting = np.ones(len(places), bool)
    while len(pairs):
        # Who has no surer neighbour left stays, and removes those less sure around it.
        free = waiting.copy()
        free[pairs[:, 1]] = False
        gone = pairs[free[pairs[:, 0]], 1]
        stays[gone] = waiting[gone] = False
        waiting &= ~free
        pairs = pairs[waiting[pairs].all(1)]
    return stays


def points_margin(ndim: int, *, spacing: Sequence[float], options: Detection) -> tuple[int, ...]:
    """Voxels around a box that decide which points are in it, (z)yx.

    >>> points_margin(2, spacing=(1.0, 0.5), options=Detection(min_distance=2))
    (3, 5)
    """
    sizes = np.asarray(spacing, float)
    peaks = np.ceil(options.min_distance / sizes).astype(int) + 1
    blobs = response_reach(ndim, spacing=spacing, options=options)
    votes = np.ceil(np.asarray(class_radii(options, spacing)) / sizes).astype(int)
    return tuple(int(n) for n in np.maximum(peaks + blobs, votes))


def points_in(
    plane: np.ndarray,
    wide: Box,
    core: Box,
    shape: Sequence[int],
    *,
    spacing: Sequence[float] | None = None,
    options: Detection,
    threshold: float | Sequence[float] | None = None,
    class_planes: np.ndarray | None = None,
) -> Points:
    """The points of a box of a volume, exactly as they are in the whole.

    Points that are close to surer ones are all there: see :func:`sorted_points`.

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
    class_planes : (*wide.shape, classes) float, optional
        As for :func:`find_points`.

    Returns
    -------
    Points
        In the order of their voxels; positions are those in the volume.
    """
    sizes = tuple(spacing or (1.0,) * plane.ndim)
    number = 1 if class_planes is None else class_planes.shape[-1]
    limits = _limits(options.threshold if threshold is None else threshold, number)
    values, which = response(plane, spacing=sizes, options=options)
    kept = _peaks(values, ball(options.min_distance, sizes), least=float(min(limits)))
    border = np.ceil(np.asarray(options.exclude_border) / sizes).astype(int)
    low = np.maximum(core.start, border) - wide.start
    high = np.minimum(core.stop, np.asarray(shape) - border) - wide.start
    kept = kept[((kept >= low) & (kept < high)).all(1)]
    classes = np.zeros(len(kept), np.int32)
    if class_planes is not None:
        classes = _classes_at(class_planes, kept, ball(class_radii(options, sizes), sizes))
        kept, classes = _above(values, kept, classes, limits)
    # The voxel first, then what is added to it, so that a position is the same however it was cut.
    places = (kept + np.asarray(wide.start)).astype(float)
    if options.subpixel:
        places += _shifts(values, kept, wide, shape)
    radii = np.zeros(0, np.float32)
    if which is not None:
        radii = np.asarray(each(options.blob_radius, 1), np.float32)[which[tuple(kept.T)]]
    return Points(places, values[tuple(kept.T)].astype(np.float32), classes, radii)


def class_radii(options: Detection, spacing: Sequence[float]) -> tuple[float, ...]:
    """Half the radius of a true point, along every axis, µm: there its class is learned."""
    return tuple(radius / 2 for radius in radius_in_um(options, tuple(spacing)))


def _limits(threshold: Any, number: int) -> np.ndarray:
    """The threshold of every class."""
    given = threshold if isinstance(threshold, (int, float, str)) else tuple(threshold)
    limits = each(given, number)
    if any(isinstance(one, str) for one in limits) or len(limits) != number:
        raise ConfigError(
            "thresholds must be numbers here, one or one per class", where="detection.threshold",
            expected=f"1 or {number}", found=threshold,
        )  # fmt: skip
    return np.asarray(limits, float)


def _above(
    values: np.ndarray, kept: np.ndarray, classes: np.ndarray, limits: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The peaks that reach the threshold of their class."""
    reach = values[tuple(kept.T)] >= limits[classes - 1]
    return kept[reach], classes[reach]


def ball(radius: float | Sequence[float], spacing: Sequence[float]) -> np.ndarray:
    """The steps to all voxels within a distance, (n, ndim), the nearest first.

    The neighbours along the axes are always among them, right after the voxel itself.

    >>> ball(1.0, (1.0, 2.0)).tolist()
    [[0, 0], [-1, 0], [1, 0], [0, -1], [0, 1]]
    """
    sizes = np.asarray(spacing, float)
    radii = np.maximum(np.broadcast_to(np.asarray(radius, float), sizes.shape), 1e-6)
    reach = np.maximum(1, np.floor(radii / sizes + 1e-9).astype(int))
    steps = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in reach), indexing="ij"), -1)
    steps = steps.reshape(-1, len(sizes))
    square = np.square(steps * sizes / radii).sum(1)
    axial = np.abs(steps).sum(1) <= 1
    order = np.lexsort((square, ~axial, steps.any(1)))
    order = order[((square <= 1 + 1e-9) | axial)[order]]
    return steps[order]


def _peaks(values: np.ndarray, steps: np.ndarray, *, least: float) -> np.ndarray:
    """The voxels that nothing near exceeds and nothing near and before equals, (n, ndim)."""
    high = values >= least
    for axis in range(values.ndim):
        before = (slice(None),) * axis + (slice(None, -1),)
        after = (slice(None),) * axis + (slice(1, None),)
        # Of equal neighbours the first may be a peak.
        high[before] &= values[before] >= values[after]
        high[after] &= values[after] > values[before]
    places = np.argwhere(high)
    for step in steps[1 + 2 * values.ndim :]:
        there = places + step
        legal = ((there >= 0) & (there < values.shape)).all(1)
        near = np.full(len(places), -np.inf, values.dtype)
        near[legal] = values[tuple(there[legal].T)]
        own = values[tuple(places.T)]
        earlier = tuple(step) < (0,) * len(step)
        places = places[near < own if earlier else near <= own]
    return places


def _classes_at(planes: np.ndarray, kept: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """The class whose probabilities around a peak add up to most, (n,) int32 from 1."""
    sums = np.zeros((len(kept), planes.shape[-1]))
    for step in steps:
        there = kept + step
        legal = ((there >= 0) & (there < planes.shape[:-1])).all(1)
        sums[legal] += planes[tuple(there[legal].T)]
    return (sums.argmax(1) + 1).astype(np.int32)


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
        with np.errstate(invalid="ignore", divide="ignore"):
            bend = low - 2 * top + high
            shift = np.where(bend < 0, 0.5 * (low - high) / bend, 0.0)
        shifts[rows, axis] = np.clip(np.nan_to_num(shift), -0.5, 0.5)
    return shifts
