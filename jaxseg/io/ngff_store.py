"""The stores that this library writes: OME-NGFF 0.5 with all the levels that will be in them.

Chunks are compressed with zstd and carry a checksum; empty ones are written too, so that a chunk
that is not there is one that was lost.
"""

from __future__ import annotations

import itertools
import json
import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.codecs import Crc32cCodec, ZstdCodec

from jaxseg.io.levels import average, level_steps, majority
from jaxseg.io.ngff import COMPLETE
from jaxseg.io.stored import ZarrArray, damaged, open_zarr_array

THREADS = min(4, os.cpu_count() or 1)
# Threads are fewer where chunks are so large that those at work would not fit.
CHUNKS_HELD = 8
BUDGET = 2**29


def create_store(
    folder: Path,
    *,
    shape: tuple[int, ...],
    chunks: tuple[int, ...],
    dtype: Any,
    axes: str,
    spacing: Sequence[float],
    name: str,
    extra: dict[str, Any],
    levels: bool = True,
) -> zarr.Array:
    """Make the group, its metadata and the array ``0`` of full resolution.

    Parameters
    ----------
    folder : the store
    shape, chunks, dtype, axes : of the array, axes as in ``"czyx"``
    spacing : µm per voxel, (z)yx
    name : shown by viewers
    extra : more metadata, beside ``multiscales``
    levels : describe coarser levels, too, which :func:`write_levels` makes

    Returns
    -------
    array to write into
    """
    steps = level_steps(shape[-len(spacing) :], spacing) if levels else ()
    multiscale = _multiscale(axes, spacing, name, steps)
    ome = {"version": "0.5", "multiscales": [multiscale], **extra}
    zarr.create_group(folder, zarr_format=3, attributes={"ome": ome, COMPLETE: True})
    return _create_array(folder / "0", shape=shape, chunks=chunks, dtype=dtype, axes=axes)


def open_for_writing(folder: Path) -> ZarrArray:
    """The array of a store made here, in the order of the file, to go on writing into it.

    Raises
    ------
    InputError : not such a store, or damaged
    """
    return _open_array(folder / "0", folder, "r+")


def level_names(store: Path) -> list[str]:
    """The folders of the coarser levels of a store, finest first.

    Raises
    ------
    InputError : not a store made here
    """
    return [item["path"] for item in _ome(store)["multiscales"][0]["datasets"][1:]]


def write_levels(
    store: Path, folder: Path, *, on_progress: Callable[[int, int], None] | None = None
) -> None:
    """Write the coarser levels of a store: labels by majority, other values by mean.

    Each is made of the one before, chunk by chunk, in the memory of a few chunks per thread.

    Parameters
    ----------
    store : complete at full resolution
    folder : where the levels go: the store itself, or another one to move them from
    on_progress : called with the number of levels done and of all

    Raises
    ------
    InputError : not a store made here, or damaged
    """
    ome = _ome(store)
    reduce = majority if "image-label" in ome else average
    datasets = ome["multiscales"][0]["datasets"]
    axes = "".join(axis["name"] for axis in ome["multiscales"][0]["axes"])
    scales = [np.array(item["coordinateTransformations"][0]["scale"]) for item in datasets]
    source = _open_array(store / "0", store, "r")
    chunks = source.chunks
    for number in range(1, len(datasets)):
        step = tuple(int(factor) for factor in np.rint(scales[number] / scales[number - 1]))
        shape = tuple(-(-size // factor) for size, factor in zip(source.shape, step, strict=True))
        path = folder / datasets[number]["path"]
        array = _create_array(path, shape=shape, chunks=chunks, dtype=source.dtype, axes=axes)
        target = ZarrArray(array, str(store))
        _reduce(source, target, step, reduce)
        source = target
        if on_progress is not None:
            on_progress(number, len(datasets) - 1)


def _reduce(
    source: ZarrArray,
    target: ZarrArray,
    step: Sequence[int],
    reduce: Callable[[np.ndarray, Sequence[int]], np.ndarray],
) -> None:
    """Fill a level from the finer one, every chunk whole and once."""

    def fill(corner: tuple[int, ...]) -> None:
        ends = zip(corner, target.chunks, target.shape, strict=True)
        sides = [min(chunk, size - at) for at, chunk, size in ends]
        block = np.empty(sides, target.dtype)
        # About a chunk of the finer level at a time, since a whole cell of them may be large.
        parts = [-(-side // factor) for side, factor in zip(sides, step, strict=True)]
        for place in itertools.product(*map(range, [0] * len(parts), sides, parts)):
            axes = list(zip(corner, place, parts, sides, step, strict=True))
            part = tuple(slice(low, low + size) for _, low, size, _, _ in axes)
            read = tuple(
                slice((at + low) * factor, (at + min(low + size, side)) * factor)
                for at, low, size, side, factor in axes
            )
            block[part] = reduce(source[read], step)
        box = tuple(slice(at, at + side) for at, side in zip(corner, sides, strict=True))
        target[box] = block

    chunk_bytes = math.prod(target.chunks) * target.dtype.itemsize
    threads = max(1, min(THREADS, BUDGET // (CHUNKS_HELD * chunk_bytes)))
    sides = zip(target.shape, target.chunks, strict=True)
    corners = itertools.product(*(range(0, size, chunk) for size, chunk in sides))
    with ThreadPoolExecutor(threads) as pool:
        while batch := list(itertools.islice(corners, 8 * threads)):
            list(pool.map(fill, batch))


def _create_array(
    path: Path, *, shape: tuple[int, ...], chunks: tuple[int, ...], dtype: Any, axes: str
) -> zarr.Array:
    return zarr.create_array(
        path,
        shape=shape,
        chunks=tuple(max(1, min(size, chunk)) for size, chunk in zip(shape, chunks, strict=True)),
        dtype=dtype,
        compressors=[ZstdCodec(level=1), Crc32cCodec()],
        fill_value=0,
        zarr_format=3,
        dimension_names=list(axes),
        config={"write_empty_chunks": True},
    )


def _open_array(path: Path, store: Path, mode: Any) -> ZarrArray:
    try:
        array = open_zarr_array(path, mode)
    except Exception as error:  # whatever damaged metadata make the parsers raise
        raise damaged(str(store), error) from error
    # A setting of the open array, not of the stored one.
    return ZarrArray(array.with_config({"write_empty_chunks": True}), str(store))


def _ome(store: Path) -> dict[str, Any]:
    """The metadata of a store made here."""
    try:
        return json.loads((store / "zarr.json").read_bytes())["attributes"]["ome"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise damaged(os.fspath(store), error) from error


def _multiscale(
    axes: str, spacing: Sequence[float], name: str, steps: Sequence[Sequence[int]]
) -> dict[str, Any]:
    """The description of all levels."""
    kinds = [
        {"name": axis, "type": "channel"}
        if axis == "c"
        else {"name": axis, "type": "space", "unit": "micrometer"}
        for axis in axes
    ]
    lead, datasets = len(axes) - len(spacing), []
    for number in range(len(steps) + 1):
        factors = [math.prod(column) for column in zip(*steps[:number], strict=True)]
        factors = factors or [1] * len(spacing)
        pairs = list(zip(factors, map(float, spacing), strict=True))
        transforms = [{"type": "scale", "scale": [1.0] * lead + [f * size for f, size in pairs]}]
        if number:
            # The centre of the first voxel is where the centres of its cell are on average.
            moved = [0.0] * lead + [(f - 1) / 2 * size for f, size in pairs]
            transforms.append({"type": "translation", "translation": moved})
        datasets.append({"path": str(number), "coordinateTransformations": transforms})
    return {"name": name, "axes": kinds, "datasets": datasets}
