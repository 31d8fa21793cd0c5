"""Label images with touching round objects, for tests of what takes labels."""

from __future__ import annotations

import numpy as np
from scipy import ndimage


def touching_balls(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    *,
    count: int,
    radii: tuple[float, float] = (6, 11),
) -> np.ndarray:
    """Discs or balls inside the image, many of which touch; ids 1..count, int32."""
    grid = np.indices(shape)
    labels, nearest = np.zeros(shape, np.int32), np.full(shape, np.inf)
    placed: list[tuple[np.ndarray, float]] = []
    for _ in range(1000):
        radius = rng.uniform(*radii)
        centre = np.array([rng.uniform(radius + 1, n - radius - 2) for n in shape])
        if any(np.linalg.norm(centre - c) < 0.95 * (radius + r) for c, r in placed):
            continue
        placed.append((centre, radius))
        distance = np.linalg.norm(grid - centre.reshape(-1, *[1] * len(shape)), axis=0) - radius
        inside = (distance <= 0) & (distance < nearest)
        labels[inside] = len(placed)
        nearest = np.minimum(nearest, distance)
        if len(placed) == count:
            break
    return labels


def clustered_balls(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    *,
    count: int,
    radii: tuple[float, float] = (6, 9),
    spacing: tuple[float, ...] | None = None,
) -> np.ndarray:
    """Discs or balls inside the image, every one sharing faces with another; ids 1..count, int32.

    With a spacing, radii are in µm and the balls round there.
    """
    sizes = np.array(spacing or (1.0,) * len(shape))
    grid = np.indices(shape) * sizes.reshape(-1, *[1] * len(shape))
    labels, nearest = np.zeros(shape, np.int32), np.full(shape, np.inf)
    placed: list[tuple[np.ndarray, float]] = []
    for _ in range(20_000):
        radius = rng.uniform(*radii)
        ends = [(n - 1) * size - radius for n, size in zip(shape, sizes, strict=True)]
        centre = np.array([rng.uniform(radius, end) for end in ends])
        gaps = [np.linalg.norm(centre - c) / (radius + r) for c, r in placed]
        if gaps and not 0.9 < min(gaps) < 0.95:
            continue
        placed.append((centre, radius))
        distance = np.linalg.norm(grid - centre.reshape(-1, *[1] * len(shape)), axis=0) - radius
        inside = (distance <= 0) & (distance < nearest)
        labels[inside] = len(placed)
        nearest = np.minimum(nearest, distance)
        if len(placed) == count:
            break
    return labels


def cells(rng: np.random.Generator, shape: tuple[int, ...], *, count: int) -> np.ndarray:
    """Voronoi cells of random points with gaps here and there; ids 1..count, int32."""
    points = np.zeros(shape, np.int32)
    points.flat[rng.choice(points.size, count, replace=False)] = np.arange(1, count + 1)
    distance, index = ndimage.distance_transform_edt(points == 0, return_indices=True)
    labels = points[tuple(index)]
    return np.where(distance > np.quantile(distance, 0.7), 0, labels)


def same_partition(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two label images show the same objects, whatever their ids."""
    pairs = np.unique(np.stack([one.ravel(), other.ravel()]), axis=1)
    both_empty = np.array_equal(one == 0, other == 0)
    unique = all(len(np.unique(ids)) == pairs.shape[1] for ids in pairs)
    return both_empty and unique


def neurites(rng: np.random.Generator, shape: tuple[int, ...], *, count: int) -> np.ndarray:
    """Long thin objects that run along the first axis and fill the volume; ids 1..count, int32."""
    depth, *plane = shape
    steps = rng.normal(0, 1, (depth, count, 2))
    paths = np.cumsum(ndimage.gaussian_filter1d(steps, 4, axis=0), axis=0)
    # They are turned back at the sides of the volume.
    paths = np.abs(paths + rng.uniform(0, plane, (count, 2)))
    paths = np.minimum(paths, 2 * (np.array(plane) - 1) - paths)
    grid = np.moveaxis(np.indices(plane), 0, -1)[..., None, :]
    layers = []
    for points in paths:
        distance = np.linalg.norm(grid - points, axis=-1)
        nearest, second = np.partition(distance, 1, axis=-1)[..., :2].transpose(2, 0, 1)
        layers.append(np.where(second - nearest < 0.7, 0, distance.argmin(axis=-1) + 1))
    return np.stack(layers).astype(np.int32)
