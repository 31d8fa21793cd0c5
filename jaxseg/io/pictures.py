"""Reading PNG and JPEG: grey and colours, decoded as a whole when a box is read."""

from __future__ import annotations

import functools
import math
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import imagecodecs
import numpy as np

from jaxseg.errors import InputError
from jaxseg.io.stored import Stored, damaged
from jaxseg.io.tiff import FREE_BYTES, MAX_RATIO

PNG_HEAD = struct.Struct(">8s4x4sIIBB")
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Samples per pixel of the kinds of PNG whose samples are intensities.
PNG_SAMPLES = {0: 1, 2: 3, 6: 4}
PNG_OTHERS = {3: "a palette, whose values are numbers of colours", 4: "grey with transparency"}
# Segments of JPEG that tell the size: all of these but tables.
JPEG_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


@dataclass(frozen=True)
class Picture:
    """An image that is decoded when it is read; those read last are kept."""

    path: str
    shape: tuple[int, ...]
    dtype: np.dtype

    def __getitem__(self, index: Any) -> np.ndarray:
        try:
            pixels = _decoded(self.path, os.stat(self.path).st_mtime_ns)
        except (OSError, ValueError, RuntimeError) as error:
            raise damaged(self.path, error) from error
        if pixels.shape != self.shape or pixels.dtype != self.dtype:
            raise damaged(self.path, f"{pixels.shape} {pixels.dtype} in place of {self.shape}")
        return pixels[index]


@functools.lru_cache(maxsize=2)
def _decoded(path: str, stamp: int) -> np.ndarray:
    """The pixels of the version of a file that was written at some time."""
    with open(path, "rb") as file:
        content = file.read()
    decode: Callable[[bytes], np.ndarray] = (
        imagecodecs.png_decode if content.startswith(PNG_SIGNATURE) else imagecodecs.jpeg8_decode
    )
    pixels = decode(content)
    pixels.flags.writeable = False
    return pixels


def open_png(path: str | os.PathLike[str]) -> Stored:
    """The image of a PNG file.

    Raises
    ------
    InputError : not PNG, damaged, or of a kind whose values are no intensities
    """
    name = os.fspath(path)
    with open(name, "rb") as file:
        head, end = file.read(PNG_HEAD.size), os.fstat(file.fileno()).st_size
    if len(head) < PNG_HEAD.size or not head.startswith(PNG_SIGNATURE) or head[12:16] != b"IHDR":
        raise damaged(name, "no PNG header")
    _, _, width, height, depth, kind = PNG_HEAD.unpack(head)
    if kind not in PNG_SAMPLES or depth not in (8, 16):
        raise InputError(
            "a PNG whose values are no intensities or labels",
            file=name,
            expected="grey, RGB or RGBA of 8 or 16 bit",
            found=PNG_OTHERS.get(kind, f"{depth} bit"),
            fix="save it as grey, or as RGB, of 8 or 16 bit",
        )
    return _stored(name, (height, width, PNG_SAMPLES[kind]), np.dtype(f"u{depth // 8}"), end)


def open_jpeg(path: str | os.PathLike[str]) -> Stored:
    """The image of a JPEG file; its compression changed the values, so it is none for labels.

    Raises
    ------
    InputError : not JPEG, cut short, or not grey or RGB of 8 bit
    """
    name = os.fspath(path)
    with open(name, "rb") as file:
        content = file.read()
    # The decoder fills what is missing at the end with grey.
    if not content.startswith(b"\xff\xd8") or b"\xff\xd9" not in content[-64:]:
        raise damaged(name, "no JPEG, or its end is missing")
    try:
        depth, height, width, samples = _jpeg_frame(content)
    except struct.error as error:
        raise damaged(name, error) from error
    if depth != 8 or samples not in (1, 3):
        found = f"{depth} bit, {samples} samples"
        raise InputError("not a JPEG of grey or RGB of 8 bit", file=name, found=found)
    return _stored(name, (height, width, samples), np.dtype(np.uint8), len(content))


def _jpeg_frame(content: bytes) -> tuple[int, int, int, int]:
    """Bits, rows, columns and samples per pixel.

    Raises
    ------
    struct.error : no such segment
    """
    at = 2
    while True:
        mark, kind, length = struct.unpack_from(">BBH", content, at)
        if mark != 0xFF:
            raise struct.error("no marker where a segment begins")
        if kind in JPEG_FRAMES:
            return struct.unpack_from(">BHHB", content, at + 4)
        at += 1 if kind == 0xFF else 2 + length


def _stored(name: str, shape: tuple[int, int, int], dtype: np.dtype, end: int) -> Stored:
    """A picture, unless its size exhausts the memory or it has none."""
    declared = math.prod(shape) * dtype.itemsize
    if 0 in shape or declared > max(MAX_RATIO * end, FREE_BYTES):
        what = f"the file claims to unpack to {declared / 2**30:.1f} GiB"
        raise InputError(what, file=name, found=shape)
    kept = shape if shape[2] > 1 else shape[:2]
    return Stored(Picture(name, kept, dtype), "YXC"[: len(kept)], {})
