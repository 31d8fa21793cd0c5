"""Opening an image or a label image of any format as a volume."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from jaxseg.errors import InputError
from jaxseg.io.axes import axis_order
from jaxseg.io.chunked import is_n5, open_n5, open_precomputed, precomputed_root
from jaxseg.io.hdf5 import open_hdf5
from jaxseg.io.names import FOREIGN, HDF5, JPEG, container_of, image_name, not_read
from jaxseg.io.ngff import is_zarr, open_zarr
from jaxseg.io.pictures import open_jpeg, open_png
from jaxseg.io.stored import Stored
from jaxseg.io.tiff import open_tiff
from jaxseg.volume import ChannelView, Reordered, Volume, native

Name = str | os.PathLike[str]


def open_image(path: Name, *, ndim: int, axes: str = "", spacing: Sequence[float] = ()) -> Volume:
    """Open an image lazily.

    Parameters
    ----------
    path : TIFF, PNG, JPEG or HDF5 file, or folder of Zarr, OME-NGFF, N5 or precomputed; it may go
        on to a level, a label image or a dataset inside, see :mod:`jaxseg.io.names`
    ndim : spatial dimensions, 2 or 3
    axes : axes of the file, such as ``"CZYX"``; empty = from its metadata
    spacing : µm per voxel, (z)yx; empty = from the metadata, else 1

    Returns
    -------
    Volume with axes ``"(z)yxc"``; one channel where the file has no channel axis

    Raises
    ------
    InputError : missing, damaged, unknown axes, or not made of real numbers of up to 32 bit
        (floating point up to 64 bit)
    """
    stored = _open(path)
    dtype = native(stored.source.dtype)
    if not (dtype.kind in "ui" and dtype.itemsize <= 4) and not (
        dtype.kind == "f" and dtype.itemsize <= 8
    ):
        raise InputError(
            "this element type is no intensity",
            file=path,
            expected="integers of up to 32 bit or floating point",
            found=stored.source.dtype,
            fix="convert the image, for example to float32",
        )
    order = axis_order(
        stored.source.shape, stored.letters, ndim=ndim, declared=axes, file=str(path)
    )
    return _volume(stored, order, "zyxc"[-ndim - 1 :], ndim, spacing, path)


def open_labels(path: Name, *, ndim: int, axes: str = "", spacing: Sequence[float] = ()) -> Volume:
    """Open a label image lazily: 0 is background, every object or class a positive integer.

    Labels stored as bool are read as 0 and 1. Signed labels are read through once, to find
    negative ones.

    Parameters
    ----------
    path, ndim, axes, spacing : as for :func:`open_image`

    Returns
    -------
    Volume with axes ``"(z)yx"`` and an integer dtype

    Raises
    ------
    InputError : missing, damaged, unknown axes, several channels, not integers, or negative
    """
    stored = _open_integers(path)
    order = axis_order(
        stored.source.shape,
        stored.letters,
        ndim=ndim,
        declared=axes,
        channels=False,
        file=str(path),
        option="--data.label_axes",
    )
    volume = _volume(stored, order, "zyx"[-ndim:], ndim, spacing, path)
    return _positive(volume)


def open_labelled_classes(
    path: Name, *, ndim: int, axes: str = "", spacing: Sequence[float] = ()
) -> tuple[Volume, Volume]:
    """Open lazily a label image of two channels: first the instances, then the class of each voxel.

    Parameters
    ----------
    path, ndim, axes, spacing : as for :func:`open_image`

    Returns
    -------
    instances, classes : each as :func:`open_labels` gives them

    Raises
    ------
    InputError : as for :func:`open_labels`, or another number of channels
    """
    stored = _open_integers(path)
    order = axis_order(
        stored.source.shape,
        stored.letters,
        ndim=ndim,
        declared=axes,
        classes=True,
        file=str(path),
        option="--data.label_axes",
    )
    both = _volume(stored, order, "zyxc"[-ndim - 1 :], ndim, spacing, path)
    found = [
        replace(both, data=ChannelView(both.data, number), axes="zyx"[-ndim:])
        for number in range(2)
    ]
    return _positive(found[0]), _positive(found[1])


def _open(path: Name) -> Stored:
    """Open by the kind of file or folder that is there."""
    place, container = Path(path), container_of(path)
    if not container.exists():
        raise InputError("no such file", file=path)
    if container.is_file():
        return _open_file(container, "/".join(place.relative_to(container).parts))
    if not place.is_dir():
        raise InputError(f"no such part of {container.name}", file=path)
    if is_zarr(place):
        return open_zarr(path)
    if precomputed_root(place):
        return open_precomputed(place)
    if is_n5(container):
        return open_n5(place)
    raise InputError("a folder that is no Zarr array or group, nor another image", file=path)


def _open_file(path: Path, inner: str) -> Stored:
    """Open a file, or a dataset in it."""
    name = path.name.lower()
    if name.endswith(HDF5):
        return open_hdf5(path, inner)
    if path.suffix.lower() in FOREIGN:
        raise not_read(path, [path])
    if name.endswith(JPEG):
        return open_jpeg(path)
    return open_png(path) if name.endswith(".png") else open_tiff(path)


def _volume(
    stored: Stored,
    order: tuple[int, ...],
    axes: str,
    ndim: int,
    spacing: Sequence[float],
    path: Name,
) -> Volume:
    """Put together what the file and the user say."""
    return Volume(
        data=Reordered(stored.source, order),
        axes=axes,
        spacing=tuple(map(float, spacing)) or _spacing(stored.size, order, ndim),
        name=image_name(path),
        path=os.fspath(path),
        unit="µm" if len(spacing) or stored.size else "voxel",
    )


def _spacing(size: Mapping[Any, float], order: tuple[int, ...], ndim: int) -> tuple[float, ...]:
    """Spacing from metadata, 1 where they say nothing."""
    letters = "ZYX"[-ndim:]
    return tuple(
        size.get(letter, size.get(axis, 1.0)) for letter, axis in zip(letters, order, strict=False)
    )


def _open_integers(path: Name) -> Stored:
    """Open a file of labels."""
    if os.fspath(path).lower().endswith(JPEG):
        raise InputError(
            "labels in JPEG, whose compression changes values",
            file=path,
            fix="export them again as PNG or TIFF",
        )
    stored = _open(path)
    if native(stored.source.dtype).kind not in "ui":
        raise InputError(
            "labels must be integers: ids lose their meaning in floating point",
            file=path,
            expected="an unsigned integer type",
            found=stored.source.dtype,
            fix="if all values are whole numbers, save labels.astype('uint32') as a new file",
        )
    return stored


def _positive(volume: Volume) -> Volume:
    """The volume, once signed labels are read through for negative values."""
    for start, stop in volume.slabs() if volume.dtype.kind == "i" else ():
        block = volume.read(start, stop)
        if block.size and block.min() < 0:
            raise InputError(
                "negative labels",
                file=volume.path,
                expected="0 for background and positive ids",
                found=int(block.min()),
                fix="give unlabelled voxels a positive value of their own, or 0",
            )
    return volume
