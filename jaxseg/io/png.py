"""Reading PNG: grey and colours of 8 or 16 bit, decoded as a whole."""

from __future__ import annotations

import functools
import os
import struct
from dataclasses import dataclass
from typing import Any

import imagecodecs
import numpy as np

from jaxseg.errors import InputError
from jaxseg.io.stored import Stored, damaged
from jaxseg.io.tiff import FREE_BYTES, MAX_RATIO

HEAD = struct.Struct(">8s4x4sIIBB")
SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Samples per pixel of the kinds of PNG whose samples are intensities.
SAMPLES = {0: 1, 2: 3, 6: 4}
OTHERS = {3: "a palette, whose values are numbers of colours", 4: "grey with transparency"}


@dataclass(frozen=True)
class PngImage:
    """An image that is decoded when it is read; the one read last is kept."""

    path: str
    shape: tuple[int, ...]
    dtype: np.dtype

    def __getitem__(self, index: Any) -> np.ndarray:
        try:
            stamp = os.stat(self.path).st_mtime_ns
            pixels = _decoded(self.path, stamp)
        except (OSError, imagecodecs.PngError) as error:
            raise damaged(self.path, error) from error
        if pixels.shape != self.shape or pixels.dtype != self.dtype:
            raise damaged(self.path, f"{pixels.shape} {pixels.dtype} in place of {self.shape}")
        return pixels[index]


@functools.lru_cache(maxsize=2)
def _decoded(path: str, stamp: int) -> np.ndarray:
    """The pixels of the version of a file that was written at some time."""
    with open(path, "rb") as file:
        pixels = imagecodecs.png_decode(file.read())
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
        head, end = file.read(HEAD.size), os.fstat(file.fileno()).st_size
    if len(head) < HEAD.size or not head.startswith(SIGNATURE) or head[12:16] != b"IHDR":
        raise damaged(name, "no PNG header")
    _, _, width, height, depth, kind = HEAD.unpack(head)
    if kind not in SAMPLES or depth not in (8, 16):
        raise InputError(
            "a PNG whose values are no intensities or labels",
            file=name,
            expected="grey, RGB or RGBA of 8 or 16 bit",
            found=OTHERS.get(kind, f"{depth} bit"),
            fix="save it as grey, or as RGB, of 8 or 16 bit",
        )
    shape = (height, width, SAMPLES[kind])[: 2 + (SAMPLES[kind] > 1)]
    dtype = np.dtype(f"u{depth // 8}")
    declared = int(np.prod([int(size) for size in shape])) * dtype.itemsize
    if 0 in shape or declared > max(MAX_RATIO * end, FREE_BYTES):
        raise InputError(
            f"the file claims to unpack to {declared / 2**30:.1f} GiB", file=name, found=shape
        )
    return Stored(PngImage(name, shape, dtype), "YXC"[: len(shape)], {})
