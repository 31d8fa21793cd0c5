"""Sizes of voxels that a file beside a folder of images gives by the names of their files."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

from jaxseg.errors import InputError
from jaxseg.io.names import SIGN

NAME = "resolution.json"
# Bytes: a line for each of a million images.
MOST = 2**26


def size_table(raw: str | os.PathLike[str]) -> Path | None:
    """The table of the sizes of the voxels of a source, if there is one.

    Parameters
    ----------
    raw : folder or file of images, or a pattern; the table lies beside the folder

    Returns
    -------
    path of resolution.json, or None

    >>> size_table("nowhere/raw") is None
    True
    """
    place = Path(os.path.normpath(raw))
    signs = [number for number, part in enumerate(place.parts) if SIGN.search(part)]
    if signs:
        place = Path(*place.parts[: signs[0]])
    folder = place.parent if place.is_file() else place
    table = folder.parent / NAME
    return table if table.is_file() else None


def read_sizes(path: Path, ndim: int) -> dict[str, tuple[float, ...]]:
    """The sizes of a table, (z)yx in µm by the names of files.

    Parameters
    ----------
    path : of a JSON object of lists of three sizes, zyx; two are enough for images of two axes
    ndim : axes of an image

    Returns
    -------
    dict : names to ``ndim`` sizes

    Raises
    ------
    InputError : not such a file
    """
    try:
        if path.stat().st_size > MOST:
            raise ValueError(f"larger than {MOST} bytes")
        table = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"cannot be read as JSON: {error}", where=path) from error
    for name, sizes in (table if isinstance(table, dict) else {"": None}).items():
        if not _are_sizes(sizes, ndim):
            raise InputError(
                "no sizes of voxels",
                where=f"{path}: {name}" if name else path,
                expected='{"a.tif": [1, 0.2, 0.2]}, zyx in µm',
                found=str(sizes)[:80],
            )
    return {name: tuple(map(float, sizes[-ndim:])) for name, sizes in table.items()}


def _are_sizes(sizes: Any, ndim: int) -> bool:
    return (
        isinstance(sizes, list)
        and len(sizes) in (ndim, 3)
        and all(isinstance(one, int | float) and not isinstance(one, bool) for one in sizes)
        and all(math.isfinite(one) and one > 0 for one in sizes)
    )
