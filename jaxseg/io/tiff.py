"""Reading TIFF: plain, BigTIFF, ImageJ and OME, without loading the file.

Uncompressed files are mapped into memory, others are decoded strip by strip or tile by tile, and
only those that a box touches. What the file declares is checked against what it holds before the
first voxel is used: tifffile itself reads a file that is cut short as fewer planes.
"""

from __future__ import annotations

import math
import os
import threading
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import tifffile
import zarr

from jaxseg.errors import InputError
from jaxseg.io.bounds import check_chunk, check_ratio
from jaxseg.io.stored import Stored, damaged, read_zarr
from jaxseg.io.tiff_complaints import complaints, refuse
from jaxseg.io.tiff_series import axes_of, choose_series, ome_contradiction, series_of
from jaxseg.io.tiff_size import tiff_voxel_size
from jaxseg.volume import Readable

# Compressions whose largest ratio is known, by their number in TIFF.
CODECS = {1: "none", 5: "lzw", 8: "deflate", 32946: "deflate", 32773: "packbits", 7: "jpeg"}
CODECS |= {34925: "lzma"}
# Kinds of samples beside the colours: opacity, multiplied into the colours or not.
ALPHA = (1, 2)


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


def open_tiff(path: str | os.PathLike[str], choice: str = "") -> Stored:
    """The image of a TIFF file.

    What its text tags say is not judged: pixels and structure are.

    Parameters
    ----------
    path : the file
    choice : ``"series=1"`` for the second of several images; empty = the only one

    Raises
    ------
    InputError : not a TIFF file, cut short, several images in one file, an OME text that does not
        fit the file, or damaged
    """
    name = os.fspath(path)
    try:
        with complaints() as found, tifffile.TiffFile(name) as file:
            _check_chain(file, name)
            refuse(found, name)
            reason = _ome_trouble(file, name)
            if not reason:
                stored = _opened(file, choice, name)
                reason = next((text for text in found if "OME series" in text), "")
            if not reason:
                refuse(found, name)
        if reason:
            # The text is not believed: what the pages themselves are can be chosen.
            with complaints() as found, tifffile.TiffFile(name, is_ome=False) as file:
                stored = _opened(file, choice, name, reason.rpartition("> ")[2])
                refuse(found, name)
    except (InputError, FileNotFoundError, PermissionError):
        raise
    except Exception as error:  # whatever a damaged file makes the parser raise
        raise damaged(name, error) from error
    return stored


def _ome_trouble(file: tifffile.TiffFile, name: str) -> str:
    """Why the OME text of a file cannot be followed; empty if it can, or there is none."""
    if not file.is_ome or not file.ome_metadata:
        return ""
    return ome_contradiction(file.ome_metadata, len(file.pages), os.path.basename(name))


def _opened(file: tifffile.TiffFile, choice: str, name: str, reason: str = "") -> Stored:
    """The chosen image of an open file."""
    series = choose_series(series_of(file), choice, name, reason)
    if series.is_multifile:
        raise InputError(
            "the image is spread over several files", where=name, fix="save it as one file"
        )
    if 0 in series.shape:
        raise InputError("the file holds no image", where=name, found=f"shape {series.shape}")
    stored = _check_extent(file, series, name)
    page = series.keyframe
    alpha = len(page.extrasamples) > 0 and page.extrasamples[-1] in ALPHA and page.axes[-1] == "S"
    return Stored(
        source=_source(file, series, name),
        letters=axes_of(series)[0],
        size=tiff_voxel_size(file),
        alpha=alpha,
        held=lambda _: stored,
    )


def _check_chain(file: tifffile.TiffFile, name: str) -> None:
    """The list of pages must end, with a zero, inside the file."""
    width = file.tiff.offsetsize
    file.filehandle.seek(file.pages.next_page_offset or 0)
    pointer = file.filehandle.read(width)
    if len(pointer) < width or any(pointer):
        raise damaged(name, f"the list of pages breaks off after {len(file.pages)} planes")


def _check_extent(file: tifffile.TiffFile, series: tifffile.TiffPageSeries, name: str) -> int:
    """Every declared voxel must have its bytes inside the file, except those of empty tiles.

    Returns
    -------
    bytes that the voxels take in the file
    """
    end, declared = file.filehandle.size, math.prod(series.shape) * series.dtype.itemsize
    plane = math.prod(series.keyframe.shape) * series.dtype.itemsize
    if series.dataoffset is not None:
        held = max(end - series.dataoffset, 0)
        if held < declared:
            raise damaged(name, f"it says {declared // plane} planes, {held // plane} are readable")
        return declared
    planes, good, stored, filled = declared // plane, 0, 0, 0
    for page in series.pages:
        pieces = _pieces(page, end) if page is not None else None
        if pieces is not None:
            good += 1
            filled += pieces[0]
            stored += pieces[1]
    if good < planes:
        raise damaged(name, f"it says {planes} planes, {good} are readable")
    codec = CODECS.get(int(series.keyframe.compression), "")
    check_chunk(series.keyframe.chunks, series.dtype, name)
    # A tile that is not there is zeros, of which there may be any number.
    present = min(filled * math.prod(series.keyframe.chunks) * series.dtype.itemsize, declared)
    check_ratio(present, stored, file=name, shape=tuple(series.shape), codec=codec)
    return stored


def _pieces(page: Any, end: int) -> tuple[int, int] | None:
    """Strips or tiles of a page that have bytes, and how many; None if one lies outside the file.

    Writers of sparse files leave out the tiles that are empty: their place and length are 0.
    """
    count = math.prod(page.chunked)
    if not len(page.dataoffsets) == len(page.databytecounts) == count:
        return None
    at = np.asarray(page.dataoffsets, np.float64)
    length = np.asarray(page.databytecounts, np.float64)
    empty = (at == 0) & (length == 0)
    if ((at <= 0) | (length <= 0) | (at + length > end))[~empty].any():
        return None
    return int((~empty).sum()), int(length.sum())


def _source(file: tifffile.TiffFile, series: tifffile.TiffPageSeries, name: str) -> Readable:
    """The voxels, with every axis the metadata name, also those of length one."""
    if series.dataoffset is not None:
        dtype = series.dtype.newbyteorder(file.byteorder)
        return MappedTiff(name, axes_of(series)[1], dtype, series.dataoffset)
    store = series.aszarr(level=0, squeeze=False)
    return EncodedTiff(name, zarr.open_array(store, mode="r"), file.filehandle)
