"""Images of another voxel size: seen at the size that a network was trained with, and back.

A network sees voxels, not µm: trained on voxels of 0.2 µm it finds nothing where they are 2 µm.
An image is resampled by a triangle as wide as the coarser of the two voxels (linear interpolation
to finer voxels, an average weighted by distance to coarser ones), label images by the nearest
voxel, so that no id is made up. Both are views: only the boxes that are read are computed, and a
box has the same bits wherever it is cut out of the whole.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from jaxseg.errors import JaxsegWarning
from jaxseg.volume import Readable, Volume, checked_spacing, chunks_of, parse_index

# Sizes that differ by less than this share are not worth a word: metadata are rounded.
TOLERANCE = 0.05


def warn_of_sizes(trained: Sequence[float], images: Sequence[Volume]) -> None:
    """Say which images have voxels of another size than those that a network was trained on.

    Parameters
    ----------
    trained, images : as for :func:`size_notice`, and several images.

    Warns
    -----
    JaxsegWarning
        With both sizes, for the first of them, and how many more there are.
    """
    found = [text for image in images if (text := size_notice(trained, image))]
    if found:
        more = f" (and {len(found) - 1} more images)" if found[1:] else ""
        warnings.warn(found[0] + more, JaxsegWarning, stacklevel=2)


def size_notice(trained: Sequence[float], image: Volume) -> str:
    """What to say about an image whose voxels differ in size from those of the training images.

    Parameters
    ----------
    trained : sequence of float
        µm per voxel of the training images, (z)yx; empty = not known.
    image : Volume
        Of the same dimensions.

    Returns
    -------
    str
        With both sizes; empty where they agree within 5 %, or one of them is not known.

    Examples
    --------
    >>> image = Volume(np.zeros((4, 4, 1)), "yxc", (2.0, 2.0), path="a.tif")
    >>> size_notice((0.2, 0.2), image)[:74]
    'a.tif: voxels of 2 x 2 µm, but the network was trained on 0.2 x 0.2 µm and'
    """
    if not len(trained) or image.unit != "µm":
        return ""
    sizes = checked_spacing(trained, image.ndim_spatial)
    if all(abs(a / b - 1) <= TOLERANCE for a, b in zip(image.spacing, sizes, strict=True)):
        return ""
    here, there = (" x ".join(f"{size:g}" for size in item) for item in (image.spacing, sizes))
    return (
        f"{image.path or image.name}: voxels of {here} µm, but the network was trained on {there} "
        "µm and may find nothing: --predict.rescale resamples, --data.spacing corrects the size"
    )


def resampled(image: Volume, spacing: Sequence[float]) -> Volume:
    """A view of an image with voxels of another size.

    Parameters
    ----------
    image : Volume
        ``(*S, C)``, any real type.
    spacing : sequence of float
        µm per voxel, (z)yx.

    Returns
    -------
    Volume
        ``(*R, C)`` float32, the same extent up to half a voxel; at least one voxel along each axis.

    Raises
    ------
    ConfigError
        A spacing that is none.

    Examples
    --------
    >>> ramp = Volume(np.arange(6.0).reshape(1, 6, 1), "yxc", (1.0, 0.5))
    >>> resampled(ramp, (1.0, 1.0))[0, :, 0]
    array([0.71428573, 2.5       , 4.285714  ], dtype=float32)
    """
    spacing = checked_spacing(spacing, image.ndim_spatial)
    shape = shape_at(image.spatial_shape, image.spacing, spacing)
    return replace(image, data=Resampled(image.data, shape), spacing=spacing, held=None)


def labels_back(labels: Readable, shape: Sequence[int]) -> Readable:
    """A view of labels of a resampled image at the size of the image: for each voxel the nearest.

    Parameters
    ----------
    labels : array or view
        ``(*R)`` integers of any type.
    shape : sequence of int
        ``*S``, of the image.

    Returns
    -------
    array-like
        ``(*S)`` of the same type.

    Examples
    --------
    >>> labels_back(np.array([[1, 2]]), (2, 4))[:]
    array([[1, 1, 2, 2],
           [1, 1, 2, 2]])
    """
    return Nearest(labels, tuple(map(int, shape)))


def shape_at(
    shape: Sequence[int], spacing: Sequence[float], wanted: Sequence[float]
) -> tuple[int, ...]:
    """Number of voxels of another size that cover an image, at least 1 along each axis.

    >>> shape_at((10, 100), (2.0, 0.25), (1.0, 0.5))
    (20, 50)
    """
    sides = zip(shape, spacing, wanted, strict=True)
    return tuple(max(round(length * now / then), 1) for length, now, then in sides)


@dataclass(frozen=True)
class Resampled:
    """A view of ``(*S, C)`` as float32 ``(*R, C)``, whose outer faces stay where they are.

    Parameters
    ----------
    source : array or view
    spatial : ``*R``
    """

    source: Readable
    spatial: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of every axis."""
        return (*self.spatial, *self.source.shape[len(self.spatial) :])

    @property
    def dtype(self) -> np.dtype:
        """Element type."""
        return np.dtype(np.float32)

    @property
    def chunks(self) -> tuple[int, ...]:
        """About what is stored in one piece, in voxels of the view."""
        return _chunks(self.source, self.shape)

    def __getitem__(self, index: Any) -> np.ndarray:
        parts, squeezed = parse_index(index, self.shape)
        taps = [
            _taps(part, new, old)
            for part, new, old in zip(parts, self.spatial, self.source.shape, strict=False)
        ]
        low = [int(at.min()) if at.size else 0 for at, _ in taps]
        high = [int(at.max()) + 1 if at.size else 0 for at, _ in taps]
        box = tuple(map(slice, low, high))
        block = np.asarray(self.source[(*box, *parts[len(taps) :])]).astype(np.float32)
        for axis, (at, weights) in enumerate(taps):
            block = _weighted(block, axis, at - low[axis], weights)
        return block.squeeze(squeezed)


def _taps(part: slice, new: int, old: int) -> tuple[np.ndarray, np.ndarray]:
    """The voxels that each voxel of a part is made of, ``(taps, n)``, and their weights."""
    step = old / new
    reach = max(step, 1.0)
    centre = (np.arange(part.start, part.stop) + 0.5) * step - 0.5
    count = 2 * math.ceil(reach) + 1
    at = np.floor(centre - reach).astype(np.int64) + 1 + np.arange(count)[:, None]
    weights = np.maximum(1 - np.abs(at - centre) / reach, 0)
    # What lies outside has no weight, except where nothing else has: there the edge is repeated.
    inside = (at >= 0) & (at < old)
    weights = np.where(inside, weights, 0)
    weights /= weights.sum(axis=0, keepdims=True)
    return np.clip(at, 0, old - 1), weights.astype(np.float32)


def _weighted(block: np.ndarray, axis: int, at: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """One axis of the result; always summed in the same order, so that boxes equal the whole."""
    shape = [1] * block.ndim
    shape[axis] = at.shape[1]
    total = np.zeros((*block.shape[:axis], at.shape[1], *block.shape[axis + 1 :]), np.float32)
    for places, share in zip(at, weights, strict=True):
        total += np.take(block, places, axis) * share.reshape(shape)
    return total


@dataclass(frozen=True)
class Nearest:
    """A view of ``(*R)`` as ``(*S)``: for each voxel the one that its centre lies in."""

    source: Readable
    shape: tuple[int, ...]

    @property
    def dtype(self) -> np.dtype:
        """Element type."""
        return np.dtype(self.source.dtype)

    @property
    def chunks(self) -> tuple[int, ...]:
        """About what is stored in one piece, in voxels of the view."""
        return _chunks(self.source, self.shape)

    def __getitem__(self, index: Any) -> np.ndarray:
        parts, squeezed = parse_index(index, self.shape)
        places = [
            # In whole numbers, which round nowhere.
            (2 * np.arange(part.start, part.stop) + 1) * old // (2 * new)
            for part, new, old in zip(parts, self.shape, self.source.shape, strict=True)
        ]
        low = [int(at[0]) if at.size else 0 for at in places]
        high = [int(at[-1]) + 1 if at.size else 0 for at in places]
        block = np.asarray(self.source[tuple(map(slice, low, high))])
        for axis, at in enumerate(places):
            block = np.take(block, at - low[axis], axis)
        return block.squeeze(squeezed)


def _chunks(source: Readable, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The chunks of an array, in voxels of a view of another shape."""
    pieces = zip(chunks_of(source), source.shape, shape, strict=True)
    return tuple(max(round(chunk * new / old), 1) for chunk, old, new in pieces)
