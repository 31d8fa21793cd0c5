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
from jaxseg.io.stored import ZarrArray
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
    ndim = len(spacing)
    names = tuple(channel_names) or tuple(map(str, range(shape[-1])))
    channels = [
        {
            "label": name,
            "color": "FFFFFF",
            "active": True,
            "window": {"min": 0.0, "max": 1.0, "start": 0.0, "end": 1.0},
        }
        for name in names
    ]
    with atomic_path(path) as partial:
        array = _create(
            partial,
            shape=(shape[-1], *shape[:-1]),
            chunks=(chunks[-1], *chunks[:-1]),
            dtype=dtype,
            axes="c" + "zyx"[-ndim:],
            spacing=spacing,
            name=_title(path),
            extra={"omero": {"channels": channels}},
        )
        yield Reordered(ZarrArray(array, str(path)), (*range(1, ndim + 1), 0))
        if array.nchunks_initialized < array.nchunks:
            written = f"{array.nchunks_initialized} of {array.nchunks}"
            raise ValueError(f"{path}: only {written} chunks of the planes were written")


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
        array = _create(
            partial,
            shape=shape,
            chunks=sizes,
            dtype=smallest_label_type(largest_label(labels)),
            axes="zyx"[-ndim:],
            spacing=spacing,
            name=_title(path),
            extra={"image-label": {"version": "0.5"}},
        )
        target = ZarrArray(array, str(path))
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


def _title(path: Name) -> str:
    """The name shown by viewers."""
    return Path(path).name.split(".")[0]
