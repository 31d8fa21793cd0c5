"""Surface area of 3D objects, all at once: marching cubes by table."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from skimage.measure import marching_cubes, mesh_surface_area

# Cells treated at a time; bounds the memory.
CELLS = 2**21


def surface_areas(labels: np.ndarray, *, spacing: Sequence[float] | None = None) -> np.ndarray:
    """Area of the marching-cubes surface (level 0.5) of every object, closed at the image border.

    A cell between eight voxel centres adds an area that depends only on which of the eight are of
    the object; scikit-image's marching cubes (Lewiner et al. 2003) gives the area of each of the
    256 cases once. Hence the same as its mesh of the padded mask, without a mesh.

    Parameters
    ----------
    labels : (z, y, x) non-negative integers; a table with a row per id up to the largest is made
    spacing : size of a voxel, zyx, µm; None = 1

    Returns
    -------
    (largest id + 1,) float64, µm²; 0 for ids that do not occur

    >>> surface_areas(np.ones((5, 5, 5), int)).round(2).tolist()
    [0.0, 131.67]
    """
    return cell_areas(np.pad(labels, 1), spacing=spacing)


def cell_areas(labels: np.ndarray, *, spacing: Sequence[float] | None = None) -> np.ndarray:
    """What the cells between the voxels of a part of an image add to the surface of every object.

    Parameters
    ----------
    labels : (z, y, x) non-negative integers; with zeros around a whole image the sum is
        :func:`surface_areas`, as is the sum over parts that overlap by one voxel
    spacing : size of a voxel, zyx, µm; None = 1

    Returns
    -------
    (largest id + 1,) float64, µm²
    """
    areas = _case_areas(tuple(map(float, spacing)) if spacing is not None else (1.0, 1.0, 1.0))
    total = np.zeros(int(labels.max(initial=0)) + 1)
    for corners in _active_cells(labels):
        for corner in range(8):
            same = corners == corners[corner]
            # Each label of a cell counts once, at the first corner that has it.
            counts = (corners[corner] > 0) & ~same[:corner].any(axis=0)
            case = np.packbits(same[:, counts], axis=0, bitorder="little")[0]
            own = corners[corner][counts]
            total += np.bincount(own, weights=areas[case], minlength=len(total))
    return total


def _active_cells(labels: np.ndarray) -> Iterator[np.ndarray]:
    """The labels (8, cells) at the corners of all cells that are not of one label."""
    rows, cols = labels.shape[1] - 1, labels.shape[2] - 1
    step = max(CELLS // (rows * cols), 1)
    for first in range(0, len(labels) - 1, step):
        slab = labels[first : first + step + 1]
        views = [
            slab[dz : len(slab) - 1 + dz, dy : rows + dy, dx : cols + dx]
            for dz, dy, dx in itertools.product((0, 1), repeat=3)
        ]
        active = np.logical_or.reduce([view != views[0] for view in views[1:]])
        yield np.stack([view[active] for view in views])


@functools.lru_cache(maxsize=16)
def _case_areas(spacing: tuple[float, float, float]) -> np.ndarray:
    """Area of the surface in a cell for every set of corners; bit 4z + 2y + x is a corner."""
    areas = np.zeros(256)
    for case in range(1, 255):
        cell = np.array([case >> corner & 1 for corner in range(8)], np.float32)
        corners, faces, _, _ = marching_cubes(cell.reshape(2, 2, 2), 0.5, spacing=spacing)
        areas[case] = mesh_surface_area(corners, faces)
    return areas
