"""Objects around points: a watershed from balls around them, the same however a volume is cut.

Every point competes for the voxels within a radius of it. A voxel goes to the point from which the
way to it, inside that radius, climbs least (the pass height of a flooding, Beucher & Lantuéjoul
1979); of equal ones to the nearest, then to the first. So what becomes of a voxel depends on a
bounded part of the volume, see :func:`growth_margin`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cc3d
import numpy as np
from scipy import ndimage
from skimage.morphology import reconstruction

from jaxseg.config.detection import Grow, each
from jaxseg.geometry import Box
from jaxseg.labels.balls import balls

# Of the Gaussian that smooths the image, in the finest voxels, and where it ends.
SIGMA, TRUNCATED = 1.0, 4.0
# A ring is this much brighter than its middle, and the outside falls to less than this part of it.
BRIGHTER, FALLS = 1.5, 0.7
# Part of the way to the ring by which a seed is widened.
WIDENED = 0.6


class Around(NamedTuple):
    """What is known of a box of a volume.

    Parameters
    ----------
    box : the part
    surface : (*S) float32, low inside objects
    image : (*S) float32 intensities
    allowed : (*S) bool, where objects may be
    """

    box: Box
    surface: np.ndarray
    image: np.ndarray
    allowed: np.ndarray


def surface_of(
    image: np.ndarray, plane: np.ndarray | None, *, spacing: Sequence[float], options: Grow
) -> np.ndarray:
    """What is flooded, (*S) float32: the gradient of a smoothed image, or the negative values.

    Parameters
    ----------
    image : (*S) float32 intensities
    plane : (*S) float32, for ``surface="plane"``
    spacing : size of a voxel, (z)yx, µm
    options : which surface
    """
    source = plane if options.surface == "plane" and plane is not None else image
    sizes = np.asarray(spacing, float)
    sigma = SIGMA * sizes.min() / sizes
    if options.surface != "gradient":
        return -ndimage.gaussian_filter(source, sigma, mode="nearest", truncate=TRUNCATED)
    square = np.zeros(image.shape, np.float32)
    for axis, size in enumerate(sizes):
        order = [int(axis == other) for other in range(image.ndim)]
        slope = ndimage.gaussian_filter(image, sigma, order=order, mode="nearest",
                                        truncate=TRUNCATED)  # fmt: skip
        square += np.square(slope / np.float32(size))
    return np.sqrt(square)


def growth_margin(spacing: Sequence[float], options: Grow) -> tuple[int, ...]:
    """Voxels around a box that decide what grows in it, (z)yx.

    A voxel belongs to an object of which no part is further than twice the radius; each of these
    voxels is fought for by points within the radius of it, whose own reach ends a radius further.

    >>> growth_margin((2.0, 1.0), Grow(max_radius=4.0))
    (11, 21)
    """
    sizes = np.asarray(spacing, float)
    blur = np.ceil(TRUNCATED * SIGMA * sizes.min() / sizes)
    # Whether a seed is widened is seen in what lies within the radius of its point.
    radii = 6 if options.ring_classes else 4
    reach = np.ceil(radii * options.max_radius / sizes) + 1 + blur
    return tuple(int(n) for n in reach)


def grown(
    around: Around,
    places: np.ndarray,
    classes: np.ndarray,
    *,
    spacing: Sequence[float],
    options: Grow,
) -> tuple[np.ndarray, np.ndarray]:
    """The objects of points in a box.

    Parameters
    ----------
    around : the box
    places : (n, ndim) positions of all points in voxels of the volume, the surest first
    classes : (n,) from 1; 0 where there are none
    spacing : size of a voxel, (z)yx, µm
    options : how they grow

    Returns
    -------
    labels : (*S) int32, 1 + the row of the point; 0 = none
    seeds : (*S) int32 in the same way

    Examples
    --------
    >>> image = np.zeros((7, 12), np.float32); image[1:6, 1:5] = image[1:6, 6:11] = 9
    >>> options = Grow(max_radius=4)
    >>> surface = surface_of(image, None, spacing=(1, 1), options=options)
    >>> around = Around(Box((0, 0), image.shape), surface, image, image > 5)
    >>> points = np.array([[3.0, 2.0], [3.0, 8.0]])
    >>> labels, _ = grown(around, points, np.zeros(2, int), spacing=(1, 1), options=options)
    >>> np.bincount(labels.ravel()).tolist()
    [39, 20, 25]
    """
    box, sizes = around.box, np.asarray(spacing, float)
    reach = np.ceil(options.max_radius / sizes).astype(int) + 1
    own = np.rint(places).astype(int)
    near = (own + reach >= np.asarray(box.start)).all(1) & (own - reach < box.stop).all(1)
    rows = np.flatnonzero(near)
    radii = seed_radii(around, places[rows], classes[rows], spacing=sizes, options=options)
    seeds = _seeds(places, rows, radii, box, sizes)
    labels, best = np.zeros(box.shape, np.int32), np.full(box.shape, np.inf, np.float32)
    nearest = np.full(box.shape, np.inf)
    for row in rows:
        start = np.maximum(own[row] - reach, box.start)
        stop = np.minimum(own[row] + reach + 1, box.stop)
        part = Box(tuple(start.tolist()), tuple(stop.tolist()))
        inner = part.relative_to(box.start).slices
        square = _square_distance(part, places[row], sizes)
        mine, free = seeds[inner] == row + 1, seeds[inner] == 0
        open_ = (around.allowed[inner] & free & (square <= options.max_radius**2)) | mine
        heights = _pass_heights(around.surface[inner], mine, open_)
        less = (heights < best[inner]) | ((heights == best[inner]) & (square < nearest[inner]))
        less &= open_
        labels[inner][less] = row + 1
        best[inner][less], nearest[inner][less] = heights[less], square[less]
    return _with_seeds(labels, seeds), seeds


def _square_distance(box: Box, place: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    axes = [
        (np.arange(low, high) - centre) * size
        for low, high, centre, size in zip(box.start, box.stop, place, sizes, strict=True)
    ]
    return np.asarray(sum(np.square(axis) for axis in np.ix_(*axes)))


def _pass_heights(surface: np.ndarray, seed: np.ndarray, open_: np.ndarray) -> np.ndarray:
    """The least highest point of all ways from a seed to every voxel; inf without any."""
    if not seed.any():
        return np.full(surface.shape, np.inf, np.float32)
    wall = np.float32(np.finfo(np.float32).max)
    floor = np.where(open_, surface, wall)
    floor[seed] = -wall
    marker = np.full(floor.shape, wall)
    marker[seed] = -wall
    faces = ndimage.generate_binary_structure(surface.ndim, 1)
    found = reconstruction(marker, floor, method="erosion", footprint=faces)
    return np.where(found < wall, found, np.inf).astype(np.float32)


def _seeds(
    places: np.ndarray, rows: np.ndarray, radii: np.ndarray, box: Box, sizes: np.ndarray
) -> np.ndarray:
    """Balls around points, each of its own radii; where several lie the first one has the voxel."""
    seeds = np.zeros(box.shape, np.int32)
    for one in np.unique(radii, axis=0):
        group = rows[(radii == one).all(1)]
        drawn = balls(places[group], box, radius=one.tolist(), spacing=tuple(sizes))
        drawn = np.append(group, -1)[drawn - 1].astype(np.int32) + 1
        seeds = np.where((seeds == 0) | ((drawn > 0) & (drawn < seeds)), drawn, seeds)
    return seeds


def _with_seeds(labels: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """The parts of objects that hang together with their seeds."""
    parts = cc3d.connected_components(labels, connectivity=4 if labels.ndim == 2 else 6)
    held = (seeds > 0) & (seeds == labels)
    kept = np.zeros(int(parts.max(initial=0)) + 1, bool)
    kept[parts[held]] = True
    kept[0] = False
    return np.where(kept[parts], labels, 0)


# -------------------------------------------------------------------------------------- rings


def seed_radii(
    around: Around, places: np.ndarray, classes: np.ndarray, *, spacing: np.ndarray, options: Grow
) -> np.ndarray:
    """The radii of the seeds, (n, ndim) µm: those of their class, wider where there is a ring."""
    number = max(int(classes.max(initial=1)), 1)
    of_class = np.asarray(each(options.seed_radius, number))
    ndim = len(spacing)
    radii = np.repeat(of_class[np.maximum(classes, 1) - 1][:, None], ndim, axis=1).astype(float)
    rings = np.isin(np.maximum(classes, 1), options.ring_classes)
    for row in np.flatnonzero(rings):
        found = ring_at(around.image, around.box, places[row], spacing=tuple(spacing),
                        options=options)  # fmt: skip
        if found is not None:
            radii[row, -2:] = np.maximum(radii[row, -2:], WIDENED * np.asarray(found))
    return radii


def ring_at(
    image: np.ndarray, box: Box, place: np.ndarray, *, spacing: Sequence[float], options: Grow
) -> tuple[float, float] | None:
    """The radii along y and x of a bright ring around a point, µm; None where there is none.

    On all four ways from the point along y and x the brightest voxel must be half as bright again
    as the point, and the way must fall to 0.7 of it after that; the mean diameter must be that of
    the options at least. Brightness counts from the darkest voxel of these ways.
    """
    own = np.rint(place).astype(int) - np.asarray(box.start)
    if (own < 0).any() or (own >= image.shape).any():
        return None
    ways = []
    for axis in (-2, -1):
        index: list[int | slice] = [int(at) for at in own]
        index[axis] = slice(None)
        line = ndimage.gaussian_filter1d(image[tuple(index)].astype(float), SIGMA, mode="nearest",
                                         truncate=TRUNCATED)  # fmt: skip
        length = int(options.max_radius / spacing[axis]) + 1
        at = int(own[axis])
        ways += [line[max(0, at - length) : at + 1][::-1], line[at : at + length + 1]]
    dark = min(float(way.min()) for way in ways)
    radii = []
    for number, way in enumerate(ways):
        heights, top = way - dark, int(way.argmax())
        if heights[top] < BRIGHTER * heights[0] or not top:
            return None
        if heights[top:].min() > FALLS * heights[top]:
            return None
        radii.append(top * spacing[-2 + number // 2])
    y, x = (radii[0] + radii[1]) / 2, (radii[2] + radii[3]) / 2
    return (y, x) if y + x >= options.ring_diameter else None
