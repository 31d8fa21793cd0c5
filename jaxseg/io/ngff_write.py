"""Writing OME-NGFF 0.5: planes chunk by chunk, and label images.

Chunks are compressed with zstd and carry a checksum; empty ones are written too, so that a chunk
that is not there is one that was lost. A store appears under its name only when it is complete.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.codecs import Crc32cCodec, ZstdCodec

from jaxseg.io.atomic import atomic_path
from jaxseg.io.label_type import largest_label, smallest_label_type
from jaxseg.io.ngff import COMPLETE
from jaxseg.io.stored import ZarrArray, damaged
from jaxseg.volume import Readable, Reordered

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
    array = _create(
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
) -> ZarrArray:
    """An empty store of labels at a place that the caller publishes.

    Returns
    -------
    array to write into by slices ``(z)yx``
    """
    array = _create(
        folder,
        shape=tuple(shape),
        chunks=tuple(chunks),
        dtype=dtype,
        axes="zyx"[-len(spacing) :],
        spacing=spacing,
        name=name,
        extra={"image-label": {"version": "0.5"}},
    )
    return ZarrArray(array, str(folder))


def open_for_writing(folder: Path) -> ZarrArray:
    """The array of a store made here, in the order of the file, to go on writing into it.

    Raises
    ------
    InputError : not such a store, or damaged
    """
    try:
        array = zarr.open_array(str(folder / "0"), mode="r+")
    except Exception as error:  # whatever damaged metadata make the parsers raise
        raise damaged(str(folder), error) from error
    # A setting of the open array, not of the stored one.
    return ZarrArray(array.with_config({"write_empty_chunks": True}), str(folder))


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
    ResourceError : disk full, or the folder cannot be written
    """
    shape, ndim = tuple(labels.shape), len(spacing)
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


def _create(
    folder: Path,
    *,
    shape: tuple[int, ...],
    chunks: tuple[int, ...],
    dtype: Any,
    axes: str,
    spacing: Sequence[float],
    name: str,
    extra: dict[str, Any],
) -> zarr.Array:
    """Make the group, its metadata and the array ``0`` of full resolution."""
    ome = {"version": "0.5", "multiscales": [_multiscale(axes, spacing, name)], **extra}
    zarr.create_group(folder, zarr_format=3, attributes={"ome": ome, COMPLETE: True})
    return zarr.create_array(
        folder / "0",
        shape=shape,
        chunks=tuple(max(1, min(size, chunk)) for size, chunk in zip(shape, chunks, strict=True)),
        dtype=dtype,
        compressors=[ZstdCodec(level=1), Crc32cCodec()],
        fill_value=0,
        zarr_format=3,
        dimension_names=list(axes),
        config={"write_empty_chunks": True},
    )


def _multiscale(axes: str, spacing: Sequence[float], name: str) -> dict[str, Any]:
    """The description of one level of full resolution."""
    kinds = [
        {"name": axis, "type": "channel"}
        if axis == "c"
        else {"name": axis, "type": "space", "unit": "micrometer"}
        for axis in axes
    ]
    scale = [1.0] * (len(axes) - len(spacing)) + [float(size) for size in spacing]
    transforms = [{"type": "scale", "scale": scale}]
    return {
        "name": name,
        "axes": kinds,
        "datasets": [{"path": "0", "coordinateTransformations": transforms}],
    }


def title(path: Name) -> str:
    """The name shown by viewers."""
    return Path(path).name.split(".")[0]
