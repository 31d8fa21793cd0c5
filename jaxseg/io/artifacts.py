"""Small results: text, JSON, tables and pictures."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import imagecodecs
import numpy as np
import safetensors.numpy

from jaxseg.io.atomic import atomic_path
from jaxseg.io.bounds import open_plain
from jaxseg.io.stored import damaged

if TYPE_CHECKING:
    import pandas as pd

Name = str | os.PathLike[str]

# A frame of zstd that every reader passes over: what it is, and the 16 bytes that it holds.
HASH_FRAME = (0x184D2A50).to_bytes(4, "little") + (16).to_bytes(4, "little")


def write_text(path: Name, text: str, *, shared: bool = False) -> None:
    """Write a text file, UTF-8.

    Parameters
    ----------
    path : str or path
        An existing file is replaced.
    text : str
        The content.
    shared : bool
        As for :func:`jaxseg.io.atomic_path`.
    """
    with atomic_path(path, shared=shared) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: Name, data: Any, *, shared: bool = False) -> None:
    """Write a JSON file.

    Parameters
    ----------
    path : str or path
        An existing file is replaced.
    data : plain data
        NumPy numbers and arrays, tuples and paths are written as plain values; NaN and infinities,
        which JSON does not have, as null.
    shared : bool
        As for :func:`jaxseg.io.atomic_path`.
    """
    text = json.dumps(plain(data), indent=2, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n", shared=shared)


def write_arrays(path: Name, arrays: Mapping[str, np.ndarray]) -> None:
    """Write named arrays for :func:`read_arrays`; several processes may do so.

    They are safetensors in zstd, with a hash behind: a block has many small arrays, which NumPy's
    format, parsed as Python, reads five times as slowly.
    """
    whole = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    encoded = bytes(imagecodecs.zstd_encode(safetensors.numpy.save(whole), level=1))
    with atomic_path(path, shared=True) as partial:
        partial.write_bytes(encoded + _hash_frame(encoded))


def read_arrays(path: Name) -> dict[str, np.ndarray]:
    """The arrays of a file of :func:`write_arrays`, exactly as they were written.

    Raises
    ------
    InputError : missing, damaged, or not such a file
    """
    try:
        with open_plain(path) as stream:
            content = stream.read()
        size = len(HASH_FRAME) + 16
        encoded, frame = content[:-size], content[-size:]
        if frame != _hash_frame(encoded):
            raise damaged(os.fspath(path), "another content than was written")
        return safetensors.numpy.load(bytes(imagecodecs.zstd_decode(encoded)))
    except (OSError, imagecodecs.ZstdError, safetensors.SafetensorError) as error:
        raise damaged(os.fspath(path), error) from error


def _hash_frame(encoded: bytes) -> bytes:
    return HASH_FRAME + hashlib.blake2b(encoded, digest_size=16).digest()


def write_csv(path: Name, table: pd.DataFrame) -> None:
    """Write a table, comma-separated with one header line and no index; several may do so."""
    with atomic_path(path, shared=True) as partial:
        table.to_csv(partial, index=False)


def write_png(path: Name, picture: np.ndarray) -> None:
    """Write a picture; several processes may do so.

    Parameters
    ----------
    path : file to write
    picture : (Y, X) grey, (Y, X, 3) RGB or (Y, X, 4) RGBA; uint8 or uint16
    """
    encoded = imagecodecs.png_encode(np.ascontiguousarray(picture))
    with atomic_path(path, shared=True) as partial:
        partial.write_bytes(encoded)


def plain(data: Any) -> Any:
    """Data as JSON can hold it.

    >>> plain({"shape": (np.int64(3), 4), "mean": np.float32("nan")})
    {'shape': [3, 4], 'mean': None}
    """
    if isinstance(data, dict):
        return {str(key): plain(value) for key, value in data.items()}
    if isinstance(data, np.ndarray):
        return plain(data.tolist())
    if isinstance(data, (list, tuple)):
        return [plain(item) for item in data]
    if isinstance(data, os.PathLike):
        return os.fspath(data)
    if isinstance(data, np.generic):
        data = data.item()
    if isinstance(data, float) and not math.isfinite(data):
        return None
    return data
