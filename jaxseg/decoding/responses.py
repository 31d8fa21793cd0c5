"""What is searched for points: a plane, or how much it looks like a bright blob of some radius."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from jaxseg.config.detection import Detection, each

# Of Gaussians, in standard deviations: what lies beyond is not looked at.
TRUNCATED = 4.0
# Ratio of the two Gaussians whose difference is nearest to the Laplacian (Marr & Hildreth 1980).
RATIO = 1.6


def response(
    plane: np.ndarray, *, spacing: Sequence[float], options: Detection
) -> tuple[np.ndarray, np.ndarray | None]:
    """What is searched for peaks.

    The response of a Gaussian blob of the radius is highest at its centre. ``log`` is the scale-
    normalised negative Laplacian of a Gaussian (Lindeberg 1998), ``dog`` the difference of two. Of
    several radii the largest response counts.

    Parameters
    ----------
    plane : (*S) float
    spacing : size of a voxel, (z)yx, µm
    options : method and radii

    Returns
    -------
    values : (*S) float32; -inf where the plane is not finite
    which : (*S) uint8 number of the radius that answers most; None where no blobs are looked for
    """
    plane = np.asarray(plane, np.float32)
    if options.method == "maxima":
        return _finite(plane), None
    best, which = np.zeros(0), np.zeros(plane.shape, np.uint8)
    for number, radius in enumerate(each(options.blob_radius, 1)):
        found = RESPONSES[options.method](plane, radius / math.sqrt(plane.ndim), spacing)
        if number:
            which[found > best] = number
            found = np.maximum(best, found)
        best = found
    return _finite(best), which


def response_reach(ndim: int, *, spacing: Sequence[float], options: Detection) -> np.ndarray:
    """Voxels around a voxel that decide its response, (ndim,)."""
    if options.method == "maxima":
        return np.zeros(ndim, int)
    wide = RATIO if options.method == "dog" else 1.0
    sigma = max(each(options.blob_radius, 1)) / math.sqrt(ndim)
    reach = np.floor(TRUNCATED * wide * sigma / np.asarray(spacing, float) + 0.5)
    return reach.astype(int) + (options.method == "log")


def _finite(values: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(values), values, -np.inf)


def _blurred(plane: np.ndarray, sigma: float, spacing: Sequence[float]) -> np.ndarray:
    widths = sigma / np.asarray(spacing, float)
    return ndimage.gaussian_filter(plane, widths, mode="nearest", truncate=TRUNCATED)


def _difference(plane: np.ndarray, sigma: float, spacing: Sequence[float]) -> np.ndarray:
    wide = _blurred(plane, RATIO * sigma, spacing)
    return (_blurred(plane, sigma, spacing) - wide) / (RATIO - 1)


def _laplacian(plane: np.ndarray, sigma: float, spacing: Sequence[float]) -> np.ndarray:
    smooth = _blurred(plane, sigma, spacing)
    total = np.zeros_like(smooth)
    for axis, size in enumerate(spacing):
        second = ndimage.correlate1d(smooth, [1.0, -2.0, 1.0], axis=axis, mode="nearest")
        total -= (second * (sigma / size) ** 2).astype(np.float32)
    return total


RESPONSES = {"log": _laplacian, "dog": _difference}
