"""Writing TIFF that ImageJ, Fiji and OME readers show with the right scale.

uint8, uint16 and float32 become ImageJ hyperstacks; other types, and files beyond 4 GB, which the
ImageJ form cannot hold, become OME-TIFF. All are compressed without loss.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tifffile

from jaxseg.errors import ConfigError, ResourceError
from jaxseg.io.atomic import atomic_path
from jaxseg.io.label_type import largest_label, slabs, smallest_label_type
from jaxseg.io.tiff import open_tiff
from jaxseg.volume import Readable, checked_spacing

Name = str | os.PathLike[str]

IMAGEJ_TYPES = ("uint8", "uint16", "float32")
OME_TYPES = (*IMAGEJ_TYPES, "int8", "int16", "int32", "uint32", "float64")
# Stored as the next larger type that OME knows; every value stays exactly what it is.
WIDENED = {"bool": "uint8", "float16": "float32"}
IMAGEJ_BYTES = 3.9 * 2**30


def write_labels_tiff(
    path: Name, labels: Readable, *, spacing: Sequence[float], shared: bool = False
) -> None:
    """Write a label image.

    Parameters
    ----------
    path : file to write
    labels : (*S) integers, an array or anything that is read by slices
    spacing : µm per voxel, (z)yx
    shared : as for :func:`jaxseg.io.atomic_path`

    Raises
    ------
    ConfigError : ids beyond 32 bit, which no TIFF reader in the field understands; a spacing that
        is none
    ResourceError : disk full, or the folder cannot be written
    """
    spacing = checked_spacing(spacing, len(labels.shape))
    largest = largest_label(labels)
    dtype = smallest_label_type(largest)
    if dtype.itemsize > 4:
        raise ConfigError(
            "these label ids do not fit a TIFF file",
            where=path,
            expected=f"at most {2**32 - 1}",
            found=largest,
            fix="write Zarr instead, or renumber the labels",
        )
    _write(path, labels, dtype, spacing=spacing, axes="zyx"[-len(spacing) :], shared=shared)


def write_image_tiff(
    path: Name, image: Readable, *, spacing: Sequence[float], axes: str | None = None
) -> None:
    """Write an image.

    Parameters
    ----------
    path : file to write
    image : (*S, C), or (*S) without channels; integers up to 32 bit, bool or floating point
    spacing : µm per voxel, (z)yx
    axes : of ``image``, ``"(z)yxc"`` or ``"(z)yx"``; None = from its number of axes

    Raises
    ------
    ConfigError : an element type that TIFF readers do not understand; a spacing that is none
    ResourceError : disk full, or the folder cannot be written
    """
    spacing = checked_spacing(spacing, len(spacing))
    ndim = len(spacing)
    axes = axes or "zyx"[-ndim:] + "c" * (len(image.shape) - ndim)
    name = np.dtype(image.dtype).newbyteorder("=").name
    name = WIDENED.get(name, name)
    if name not in OME_TYPES:
        raise ConfigError(
            "this element type cannot be written as TIFF",
            where=path,
            expected=", ".join(OME_TYPES),
            found=image.dtype,
            fix="convert the image first",
        )
    _write(path, image, np.dtype(name), spacing=spacing, axes=axes)


def write_rgb_tiff(
    path: Name, picture: Readable, *, spacing: Sequence[float], shared: bool = False
) -> None:
    """Write a picture in colours.

    Parameters
    ----------
    path : file to write
    picture : (*S, 3) uint8, red, green, blue, an array or anything that is read by slices
    spacing : µm per voxel, (z)yx
    shared : as for :func:`jaxseg.io.atomic_path`

    Raises
    ------
    ConfigError : a spacing that is none
    ResourceError : disk full, or the folder cannot be written
    """
    shape = tuple(picture.shape)
    spacing = checked_spacing(spacing, len(shape) - 1)
    imagej = math.prod(shape) < IMAGEJ_BYTES
    options = _imagej(spacing) if imagej else _ome(spacing)
    options["metadata"]["axes"] = "ZYXS"[-len(shape) :]
    with atomic_path(path, shared=shared) as partial:
        tifffile.imwrite(
            partial,
            (plane for slab in slabs(picture) for plane in slab)
            if len(shape) == 4
            else np.asarray(picture[...]),
            shape=shape,
            dtype=np.uint8,
            imagej=imagej,
            ome=not imagej,
            bigtiff=not imagej,
            photometric="rgb",
            compression="zlib",
            **options,
        )


def _write(
    path: Name,
    array: Readable,
    dtype: np.dtype,
    *,
    spacing: Sequence[float],
    axes: str,
    shared: bool = False,
) -> None:
    """Write plane by plane, read the structure back, and publish."""
    stored = axes[:-1].removesuffix("yx") + "cyx" if axes.endswith("c") else axes
    shape = tuple(array.shape[axes.index(axis)] for axis in stored)
    nbytes = math.prod(shape) * dtype.itemsize
    imagej = dtype.name in IMAGEJ_TYPES and nbytes < IMAGEJ_BYTES
    options = _imagej(spacing) if imagej else _ome(spacing)
    options["metadata"]["axes"] = stored.upper()
    with atomic_path(path, shared=shared) as partial:
        tifffile.imwrite(
            partial,
            _planes(array, axes, dtype),
            shape=shape,
            dtype=dtype,
            imagej=imagej,
            ome=not imagej,
            bigtiff=nbytes >= IMAGEJ_BYTES,
            photometric="minisblack",
            compression="zlib",
            **options,
        )
        # On a full disk tifffile can leave a torn file without an error.
        held = open_tiff(partial).source
        if math.prod(held.shape) != math.prod(shape) or held.dtype != dtype:
            raise ResourceError("the file was not written completely", where=path)


def _imagej(spacing: Sequence[float]) -> dict[str, Any]:
    """ImageJ's way to tell the voxel size: pixels per µm, and the distance of planes."""
    metadata = {"unit": "um"} | ({"spacing": spacing[0]} if len(spacing) == 3 else {})
    return {"resolution": (1 / spacing[-1], 1 / spacing[-2]), "metadata": metadata}


def _ome(spacing: Sequence[float]) -> dict[str, Any]:
    """OME's way to tell the voxel size."""
    metadata: dict[str, Any] = {}
    for axis, size in zip("ZYX"[-len(spacing) :], spacing, strict=True):
        metadata |= {f"PhysicalSize{axis}": size, f"PhysicalSize{axis}Unit": "µm"}
    return {"metadata": metadata}


def _planes(array: Readable, axes: str, dtype: np.dtype) -> Iterator[np.ndarray]:
    """The yx planes in the order of the file: channels within z."""
    if axes.startswith("z"):
        for slab in slabs(array):
            for block in slab:
                yield from _channel_planes(block, axes[1:], dtype)
    else:
        yield from _channel_planes(np.asarray(array[...]), axes, dtype)


def _channel_planes(block: np.ndarray, axes: str, dtype: np.dtype) -> Iterator[np.ndarray]:
    """The planes of a ``yxc`` or ``yx`` block."""
    planes = np.moveaxis(block, -1, 0) if axes == "yxc" else block[None]
    for plane in planes:
        yield np.ascontiguousarray(plane, dtype)
