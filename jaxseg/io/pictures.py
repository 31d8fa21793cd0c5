"""Reading PNG and JPEG: values as they are stored, decoded as a whole when a box is read.

What a PNG says about showing its values is left out before it is decoded: a transparent colour adds
no channel, and the values of a palette image are the numbers of its colours, which is what label
images are saved as. Opened as an image, such a picture has the colours of its palette.
"""

from __future__ import annotations

import functools
import math
import os
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import imagecodecs
import numpy as np

from jaxseg.errors import InputError
from jaxseg.io.bounds import check_chunk, check_ratio
from jaxseg.io.stored import Stored, damaged

PNG_HEAD = struct.Struct(">IIBB")
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_SIGNATURE = b"\xff\xd8"
# Samples per pixel of the kinds of PNG, and the bits that one may have.
PNG_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
PNG_BITS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
PALETTE, WITH_ALPHA = 3, (4, 6)
LARGEST_PALETTE = 3 * 256
# Where the bits and the kind stand in the first chunk.
DEPTH_AT, KIND_AT = 8, 9
# Segments of JPEG that tell the size: all of these but tables.
JPEG_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
SCAN, END = 0xDA, 0xD9
# A marker within coded data that is neither a zero after a byte of 255 nor a restart.
MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])", re.DOTALL)


@dataclass(frozen=True)
class Picture:
    """An image that is decoded when it is read; those read last are kept."""

    path: str
    shape: tuple[int, ...]
    dtype: np.dtype

    def __getitem__(self, index: Any) -> np.ndarray:
        try:
            pixels = _decoded(self.path, os.stat(self.path).st_mtime_ns)
        except (OSError, ValueError, RuntimeError, MemoryError) as error:
            raise damaged(self.path, error) from error
        if pixels.shape != self.shape or pixels.dtype != self.dtype:
            raise damaged(self.path, f"{pixels.shape} {pixels.dtype} in place of {self.shape}")
        return pixels[index]


@functools.lru_cache(maxsize=2)
def _decoded(path: str, stamp: int) -> np.ndarray:
    """The pixels of the version of a file that was written at some time."""
    with open(path, "rb") as file:
        content = file.read()
    if content.startswith(PNG_SIGNATURE):
        plain, largest = plain_png(content)
        pixels = imagecodecs.png_decode(plain)
        # Values of fewer than 8 bits come spread over 0 to 255.
        pixels = pixels // (255 // largest) if largest < 255 else pixels
    else:
        pixels = imagecodecs.jpeg8_decode(content)
    pixels.flags.writeable = False
    return pixels


def open_png(path: str | os.PathLike[str], inner: str = "") -> Stored:
    """The image of a PNG file: grey, colours or a palette, of 1 to 16 bit, also with opacity.

    Raises
    ------
    InputError : not PNG, or damaged
    """
    name = os.fspath(path)
    with open(name, "rb") as file:
        head, end = file.read(8), os.fstat(file.fileno()).st_size
        if head != PNG_SIGNATURE:
            raise damaged(name, "no PNG header")
        kinds = _first_chunks(file)
    header = kinds.get(b"IHDR", b"")
    if len(header) < PNG_HEAD.size:
        raise damaged(name, "no PNG header")
    width, height, depth, kind = PNG_HEAD.unpack(header[: PNG_HEAD.size])
    if depth not in PNG_BITS.get(kind, ()):
        raise damaged(name, f"kind {kind} with {depth} bit, which PNG does not have")
    samples = PNG_SAMPLES[kind]
    packed = height * -(-width * samples * depth // 8)
    shape = (height, width, samples) if samples > 1 else (height, width)
    dtype = np.dtype("u2" if depth == 16 else "u1")
    _check(name, shape, dtype, packed, end, "deflate")
    palette = np.frombuffer(kinds.get(b"PLTE", b""), np.uint8)
    if kind == PALETTE and (not palette.size or palette.size % 3):
        raise damaged(name, "no palette")
    return Stored(
        Picture(name, shape, dtype),
        "YXS"[: len(shape)],
        alpha=kind in WITH_ALPHA,
        palette=palette.reshape(-1, 3) if kind == PALETTE else None,
    )


def _first_chunks(file: Any) -> dict[bytes, bytes]:
    """The chunks before the pixels that are needed, by name."""
    found: dict[bytes, bytes] = {}
    while len(head := file.read(8)) == 8 and head[4:] not in (b"IDAT", b"IEND"):
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        if kind in (b"IHDR", b"PLTE"):
            # Whether they are what was written is found when the pixels are read.
            found[kind] = file.read(min(length, LARGEST_PALETTE))
            file.seek(4, os.SEEK_CUR)
        else:
            file.seek(length + 4, os.SEEK_CUR)
    return found


def plain_png(content: bytes) -> tuple[bytes, int]:
    """A PNG without what it says about showing its values, and the largest value it can have.

    A palette image becomes a grey one of the numbers of its colours.

    Raises
    ------
    ValueError : chunks that are not sound
    """
    kept, largest = [PNG_SIGNATURE], 255
    for kind, data in _chunks(content):
        if kind == b"IHDR":
            largest = 2 ** min(data[DEPTH_AT], 8) - 1
            if data[KIND_AT] == PALETTE:
                data = data[:KIND_AT] + b"\0" + data[KIND_AT + 1 :]
        if kind in (b"IHDR", b"IDAT", b"IEND"):
            check = zlib.crc32(kind + data).to_bytes(4, "big")
            kept.append(len(data).to_bytes(4, "big") + kind + data + check)
    return b"".join(kept), largest


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Names and contents of the chunks up to the last."""
    at = len(PNG_SIGNATURE)
    while True:
        length, kind = int.from_bytes(content[at : at + 4], "big"), content[at + 4 : at + 8]
        data = content[at + 8 : at + 8 + length]
        check = content[at + 8 + length : at + 12 + length]
        if len(check) < 4 or zlib.crc32(kind + data) != int.from_bytes(check, "big"):
            raise ValueError(f"the chunk {kind!r} is cut short or not what was written")
        yield kind, data
        if kind == b"IEND":
            return
        at += 12 + length


def open_jpeg(path: str | os.PathLike[str], inner: str = "") -> Stored:
    """The image of a JPEG file; its compression changed the values, so it is none for labels.

    What follows the end of the picture does not matter.

    Raises
    ------
    InputError : not JPEG, cut short, or not grey or RGB of 8 bit
    """
    name = os.fspath(path)
    with open(name, "rb") as file:
        content = file.read()
    if not content.startswith(JPEG_SIGNATURE):
        raise damaged(name, "no JPEG header")
    try:
        depth, height, width, samples = _jpeg_frame(content)
    except (struct.error, IndexError) as error:
        raise damaged(name, error) from error
    if depth != 8 or samples not in (1, 3):
        found = f"{depth} bit, {samples} samples"
        raise InputError("not a JPEG of grey or RGB of 8 bit", where=name, found=found)
    shape = (height, width, samples) if samples > 1 else (height, width)
    dtype = np.dtype(np.uint8)
    _check(name, shape, dtype, math.prod(shape), len(content), "jpeg")
    return Stored(Picture(name, shape, dtype), "YXS"[: len(shape)])


def _jpeg_frame(content: bytes) -> tuple[int, int, int, int]:
    """Bits, rows, columns and samples per pixel, once the picture is found to end.

    Raises
    ------
    struct.error : no such segment, or no end: the decoder fills what is missing with grey
    """
    at, frame = 2, None
    while True:
        mark, kind, length = struct.unpack_from(">BBH", content, at)
        if mark != 0xFF:
            raise struct.error("no marker where a segment begins")
        if kind == 0xFF:  # a byte that fills
            at += 1
            continue
        if kind in JPEG_FRAMES and frame is None:
            frame = struct.unpack_from(">BHHB", content, at + 4)
        at += 2 + length
        if kind == SCAN:
            marker = MARKER.search(content, at)
            if marker is None or frame is None:
                raise struct.error("its end is missing")
            if marker.group(1)[0] == END:
                return frame
            at = marker.start()


def _check(
    name: str, shape: tuple[int, ...], dtype: np.dtype, packed: int, end: int, codec: str
) -> None:
    """Refuse a picture whose size exhausts the memory, or that has none."""
    declared = math.prod(shape) * dtype.itemsize
    if declared == 0:
        raise InputError("the file holds no image", where=name, found=f"shape {shape}")
    check_ratio(packed, end, file=name, shape=shape, codec=codec)
    check_chunk(shape, dtype, name)
