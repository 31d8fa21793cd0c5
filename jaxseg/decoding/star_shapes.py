"""Polygons and polyhedra around points: which of them overlap, and which voxels they cover.

Overlaps and polyhedra are computed by the compiled code of the ``stardist`` package (Schmidt et al.
2018, Weigert et al. 2020), an extra that is loaded on first use.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.spatial import ConvexHull

from jaxseg.errors import ConfigError

# The package rounds corners of polygons to integers: they are computed in parts of a voxel.
PARTS = 16
# Polyhedra need distances above 0, voxels.
SHORTEST = 1e-3


def star_package(module: str) -> Any:
    """A module of the ``stardist`` package.

    Raises
    ------
    ConfigError : it is not installed
    """
    # On import it replaces the format of all warnings of the process.
    own_format = warnings.formatwarning
    try:
        return importlib.import_module(f"stardist.{module}")
    except ImportError as error:
        raise ConfigError(
            f"the decoder of channel R needs the package stardist ({error})",
            fix="pip install 'jaxseg[stardist]'",
        ) from error
    finally:
        warnings.formatwarning = own_format


def suppressed(
    points: np.ndarray,
    distances: np.ndarray,
    *,
    directions: np.ndarray,
    spacing: Sequence[float],
    threshold: float,
) -> np.ndarray:
    """Which shapes overlap too much with a better one that is kept.

    Parameters
    ----------
    points : (N, ndim) centres in voxels, the best first
    distances : (N, nrays) from the centre to the corners, µm
    directions : (nrays, ndim) unit vectors in physical space; in 2D at equal angles from +x
    spacing : size of a voxel, (z)yx, µm
    threshold : overlaps above it are too much: the area or volume that two shapes share, as a part
        of the smaller one

    Returns
    -------
    (N,) bool

    Raises
    ------
    ConfigError : the package stardist is not installed
    """
    nms = star_package("nms")
    rank = -np.arange(len(points), dtype=np.float64)
    if points.shape[1] == 2:
        scale = PARTS / min(spacing)
        places = (points * np.asarray(spacing) * scale).astype(np.float32)
        lengths = (np.maximum(distances, 0) * scale).astype(np.float32)
        kept = nms.non_maximum_suppression_inds(
            lengths, places, rank, thresh=threshold, verbose=False
        )
    else:
        rays, lengths = _in_voxels(distances, directions, spacing)
        kept = nms.non_maximum_suppression_3d_inds(
            lengths, points.astype(np.float32), rays, rank, thresh=threshold, verbose=False
        )
    return ~np.asarray(kept, bool)


def rendered(
    points: np.ndarray,
    distances: np.ndarray,
    *,
    directions: np.ndarray,
    spacing: Sequence[float],
    shape: tuple[int, ...],
    start: Sequence[int] = (),
) -> np.ndarray:
    """Label image of shapes; where two overlap, the one that comes first.

    Flat faces between corners on the surface of an object cut off a part of it, in 3D 6 % with 96
    rays; shapes are drawn larger, so that those of a ball have its size.

    Parameters
    ----------
    points, distances, directions, spacing : as for :func:`suppressed`
    shape : S
    start : first voxel of the part of a volume that is drawn; empty = the first one

    Returns
    -------
    (*S) int32, 1..N in the order of the points; a shape that covers no voxel centre is missing

    Raises
    ------
    ConfigError : the package stardist is not installed
    """
    if not len(points):
        return np.zeros(shape, np.int32)
    geometry = star_package("geometry")
    distances = distances * _fullness(directions)
    number, first = np.arange(len(points)), np.asarray(start or (0,) * len(shape))
    if len(shape) == 2:
        corners = geometry.dist_to_coord(
            np.maximum(distances, 0), points, scale_dist=tuple(1 / size for size in spacing)
        )
        corners = corners - first[:, None].astype(corners.dtype)
        # Drawn one over the other: the first at last.
        return geometry.polygons_to_label_coord(corners[::-1], shape, labels=number[::-1])
    rays, lengths = _in_voxels(distances, directions, spacing)
    return geometry.polyhedron_to_label(
        lengths, points - first, rays, shape, prob=1.0 - number, labels=number + 1, verbose=False
    )


def _fullness(directions: np.ndarray) -> float:
    """By how much to lengthen rays, for the polygon or polyhedron of a unit ball to be as large."""
    ndim = directions.shape[1]
    ball = np.pi if ndim == 2 else 4 * np.pi / 3
    return float((ball / ConvexHull(directions).volume) ** (1 / ndim))


def _in_voxels(
    distances: np.ndarray, directions: np.ndarray, spacing: Sequence[float]
) -> tuple[Any, np.ndarray]:
    """Rays as unit vectors between voxels, with the faces that join them, and lengths in voxels."""
    steps = directions / np.asarray(spacing)
    size = np.linalg.norm(steps, axis=1)
    # Which rays are neighbours is a matter of physical space.
    faces = ConvexHull(directions).simplices
    volume = np.linalg.det(directions[faces])
    faces[volume > 0] = faces[volume > 0][:, ::-1]
    rays = star_package("rays3d").Rays_Explicit(steps / size[:, None], faces)
    return rays, np.maximum(distances * size, SHORTEST).astype(np.float32)
