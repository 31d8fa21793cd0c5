"""Objects out of contours alone: what a contour encloses."""

from __future__ import annotations

from typing import Literal

import edt
import numpy as np

from jaxseg.labels.contacts import face_connected

Mode = Literal["thick", "inner", "outer", "subpixel", "dense"]


def enclosed(contour: np.ndarray, *, mode: Mode) -> np.ndarray:
    """The objects that contours enclose, with their share of the contour.

    Voxels that are no contour form connected parts. A part is background when it touches every
    face of the image, or when it has at least half of the image's border voxels that are no
    contour; all other parts are objects: those cut by the image border, too, and gaps that lie
    enclosed between objects, which contours alone cannot tell from objects. An image without any
    contour is background.

    Parameters
    ----------
    contour : (*S) bool
    mode : which voxels the contour marks, see the options of C; it decides whose they are. thick,
        dense: on both sides, so that each belongs to the nearest part. inner: to the objects.
        outer: to nobody. subpixel: voxel ``p`` stands for the place between ``p`` and ``p + 1``, so
        that every object reaches one voxel further along each axis

    Returns
    -------
    (*S) bool

    >>> ring = np.pad(np.pad(np.zeros((2, 2), bool), 1, constant_values=True), 1)
    >>> [int(enclosed(ring, mode=mode).sum()) for mode in ("inner", "outer")]
    [16, 4]
    """
    parts, count = face_connected(~contour)
    outside = _is_background(parts, count)[parts]
    inside = (parts > 0) & ~outside
    if mode == "inner":
        return (inside | contour) if inside.any() else inside
    if mode == "outer" or not inside.any():
        return inside
    if mode == "subpixel":
        return _one_further(inside)
    return inside | (contour & (_distance_to(inside) <= _distance_to(outside)))


def _is_background(parts: np.ndarray, count: int) -> np.ndarray:
    """Per part, whether it surrounds the objects; part 0, the contour, is not asked."""
    faces = [np.take(parts, end, axis) for axis in range(parts.ndim) for end in (0, -1)]
    voxels = np.array([np.bincount(face.ravel(), minlength=count + 1) for face in faces])
    voxels[:, 0] = 0
    share = voxels.sum(axis=0) / max(voxels.sum(), 1)
    background = (voxels > 0).all(axis=0) | (share >= 0.5)
    background[0] = False
    return background


def _one_further(inside: np.ndarray) -> np.ndarray:
    """Dilation towards larger indices by one voxel along every axis, diagonals included."""
    for axis in range(inside.ndim):
        widths = [(1, 0) if a == axis else (0, 0) for a in range(inside.ndim)]
        before = np.take(np.pad(inside, widths), range(inside.shape[axis]), axis)
        inside = inside | before
    return inside


def _distance_to(target: np.ndarray) -> np.ndarray:
    """Distance to the nearest voxel of a mask, in voxels; infinite where there is none."""
    if not target.any():
        return np.full(target.shape, np.inf, np.float32)
    return edt.edt(np.ascontiguousarray(~target), parallel=0)
