"""Reading Zarr: plain arrays of format 2 and 3, and the full resolution of OME-NGFF images."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import zarr

from jaxseg.errors import InputError
from jaxseg.io.axes import UNKNOWN
from jaxseg.io.stored import Stored, ZarrArray, damaged
from jaxseg.io.units import voxel_size

METADATA = ("zarr.json", ".zarray", ".zgroup")
# Attribute of the stores that this library publishes: in them a chunk that is not there is lost,
# while in others it may be one that was never written because it is empty.
COMPLETE = "jaxseg_complete"


def is_zarr(path: str | os.PathLike[str]) -> bool:
    """Whether a folder is a Zarr array or group."""
    return any((Path(path) / name).is_file() for name in METADATA)


def open_zarr(path: str | os.PathLike[str]) -> Stored:
    """The array of a Zarr folder, or of the finest level of an OME-NGFF image.

    Raises
    ------
    InputError : no array or several, damaged metadata, a type that could run code when read, or
        a chunk missing from a store of this library
    """
    root = Path(path)
    try:
        attributes = _attributes(root)
        multiscales = attributes.get("ome", attributes).get("multiscales")
        level = _level_path(root, multiscales)
        array = _open_array(level)
        if multiscales:
            letters, size = _ome_axes(multiscales[0], len(array.shape), str(root))
        else:
            letters, size = _named_axes(array), {}
    except InputError:
        raise
    except Exception as error:  # whatever malformed metadata make the parsers raise
        raise damaged(str(root), error) from error
    if attributes.get(COMPLETE) and array.nchunks_initialized < array.nchunks:
        missing = array.nchunks - array.nchunks_initialized
        raise damaged(str(root), f"{missing} of {array.nchunks} chunks are missing")
    if len(letters) != len(array.shape) or 0 in array.shape:
        raise InputError(
            "the axes do not fit the array", file=root, found=f"{letters}, {array.shape}"
        )
    return Stored(ZarrArray(array, str(root)), letters, size)


def _read_json(path: Path) -> dict[str, Any]:
    """A metadata document; empty if there is none."""
    if not path.is_file():
        return {}
    try:
        document = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise damaged(str(path), error) from error
    if not isinstance(document, dict):
        raise damaged(str(path), "not a JSON object")
    return document


def _attributes(root: Path) -> dict[str, Any]:
    """User attributes of an array or group of either format."""
    return _read_json(root / "zarr.json").get("attributes", {}) | _read_json(root / ".zattrs")


def _level_path(root: Path, multiscales: Any) -> Path:
    """Folder of the array to read: the store itself, its finest level, or its only member."""
    if (root / ".zarray").is_file() or _read_json(root / "zarr.json").get("node_type") == "array":
        return root
    if multiscales:
        level = root / str(multiscales[0]["datasets"][0]["path"])
        if root.resolve() not in level.resolve().parents:
            raise InputError("a level that lies outside the store", file=root, found=level)
        return level
    members = sorted(item for item in root.iterdir() if item.is_dir() and is_zarr(item))
    if len(members) == 1:
        return _level_path(members[0], _attributes(members[0]).get("multiscales"))
    raise InputError(
        "the store holds no OME-NGFF image and not exactly one array",
        file=root,
        found=", ".join(item.name for item in members[:8]) or "nothing",
        fix="give the path of one array inside it",
    )


def _open_array(level: Path) -> zarr.Array:
    """Open an array after looking at its metadata: some codecs run code when they are made."""
    document = _read_json(level / ".zarray") or _read_json(level / "zarr.json")
    codecs = [
        document.get("compressor"),
        *(document.get("filters") or ()),
        *(document.get("codecs") or ()),
    ]
    names = {str(item.get("id") or item.get("name")) for item in codecs if isinstance(item, dict)}
    dtype = str(document.get("dtype") or document.get("data_type"))
    if "pickle" in names or dtype in ("|O", "object"):
        raise InputError(
            "the array is stored as Python objects, which is not safe to read",
            file=level,
            expected="numbers",
            found=dtype,
        )
    return zarr.open_array(str(level), mode="r")


def _ome_axes(image: Mapping[str, Any], ndim: int, file: str) -> tuple[str, Mapping[str, float]]:
    """Letters of the axes, and the voxel size in µm where it has a unit."""
    # Versions 0.1 and 0.2 have no list of axes: always five, in this order.
    axes = image.get("axes", list("tczyx") if ndim == 5 else [])
    named = [{"name": item} if isinstance(item, str) else item for item in axes]
    letters = "".join(_letter(item["name"]) for item in named)
    scale = [1.0] * len(named)
    known = False
    for level in (image["datasets"][0], image):
        for transform in level.get("coordinateTransformations", ()):
            if transform.get("type") == "scale":
                scale = [a * b for a, b in zip(scale, transform["scale"], strict=True)]
                known = True
    size: dict[str, float] = {}
    for letter, item, value in zip(letters, named, scale, strict=True):
        if known and letter in "ZYX":
            # Without a unit the specification leaves the length open; µm is what writers mean,
            # except by a scale of 1, which is the placeholder for a scale nobody knew.
            unit = item.get("unit") or ("pixel" if set(scale) == {1.0} else "µm")
            size |= voxel_size({letter: value}, unit, file)
    return letters, size


def _named_axes(array: zarr.Array) -> str:
    """Letters from the dimension names of format 3, or xarray's attribute in format 2."""
    names = getattr(array.metadata, "dimension_names", None)
    names = names or array.attrs.get("_ARRAY_DIMENSIONS") or [None] * len(array.shape)
    return "".join(_letter(name) for name in names)  # type: ignore[union-attr]


def _letter(name: object) -> str:
    """The letter of an axis that has a one-letter name."""
    return name.upper() if isinstance(name, str) and len(name) == 1 else UNKNOWN
