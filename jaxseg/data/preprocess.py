"""What is done to images before their intensities are scaled, by scikit-image and SciPy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy import ndimage
from skimage import color, exposure, feature

from jaxseg.config.option import checked
from jaxseg.config.preprocess import Canny, Clahe, Preprocess
from jaxseg.errors import InputError
from jaxseg.resample import Nearest, Resampled
from jaxseg.volume import Volume

# Voxels of the reference of a histogram that count, evenly chosen.
REFERENCE_VOXELS = 2**22


def preprocess(
    image: np.ndarray, options: Preprocess, *, reference: np.ndarray | None = None
) -> np.ndarray:
    """An image after all steps that are on, except the change of size.

    Parameters
    ----------
    image : numpy.ndarray
        (*S, C), any real type.
    options : Preprocess
        What to do.
    reference : numpy.ndarray, optional
        (N, C) intensities of the images whose histogram is to be matched.

    Returns
    -------
    numpy.ndarray
        (*S, C) of the same type; edges are uint8 of one channel.

    Raises
    ------
    InputError
        Options for another number of axes, or a reference of other channels.

    Examples
    --------
    >>> image = np.array([[0, 9, 0], [0, 0, 0], [0, 0, 0]], np.uint8)[..., None]
    >>> int(preprocess(image, Preprocess(median=(3,))).max())
    0
    """
    checked(options, Preprocess)
    ndim = image.ndim - 1
    if options.gaussian:
        sigma = (*_per_axis(options.gaussian, ndim, "gaussian"), 0)
        smooth = ndimage.gaussian_filter(image.astype(np.float64), sigma, mode="nearest")
        image = as_type(smooth, image.dtype)
    if options.median:
        size = (*_per_axis(options.median, ndim, "median"), 1)
        image = ndimage.median_filter(image, size, mode="nearest")
    if reference is not None:
        image = _matched(image, reference)
    if options.clahe.enable:
        channels = [_equalised(image[..., c], options.clahe) for c in range(image.shape[-1])]
        image = as_type(np.stack(channels, axis=-1), image.dtype)
    return _edges(image, options.canny) if options.canny.enable else image


def preprocessed(
    image: Volume, options: Preprocess, *, reference: np.ndarray | None = None
) -> Volume:
    """A volume after all steps that are on, read and held in memory.

    Parameters
    ----------
    image : Volume
        (*S, C).
    options : Preprocess
        What to do.
    reference : numpy.ndarray, optional
        As for :func:`preprocess`.

    Returns
    -------
    Volume
        Of another size where that is asked for, with voxels of another size then.
    """
    if not options.any:
        return image
    dtype = image.dtype
    image = resized(image, options.resize)
    values = as_type(image.array(), dtype)
    return replace(image, data=preprocess(values, options, reference=reference), held=None)


def resized(volume: Volume, shape: Sequence[int]) -> Volume:
    """An image or label image of another size; of labels the nearest voxel is taken.

    Parameters
    ----------
    volume : Volume
        (*S, C) or (*S).
    shape : sequence of int
        New size, (z)yx; empty = as it is.

    Returns
    -------
    Volume
        A view; the size of a voxel changes so that the extent stays.

    Raises
    ------
    InputError
        Another number of axes.
    """
    if not shape:
        return volume
    before = volume.spatial_shape
    target = _per_axis(shape, len(before), "resize")
    spacing = tuple(
        size * old / new for size, old, new in zip(volume.spacing, before, target, strict=True)
    )
    if len(volume.shape) == len(before):
        return replace(volume, data=Nearest(volume.data, target), spacing=spacing, held=None)
    return replace(volume, data=Resampled(volume.data, target), spacing=spacing, held=None)


def reference_of(volumes: Sequence[Volume]) -> np.ndarray:
    """Intensities whose histogram images are matched to.

    Parameters
    ----------
    volumes : sequence of Volume
        (*S, C) with the same number of channels.

    Returns
    -------
    numpy.ndarray
        (N, C), at most about 4 million of each channel, evenly chosen.
    """
    step = max(sum(volume.voxels for volume in volumes) // REFERENCE_VOXELS, 1)
    return np.concatenate([one.array().reshape(-1, one.channels)[::step] for one in volumes])


def as_type(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Values in an element type: rounded, and cut off at its ends, if it holds whole numbers.

    >>> as_type(np.array([-3.0, 1.6, 300.0]), np.dtype(np.uint8)).tolist()
    [0, 2, 255]
    """
    if dtype.kind == "f" or values.dtype == dtype:
        return values.astype(dtype, copy=False)
    info = np.iinfo(dtype)
    return np.clip(np.rint(values), info.min, info.max).astype(dtype)


def _per_axis(values: Sequence[float], ndim: int, name: str) -> tuple:
    """A number for each axis."""
    if len(values) not in (1, ndim):
        raise InputError(
            "a number for each axis of the image is needed",
            where=f"preprocess.{name}",
            expected=f"1 or {ndim} numbers",
            found=values,
        )
    return tuple(values) * ndim if len(values) == 1 else tuple(values)


def _matched(image: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """An image with the histogram of a reference, channel by channel."""
    if reference.shape[-1] != image.shape[-1]:
        raise InputError(
            "the reference has another number of channels than the image",
            where="preprocess.match_histogram",
            expected=image.shape[-1],
            found=reference.shape[-1],
        )
    flat = image.reshape(-1, image.shape[-1])
    found = exposure.match_histograms(flat, reference, channel_axis=-1)
    return as_type(found.reshape(image.shape), image.dtype)


def _equalised(channel: np.ndarray, options: Clahe) -> np.ndarray:
    """A channel after equalisation, in its own range."""
    low, high = float(channel.min()), float(channel.max())
    if low == high:
        return channel.astype(np.float64)
    kernel = _per_axis(options.kernel, channel.ndim, "clahe.kernel") if options.kernel else None
    share = (channel.astype(np.float64) - low) / (high - low)
    found = exposure.equalize_adapthist(share, kernel, clip_limit=options.clip_limit)
    return found * (high - low) + low


def _edges(image: np.ndarray, options: Canny) -> np.ndarray:
    """Edges of an image, 0 or 255, plane by plane, (*S, 1) uint8."""
    gray = color.rgb2gray(image) if image.shape[-1] == 3 else image.mean(-1)
    if image.shape[-1] == 3 and image.dtype.kind != "f":
        gray = gray * np.iinfo(image.dtype).max
    full = 1.0 if image.dtype.kind == "f" else float(np.iinfo(image.dtype).max)
    low, high = (
        share * full if limit == -1 else limit
        for share, limit in ((0.1, options.low), (0.2, options.high))
    )
    planes = gray.reshape(-1, *gray.shape[-2:]).astype(np.float64)
    found = [
        feature.canny(one, options.sigma, low_threshold=low, high_threshold=high) for one in planes
    ]
    return (np.stack(found).reshape(gray.shape)[..., None] * 255).astype(np.uint8)
