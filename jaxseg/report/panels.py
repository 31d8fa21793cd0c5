"""Flat pictures out of images of any dimension: which slices, how grey, how large."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxseg.volume import Readable

# A panel is magnified to at least this many pixels on its longer side, and thinned out above the
# largest; the panels of a volume are smaller, since there are several.
SMALLEST, LARGEST = {2: 512, 3: 320}, 2048
SLICES = 4
# Grey values at these percentiles become black and white.
STRETCH = (0.5, 99.8)
# Voxels of a large plane that are read at a time.
STRIP = 2**24


class Scale(NamedTuple):
    """How many pixels a voxel takes, or how many voxels a pixel stands for; one of them is 1."""

    zoom: int
    step: int


def slice_indices(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Index of every yx plane to show: of a plane itself, of a volume some evenly spaced slices.

    >>> slice_indices((40, 50)), slice_indices((10, 40, 50))
    ([()], [(1,), (3,), (6,), (8,)])
    """
    if len(shape) == 2:
        return [()]
    count = min(SLICES, shape[0])
    return [(int((place + 0.5) * shape[0] / count),) for place in range(count)]


def heads_of(shape: tuple[int, ...], slices: Sequence[int] = ()) -> list[str]:
    """What is written above the slices of a volume; their numbers in a larger one may be given.

    >>> heads_of((2, 40, 50)), heads_of((2, 40, 50), (7, 21)), heads_of((40, 50))
    (['z = 0', 'z = 1'], ['z = 7', 'z = 21'], [])
    """
    places = [index[0] for index in slice_indices(shape) if index]
    return [f"z = {slices[place] if slices else place}" for place in places]


def shown(source: Readable, ndim: int) -> np.ndarray:
    """What a picture shows of an image: some slices, thinned out where they are large.

    Parameters
    ----------
    source : (*S) or (*S, C), an array or anything that is read by slices, such as a volume
    ndim : number of axes of S

    Returns
    -------
    (slices, y, x, ...), of a plane (y, x, ...), of the same type
    """
    shape = tuple(source.shape[:ndim])
    step = scale_of(shape).step
    height, width = shape[-2:]
    rows = max(STRIP // width // step, 1) * step
    panels = [
        np.concatenate([
            np.asarray(source[(*index, slice(first, first + rows))])[::step, ::step]
            for first in range(0, height, rows)
        ])
        for index in slice_indices(shape)
    ]  # fmt: skip
    return np.stack(panels) if ndim == 3 else panels[0]


def scale_of(shape: tuple[int, ...]) -> Scale:
    """How to bring the planes of an image to a size that can be looked at.

    >>> scale_of((128, 100)), scale_of((5000, 100))
    (Scale(zoom=4, step=1), Scale(zoom=1, step=3))
    """
    side = max(shape[-2:])
    return Scale(max(-(-SMALLEST[len(shape)] // side), 1), max(-(-side // LARGEST), 1))


def resized(plane: np.ndarray, scale: Scale) -> np.ndarray:
    """A yx plane (with channels or not), every voxel ``zoom`` pixels or every ``step``-th voxel."""
    thinned = plane[:: scale.step, :: scale.step]
    return thinned.repeat(scale.zoom, axis=0).repeat(scale.zoom, axis=1)


def as_rgb(image: np.ndarray, ndim: int) -> np.ndarray:
    """An image as colours.

    Parameters
    ----------
    image : (*S) or (*S, C). Three channels of uint8 are taken as RGB as they are; otherwise every
        channel is stretched between two percentiles, three are shown as RGB, any other number as
        the grey of their mean
    ndim : number of axes of S

    Returns
    -------
    (*S, 3) uint8; a constant channel is black

    >>> as_rgb(np.array([[0, 10, 20]]), 2)[0, :, 0].tolist()
    [0, 127, 255]
    """
    image = image if image.ndim > ndim else image[..., None]
    if image.shape[-1] == 3 and image.dtype == np.uint8:
        return image
    channels = np.stack([_stretched(image[..., c]) for c in range(image.shape[-1])], axis=-1)
    if channels.shape[-1] != 3:
        channels = channels.mean(axis=-1, keepdims=True).repeat(3, axis=-1)
    return (channels * 255).astype(np.uint8)


def _stretched(plane: np.ndarray) -> np.ndarray:
    """Values between two percentiles as 0 to 1."""
    plane = plane.astype(np.float32)
    low, high = np.percentile(plane, STRETCH) if plane.size else (0.0, 0.0)
    return np.clip((plane - low) / (high - low), 0, 1) if high > low else np.zeros_like(plane)
