"""Reading TIFF: plain, BigTIFF, ImageJ and OME, without loading the file.

Uncompressed files are mapped into memory, others are decoded strip by strip or tile by tile, and
only those that a box touches. What the file declares is checked against what it holds before the
first voxel is used: tifffile itself reads a file that is cut short as fewer planes.
"""

from __future__ import annotations

import logging
import math
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tifffile
import zarr

from jaxseg.errors import InputError
from jaxseg.io.stored import Stored, damaged, read_zarr
from jaxseg.io.tiff_size import tiff_voxel_size
from jaxseg.volume import Readable

# Deflate cannot shrink anything more than 1032 times; a file that claims more is damaged or made
# to exhaust the memory. Below the free size there is nothing to exhaust.
MAX_RATIO = 1000
FREE_BYTES = 2**26


@dataclass(frozen=True)
class MappedTiff:
    """Uncompressed voxels that lie in one piece; the file is open only while reading."""

    path: str
    shape: tuple[int, ...]
    dtype: np.dtype
    offset: int

    def __getitem__(self, index: Any) -> np.ndarray:
        try:
            mapped = np.memmap(self.path, self.dtype, "r", self.offset, self.shape)
        except (OSError, ValueError) as error:
            raise damaged(self.path, error) from error
        return np.array(mapped[index])


@dataclass(frozen=True)
class EncodedTiff:
    """Strips or tiles that are decoded on reading; the file is open only while reading."""

    path: str
    array: zarr.Array
    handle: tifffile.FileHandle
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of every axis."""
        return self.array.shape

    @property
    def dtype(self) -> np.dtype:
        """Element type."""
        return self.array.dtype

    @property
    def chunks(self) -> tuple[int, ...]:
        """Shape of a strip or tile."""
        return self.array.chunks

    def __getitem__(self, index: Any) -> np.ndarray:
        with self.lock:
            try:
                self.handle.open()
            except OSError as error:
                raise damaged(self.path, error) from error
            try:
                return read_zarr(self.array, index, self.path)
            finally:
                self.handle.close()


def open_tiff(path: str | os.PathLike[str]) -> Stored:
    """The image of a TIFF file.

    Raises
    ------
    InputError : not a TIFF file, cut short, several images in one file, or damaged in any way that
        tifffile notices
    """
    name = os.fspath(path)
    try:
        with _complaints() as complaints, tifffile.TiffFile(name) as file:
            pages, series = len(file.pages), file.series
            _check_chain(file, name)
            _refuse(complaints, name)
            _check_single(series, name)
            _check_extent(file, series[0], name)
            source = _source(file, series[0], name)
            letters = series[0].get_axes(squeeze=False)
            size = tiff_voxel_size(file, name)
            _refuse(complaints, name)
    except (InputError, FileNotFoundError, PermissionError):
        raise
    except Exception as error:  # whatever a damaged file makes the parser raise
        raise damaged(name, error) from error
    if pages == 0 or 0 in source.shape:
        raise InputError("the file holds no image", file=name, found=f"shape {source.shape}")
    return Stored(source, letters, size)


@contextmanager
def _complaints() -> Iterator[list[str]]:
    """Collect what tifffile logs in this thread; it logs where it should raise."""
    found: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.thread == threading.get_ident():
                found.append(record.getMessage())

    logger, collector = logging.getLogger("tifffile"), Collector(logging.WARNING)
    level, propagate = logger.level, logger.propagate
    logger.addHandler(collector)
    logger.setLevel(logging.WARNING)
    logger.propagate = False
    try:
        yield found
    finally:
        logger.removeHandler(collector)
        logger.setLevel(level)
        logger.propagate = propagate


def _refuse(complaints: list[str], name: str) -> None:
    """Raise the first complaint, without tifffile's own name for the file."""
    if complaints:
        raise damaged(name, complaints[0].rpartition("> ")[2])


def _check_chain(file: tifffile.TiffFile, name: str) -> None:
    """The list of pages must end, with a zero, inside the file."""
    width = file.tiff.offsetsize
    file.filehandle.seek(file.pages.next_page_offset or 0)
    pointer = file.filehandle.read(width)
    if len(pointer) < width or any(pointer):
        raise damaged(name, f"the list of pages breaks off after {len(file.pages)} planes")


def _check_single(series: list[tifffile.TiffPageSeries], name: str) -> None:
    """One image per file, all of it in this file."""
    if len(series) != 1:
        shapes = ", ".join(str(item.shape) for item in series[:4])
        raise InputError(
            f"the file holds {len(series)} images",
            file=name,
            expected="one",
            found=shapes,
            fix="save the one to use as a file of its own",
        )
    if series[0].is_multifile:
        raise InputError(
            "the image is spread over several files", file=name, fix="save it as one file"
        )


def _check_extent(file: tifffile.TiffFile, series: tifffile.TiffPageSeries, name: str) -> None:
    """Every declared voxel must have its bytes inside the file."""
    end, declared = file.filehandle.size, math.prod(series.shape) * series.dtype.itemsize
    if series.dataoffset is not None:
        held = max(end - series.dataoffset, 0)
        if held < declared:
            plane = math.prod(series.keyframe.shape) * series.dtype.itemsize
            raise damaged(name, f"it says {declared // plane} planes, {held // plane} are readable")
        return
    planes = math.prod(series.shape) // math.prod(series.keyframe.shape)
    good = sum(page is not None and _is_inside(page, end) for page in series.pages)
    if good < planes:
        raise damaged(name, f"it says {planes} planes, {good} are readable")
    if declared > max(MAX_RATIO * end, FREE_BYTES):
        raise InputError(
            f"the file claims to unpack to {declared / 2**30:.1f} GiB",
            file=name,
            expected=f"at most {MAX_RATIO} times its {end} bytes",
            fix="if the file is sound, save it with less compression",
        )


def _is_inside(page: Any, end: int) -> bool:
    """Whether all strips or tiles of a page lie before the end of the file."""
    pieces = list(zip(page.dataoffsets, page.databytecounts, strict=False))
    complete = len(page.dataoffsets) == len(page.databytecounts) == math.prod(page.chunked)
    return complete and all(at > 0 and 0 < count <= end - at for at, count in pieces)


def _source(file: tifffile.TiffFile, series: tifffile.TiffPageSeries, name: str) -> Readable:
    """The voxels, with every axis the metadata name, also those of length one."""
    if series.dataoffset is not None:
        dtype = series.dtype.newbyteorder(file.byteorder)
        return MappedTiff(name, series.get_shape(squeeze=False), dtype, series.dataoffset)
    store = series.aszarr(level=0, squeeze=False)
    return EncodedTiff(name, zarr.open_array(store, mode="r"), file.filehandle)
