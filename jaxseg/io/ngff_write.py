"""Writing OME-NGFF 0.5: planes chunk by chunk, and label images.

A store appears under its name only when it is complete, with all its levels. A label image is a
store of its own with ``image-label`` metadata, which viewers show as labels; to have it found
beneath an image, put it into the image's group ``labels`` and add its name to the list there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from jaxseg.io.atomic import atomic_path
from jaxseg.io.label_type import largest_label, smallest_label_type
from jaxseg.io.ngff_store import create_store, write_levels
from jaxseg.io.stored import ZarrArray
from jaxseg.volume import Readable, Reordered, checked_spacing

Name = str | os.PathLike[str]

LABEL_CHUNKS = {2: (1024, 1024), 3: (64, 128, 128)}


@contextmanager
def create_planes(
    path: Name,
    *,
    shape: Sequence[int],
    chunks: Sequence[int],
    dtype: Any = "float32",
    spacing: Sequence[float],
    channel_names: Sequence[str] = (),
) -> Iterator[Reordered]:
    """A new store of planes to write into by slices; published when the block ends well.

    Its coarser levels are made then, the mean of every cell.

    On disk the channel axis comes first, as OME-NGFF wants it; the array that is yielded is
    indexed ``(z)yxc``. Different threads may write different chunks.

    Parameters
    ----------
    path : folder to write, usually ``*.ome.zarr``
    shape : (*S, K)
    chunks : what is stored in one file, (*S, K)
    dtype : element type
    spacing : µm per voxel, (z)yx
    channel_names : one per plane; empty = their numbers

    Yields
    ------
    array with ``shape``, ``dtype``, ``chunks``, and reading and writing by slices

    Raises
    ------
    ResourceError : disk full, or the folder cannot be written
    ValueError : a chunk was not written
    """
    with atomic_path(path) as partial:
        planes = make_planes(
            partial,
            name=title(path),
            shape=shape,
            chunks=chunks,
            dtype=dtype,
            spacing=spacing,
            channel_names=channel_names,
        )
        yield planes
        array = planes.source.array  # type: ignore[attr-defined]
        if array.nchunks_initialized < array.nchunks:
            written = f"{array.nchunks_initialized} of {array.nchunks}"
            raise ValueError(f"{path}: only {written} chunks of the planes were written")
        write_levels(partial, partial)


def make_planes(
    folder: Path,
    *,
    name: str,
    shape: Sequence[int],
    chunks: Sequence[int],
    dtype: Any = "float32",
    spacing: Sequence[float],
    channel_names: Sequence[str] = (),
) -> Reordered:
    """An empty store of planes at a place that the caller publishes; see :func:`create_planes`.

    Its coarser levels are described, and made by :func:`write_levels`.

    Parameters
    ----------
    folder, name : where, and the name of the image
    shape, chunks : (z)yxc
    dtype : of the planes
    spacing : size of a voxel, (z)yx, µm
    channel_names : one per plane, or none

    Returns
    -------
    array to write into by slices ``(z)yxc``
    """
    ndim = len(spacing)
    channels = [
        {
            "label": label,
            "color": "FFFFFF",
            "active": True,
            "window": {"min": 0.0, "max": 1.0, "start": 0.0, "end": 1.0},
        }
        for label in tuple(channel_names) or map(str, range(shape[-1]))
    ]
    array = create_store(
        folder,
        shape=(shape[-1], *shape[:-1]),
        chunks=(chunks[-1], *chunks[:-1]),
        dtype=dtype,
        axes="c" + "zyx"[-ndim:],
        spacing=spacing,
        name=name,
        extra={"omero": {"channels": channels}},
    )
    return Reordered(ZarrArray(array, str(folder)), (*range(1, ndim + 1), 0))


def make_labels(
    folder: Path,
    *,
    name: str,
    shape: Sequence[int],
    chunks: Sequence[int],
    dtype: Any,
    spacing: Sequence[float],
    levels: bool = True,
) -> ZarrArray:
    """An empty store of labels at a place that the caller publishes.

    Parameters
    ----------
    folder, name : where, and the name of the image
    shape, chunks : (z)yx
    dtype : of the labels
    spacing : size of a voxel, (z)yx, µm
    levels : describe coarser levels, which :func:`write_levels` makes before it is published

    Returns
    -------
    array to write into by slices ``(z)yx``
    """
    array = create_store(
        folder,
        shape=tuple(shape),
        chunks=tuple(chunks),
        dtype=dtype,
        axes="zyx"[-len(spacing) :],
        spacing=spacing,
        name=name,
        extra={"image-label": {"version": "0.5"}},
        levels=levels,
    )
    return ZarrArray(array, str(folder))


def write_labels_zarr(
    path: Name,
    labels: Readable,
    *,
    spacing: Sequence[float],
    chunks: Sequence[int] | None = None,
) -> None:
    """Write a label image as an OME-NGFF store, in the smallest type that holds its largest id.

    Parameters
    ----------
    path : folder to write, usually ``*.ome.zarr``
    labels : (*S) integers, an array or anything that is read by slices
    spacing : µm per voxel, (z)yx
    chunks : what is stored in one file; None = about 1 million voxels

    Raises
    ------
    ConfigError : a spacing that is none
    ResourceError : disk full, or the folder cannot be written
    """
    shape, ndim = tuple(labels.shape), len(labels.shape)
    spacing = checked_spacing(spacing, ndim)
    sizes = tuple(map(min, chunks or LABEL_CHUNKS[ndim], shape))
    with atomic_path(path) as partial:
        target = make_labels(
            partial,
            name=title(path),
            shape=shape,
            chunks=sizes,
            dtype=smallest_label_type(largest_label(labels)),
            spacing=spacing,
        )
        steps = (range(0, size, chunk) for size, chunk in zip(shape, sizes, strict=True))
        for corner in product(*steps):
            box = tuple(slice(at, at + size) for at, size in zip(corner, sizes, strict=True))
            target[box] = np.asarray(labels[box])
        write_levels(partial, partial)


def title(path: Name) -> str:
    """The name shown by viewers."""
    return Path(path).name.split(".")[0]
