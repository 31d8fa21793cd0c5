"""Opening an image or a label image of any format as a volume."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from jaxseg.errors import ConfigError, InputError
from jaxseg.io.axes import axis_order
from jaxseg.io.bounds import check_kind, check_whole
from jaxseg.io.formats import Format, check_content, format_of, format_of_folder
from jaxseg.io.names import FOREIGN, container_of, image_name, not_read, split_choice
from jaxseg.io.stored import Stored
from jaxseg.io.units import voxel_size
from jaxseg.io.values import ChosenChannels, coloured, grey, whole_numbers
from jaxseg.volume import (
    ChannelView,
    Reordered,
    Volume,
    checked_spacing,
    native,
)

Name = str | os.PathLike[str]


def open_image(
    path: Name,
    *,
    ndim: int,
    axes: str = "",
    spacing: Sequence[float] = (),
    channels: Sequence[int] = (),
    rgb: bool = False,
    formats: Sequence[Format] = (),
) -> Volume:
    """Open an image lazily.

    Parameters
    ----------
    path : file or folder of a format of :data:`jaxseg.io.FORMATS`; it may go on to a level, a label
        image or a dataset inside, see :mod:`jaxseg.io.names`
    ndim : spatial dimensions, 2 or 3
    axes : axes of the file, such as ``"CZYX"``; empty = from its metadata
    spacing : µm per voxel, (z)yx, whatever the file says; empty = from the metadata, else 1
    channels : numbers of the channels to use, from 0; empty = all
    rgb : of an image of one channel this one three times
    formats : more formats than those of the table, asked first

    Returns
    -------
    Volume with axes ``"(z)yxc"``; one channel where the file has no channel axis

    Raises
    ------
    InputError : missing, damaged, unknown axes, or not made of real numbers of up to 32 bit
        (floating point up to 64 bit)
    ConfigError : ``ndim`` or ``spacing`` that no image has
    """
    _check_request(ndim, spacing)
    stored = coloured(_open(path, formats)[0])
    dtype = native(stored.source.dtype)
    if not (dtype.kind in "ui" and dtype.itemsize <= 4) and not (
        dtype.kind == "f" and dtype.itemsize <= 8
    ):
        raise InputError(
            "this element type is no intensity",
            where=path,
            expected="integers of up to 32 bit or floating point",
            found=stored.source.dtype,
            fix="convert the image, for example to float32",
        )
    order = axis_order(
        stored.source.shape, stored.letters, ndim=ndim, declared=axes, file=str(path)
    )
    whole = _volume(stored, order, "zyxc"[-ndim - 1 :], ndim, spacing, path, formats)
    chosen = _chosen(whole, channels)
    if rgb and chosen.channels == 1:
        return replace(chosen, data=ChosenChannels(chosen.data, (0, 0, 0)))
    return chosen


def open_labels(
    path: Name,
    *,
    ndim: int,
    axes: str = "",
    spacing: Sequence[float] = (),
    formats: Sequence[Format] = (),
) -> Volume:
    """Open a label image lazily: 0 is background, every object or class a positive integer.

    Labels stored as bool are read as 0 and 1, those of a palette image as the numbers of its
    colours, red, green and blue that are the same as one of them, and whole numbers in floating
    point as integers. Signed labels, those in floating point and those in colours are read through
    once, to find values that are no ids.

    Parameters
    ----------
    path, ndim, axes, spacing, formats : as for :func:`open_image`

    Returns
    -------
    Volume with axes ``"(z)yx"`` and an integer dtype

    Raises
    ------
    InputError : missing, damaged, unknown axes, several channels, not integers, or negative
    ConfigError : ``ndim`` or ``spacing`` that no image has
    """
    _check_request(ndim, spacing)
    stored = _open_integers(path, formats)
    if not axes and "S" in stored.letters:
        check_whole(Volume(stored.source, "", (), path=os.fspath(path), held=stored.held))
        stored = grey(stored, os.fspath(path))
    order = axis_order(
        stored.source.shape,
        stored.letters,
        ndim=ndim,
        declared=axes,
        channels=False,
        file=str(path),
        option="--data.label_axes",
    )
    volume = _volume(stored, order, "zyx"[-ndim:], ndim, spacing, path, formats)
    return _ids(volume)


def open_labelled_classes(
    path: Name,
    *,
    ndim: int,
    axes: str = "",
    spacing: Sequence[float] = (),
    formats: Sequence[Format] = (),
) -> tuple[Volume, Volume]:
    """Open lazily a label image of two channels: first the instances, then the class of each voxel.

    Parameters
    ----------
    path, ndim, axes, spacing, formats : as for :func:`open_image`

    Returns
    -------
    instances, classes : each as :func:`open_labels` gives them

    Raises
    ------
    InputError : as for :func:`open_labels`, or another number of channels
    """
    _check_request(ndim, spacing)
    stored = _open_integers(path, formats)
    order = axis_order(
        stored.source.shape,
        stored.letters,
        ndim=ndim,
        declared=axes,
        classes=True,
        file=str(path),
        option="--data.label_axes",
    )
    both = _volume(stored, order, "zyxc"[-ndim - 1 :], ndim, spacing, path, formats)
    found = [
        replace(both, data=ChannelView(both.data, number), axes="zyx"[-ndim:])
        for number in range(2)
    ]
    return _ids(found[0]), _ids(found[1])


def _check_request(ndim: int, spacing: Sequence[float]) -> None:
    """Refuse what no image has, before a file is opened."""
    if ndim not in (2, 3):
        raise ConfigError("an image has 2 or 3 spatial dimensions", where="ndim", found=ndim)
    if np.size(spacing):
        checked_spacing(spacing, ndim, where="--data.spacing")


def _open(path: Name, formats: Sequence[Format]) -> tuple[Stored, Format]:
    """Open by the kind of file or folder that is there.

    Raises
    ------
    InputError : see :func:`open_image`; also where reading is not allowed, or the disk fails
    """
    try:
        return _opened(path, formats)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", where=path) from error


def _opened(path: Name, formats: Sequence[Format]) -> tuple[Stored, Format]:
    """Open by the kind of file or folder that is there."""
    container = container_of(path, formats)
    place, choice = split_choice(path)
    if not container.exists():
        raise InputError("no such file", where=path)
    check_kind(container)
    if container.is_file():
        if container.suffix.lower() in FOREIGN and not format_of(container.name, formats):
            raise not_read(container, [container])
        row = check_content(container, format_of(container.name, formats), formats)
        inner = choice or "/".join(place.relative_to(container).parts)
        if inner and not choice and not row.inside:
            raise InputError(f"a {row.name} file has no parts", where=path)
        return row.open(container, inner), row
    if not place.is_dir():
        raise InputError(f"no such part of {container.name}", where=path)
    found = format_of_folder(place, formats) or format_of_folder(container, formats)
    if found is None:
        raise InputError("a folder that is no Zarr array or group, nor another image", where=path)
    row, root = found
    return row.open(root, "/".join(place.relative_to(root).parts)), row


def _volume(
    stored: Stored,
    order: tuple[int, ...],
    axes: str,
    ndim: int,
    spacing: Sequence[float],
    path: Name,
    formats: Sequence[Format] = (),
) -> Volume:
    """Put together what the file and the user say; what the user says about sizes counts."""
    letters = "ZYX"[-ndim:]
    said = {
        letter: stored.size.get(letter, stored.size.get(axis))
        for letter, axis in zip(letters, order, strict=False)
    }
    if np.size(spacing):
        sizes, unit = tuple(map(float, spacing)), "µm"
    else:
        sizes, unit = voxel_size(said, os.fspath(path))
    origin = [
        stored.origin.get(letter, stored.origin.get(axis, 0.0))
        for letter, axis in zip(letters, order, strict=False)
    ]
    return Volume(
        data=Reordered(stored.source, order),
        axes=axes,
        spacing=sizes,
        name=image_name(path, formats),
        path=os.fspath(path),
        unit=unit,
        origin=tuple(origin) if stored.origin else (),
        alpha=stored.alpha,
        held=stored.held,
    )


def _chosen(volume: Volume, numbers: Sequence[int]) -> Volume:
    """An image of some of its channels."""
    kept = tuple(map(int, numbers))
    if not kept:
        return volume
    if min(kept) < 0 or max(kept) >= volume.channels or len(set(kept)) < len(kept):
        raise InputError(
            "the image does not have the channels that were chosen",
            where=volume.path,
            expected=f"0 to {volume.channels - 1}, each once",
            found=kept,
            fix="give the channels to use with --data.image_channels, or none for all",
        )
    alpha = volume.alpha and kept[-1] == volume.channels - 1
    return replace(volume, data=ChosenChannels(volume.data, kept), alpha=alpha)


def _open_integers(path: Name, formats: Sequence[Format]) -> Stored:
    """Open a file of labels."""
    named = format_of(container_of(path, formats).name, formats)
    if named is not None and named.lossy:
        raise InputError(
            f"labels in {named.name}, whose compression changes values",
            where=path,
            fix="export them again as PNG or TIFF",
        )
    stored, _ = _open(path, formats)
    if stored.alpha and stored.source.shape[-1] == 2:
        # What is transparent is shown otherwise; the values are those of the ids all the same.
        stored = stored._replace(
            source=ChannelView(stored.source, 0), letters=stored.letters[:-1], alpha=False
        )
    kind = native(stored.source.dtype).kind
    if kind not in "uif":
        raise InputError(
            "labels must be whole numbers",
            where=path,
            expected="an unsigned integer type",
            found=stored.source.dtype,
            fix="save labels.astype('uint32') as a new file",
        )
    return stored


def _ids(volume: Volume) -> Volume:
    """The volume, once labels that may not be ids are read through."""
    if volume.dtype.kind == "f":
        check_whole(volume)
        return replace(volume, data=whole_numbers(volume.data, volume.path))
    if volume.dtype.kind != "i":
        return volume
    check_whole(volume)
    for start, stop in volume.slabs():
        block = volume.read(start, stop)
        if block.size and block.min() < 0:
            raise InputError(
                "negative labels",
                where=volume.path,
                expected="0 for background and positive ids",
                found=int(block.min()),
                fix="give unlabelled voxels a positive value of their own, or 0",
            )
    return volume
