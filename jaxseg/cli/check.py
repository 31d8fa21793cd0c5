"""What a representation can recover of your own labels, before any training.

``jaxseg check --labels DIR [--channels F C Db] [--config configs/inst2d.py]`` encodes the labels,
decodes the true planes, and prints what is left: the ceiling of any network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from jaxseg.cli.new_config import shipped
from jaxseg.config import Channel, ch
from jaxseg.config.load import load
from jaxseg.errors import ConfigError, InputError, raise_all

if TYPE_CHECKING:
    import numpy as np

    from jaxseg.volume import Volume


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Show what each representation can recover of your own labels, before training.

    The labels are encoded and the true planes decoded; what is left is the best that a network can
    reach. Lost objects are counted by reason.
    """

    labels: str
    """folder of label images, or one of them"""
    channels: tuple[str, ...] = ()
    """a representation to check, such as F C Db, beside the usual ones"""
    config: str = ""
    """a configuration whose channels, with their options, are checked beside the usual ones"""
    only: bool = False
    """check only what is named above"""
    ndim: Literal[0, 2, 3] = 0
    """dimensions of an image; 0 = from its axes"""
    axes: str = ""
    """axes of the files, such as YX or ZYX; empty = from their own metadata"""
    spacing: tuple[float, ...] = ()
    """size of a voxel in µm, (z)yx; empty = from the files' metadata, else 1"""
    images: int = 20
    """number of images to take, evenly from the list; 0 = all"""
    crop: tuple[int, ...] = ()
    """take the middle of every image, (z)yx voxels; empty = all of it"""


def execute(options: Arguments) -> int:
    """Print the table of ceilings, what is lost, and which representation to choose."""
    from jaxseg import runtime

    runtime.configure(cpu_devices=1, batch=1)
    from jaxseg.planning.ceiling import candidates, ceiling, recommended
    from jaxseg.planning.ceiling_table import show_ceilings
    from jaxseg.progress import progress

    images, spacing, ndim = _labels(options)
    own = _own(options, ndim)
    others = () if options.only else candidates(ndim)
    sets = own + [channels for channels in others if channels not in own]
    if not sets:
        raise ConfigError("no representation to check", fix="--channels F C Db, or drop --only")
    found = []
    with progress("representations") as advance:
        for number, channels in enumerate(sets, start=1):
            found.append(ceiling(images, channels, spacing=spacing))
            advance(number, len(sets))
    show_ceilings(sets, found, best=recommended(found))
    print(_sides(images))
    return 0


def _sides(images: Sequence[np.ndarray]) -> str:
    """How long the objects are, and which patch holds most of them twice."""
    import numpy as np

    from jaxseg.data import index_labels, object_sides
    from jaxseg.data.extent import MOST, PATCHES
    from jaxseg.planning.text import sides
    from jaxseg.volume import Volume

    volumes = [Volume(one, "zyx"[-one.ndim :], (1.0,) * one.ndim) for one in images]
    found = np.concatenate([object_sides(index_labels(one)) for one in volumes])
    shares = (10, 50, MOST)
    usual = np.percentile(found, shares, axis=0).round().astype(int).tolist()
    told = ", ".join(
        f"{share} % up to {sides(one)}" for share, one in zip(shares, usual, strict=True)
    )
    patch = " ".join(str(PATCHES * side) for side in usual[-1])
    return (
        f"voxels along the sides of objects: {told}; a --patch of {patch} or more shows most whole"
    )


def _labels(options: Arguments) -> tuple[list[np.ndarray], tuple[float, ...], int]:
    """The label images as arrays, the size of their voxels, and their dimensions."""
    from jaxseg.data import masks_in
    from jaxseg.io import list_images

    paths = list_images(options.labels)
    if options.images and len(paths) > options.images:
        step = len(paths) / options.images
        paths = tuple(paths[int(place * step)] for place in range(options.images))
    ndim = options.ndim or _ndim(paths[0], options)
    if options.crop and (len(options.crop) != ndim or min(options.crop) < 1):
        wanted = f"{ndim} sizes of at least 1, {'zyx'[-ndim:]}"
        raise ConfigError("no such part", where="--crop", expected=wanted, found=options.crop)
    volumes = [_open(path, ndim, options) for path in paths]
    sizes = sorted({volume.spacing for volume in volumes})
    if len(sizes) > 1:
        raise InputError(
            "label images whose voxels differ in size",
            where=options.labels,
            found=", ".join(map(str, sizes)),
            fix="give one size for all with --spacing",
        )
    raise_all(masks_in(volumes))
    images = [_middle(volume, options.crop) for volume in volumes]
    if not any(image.any() for image in images):
        raise InputError(
            "no objects in the label images",
            where=options.labels,
            expected="ids above 0" + (f" in the middle {options.crop}" if options.crop else ""),
        )
    print(f"{len(volumes)} label images in {ndim}D, voxels of {sizes[0]} {volumes[0].unit}")
    return images, sizes[0], ndim


def _ndim(path: Path, options: Arguments) -> int:
    """The dimensions in which the axes of a file make sense; they never do in both."""
    # What is said of the voxels is judged once the dimensions are known.
    flat_voxels, voxels = ((1.0,) * ndim if options.spacing else () for ndim in (2, 3))
    try:
        _open(path, 2, replace(options, spacing=flat_voxels))
    except InputError as flat:
        try:
            _open(path, 3, replace(options, spacing=voxels))
        except InputError:
            raise flat from None
        return 3
    return 2


def _open(path: Path, ndim: int, options: Arguments) -> Volume:
    from jaxseg.io import open_labels

    return open_labels(path, ndim=ndim, axes=options.axes, spacing=options.spacing)


def _middle(volume: Volume, crop: tuple[int, ...]) -> np.ndarray:
    """The labels of the middle of a volume, at most ``crop`` voxels."""
    shape = volume.spatial_shape
    sizes = [min(size, wanted) for size, wanted in zip(shape, crop or shape, strict=True)]
    return volume.middle(sizes).array()


def _own(options: Arguments, ndim: int) -> list[tuple[Channel, ...]]:
    """The representations that the command line names."""
    from jaxseg.channels import columns

    own = [tuple(ch(name) for name in options.channels)] if options.channels else []
    if options.config:
        config = load(shipped(options.config))
        if config.ndim != ndim:
            raise ConfigError("made for other images", where=options.config,
                              expected=f"ndim {ndim}", found=config.ndim)  # fmt: skip
        own.append(config.channels)
    for channels in own:
        columns(channels, ndim)
    return list(dict.fromkeys(own))
