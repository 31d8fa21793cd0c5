"""Reading Zarr: plain arrays of format 2 and 3, and any level of OME-NGFF images and labels."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import zarr

from jaxseg.errors import InputError
from jaxseg.io.axes import letter_of
from jaxseg.io.bounds import check_chunk, folder_bytes
from jaxseg.io.ngff_size import ngff_axes
from jaxseg.io.stored import Stored, ZarrArray, damaged, open_zarr_array, read_document

METADATA = ("zarr.json", ".zarray", ".zgroup")
# Attribute of the stores that this library publishes: in them a chunk that is not there is lost,
# while in others it may be one that was never written because it is empty.
COMPLETE = "jaxseg_complete"


def is_zarr(path: str | os.PathLike[str]) -> bool:
    """Whether a folder is a Zarr array or group."""
    return any((Path(path) / name).is_file() for name in METADATA)


def open_zarr(path: str | os.PathLike[str], inner: str = "") -> Stored:
    """The array of a Zarr folder, or of the finest level of an OME-NGFF image.

    An array that is a level of an image has the axes and the voxel size of that level.

    Parameters
    ----------
    path : of the store
    inner : path of an array, image or label image in it; empty = the store itself

    Raises
    ------
    InputError : no array or several, damaged metadata, a type that could run code when read, more
        voxels than can be read, or a chunk missing from a store of this library
    """
    root = Path(path, inner) if inner else Path(path)
    try:
        found = _find(root)
        array = _open_array(found.folder)
        letters, size, origin = (
            ngff_axes(found.image, found.dataset, len(array.shape))
            if found.dataset
            else (_named_axes(array), {}, {})
        )
    except InputError:
        raise
    except Exception as error:  # whatever malformed metadata make the parsers raise
        raise damaged(str(root), error) from error
    if len(letters) != len(array.shape) or len(letters) < 2 or 0 in array.shape:
        raise InputError(
            "the axes do not fit the array", where=root, found=f"{letters}, {array.shape}"
        )
    check_chunk(array.chunks, array.dtype, root)
    if found.attributes.get(COMPLETE) and array.nchunks_initialized < array.nchunks:
        missing = array.nchunks - array.nchunks_initialized
        raise damaged(str(root), f"{missing} of {array.nchunks} chunks are missing")
    held = folder_bytes(found.folder)
    return Stored(ZarrArray(array, str(root)), letters, size, origin, held=held)


def _attributes(root: Path) -> dict[str, Any]:
    """User attributes of an array or group of either format."""
    return read_document(root / "zarr.json").get("attributes", {}) | read_document(root / ".zattrs")


class _Found(NamedTuple):
    """An array, and what describes it: the attributes of its image, or of itself."""

    folder: Path
    attributes: Mapping[str, Any]
    image: Mapping[str, Any]
    dataset: Mapping[str, Any]


def _find(root: Path) -> _Found:
    """The array to read: the one named, the finest level of the image named, or its only member."""
    if (root / ".zarray").is_file() or read_document(root / "zarr.json").get(
        "node_type"
    ) == "array":
        return _as_level(root) or _Found(root, _attributes(root), {}, {})
    attributes = _attributes(root)
    for image in _images(attributes):
        # Writers must list the finest level first, and some do not.
        levels = [(_inside(root, item), item) for item in image["datasets"]]
        level, dataset = max(levels, key=lambda found: _voxels(found[0]))
        return _Found(level, attributes, image, dataset)
    members = sorted(item for item in root.iterdir() if item.is_dir() and is_zarr(item))
    # What bioformats2raw writes beside the images holds metadata only.
    members = [item for item in members if item.name != "OME"]
    if len(members) == 1:
        return _find(members[0])
    names = [item.name for item in members]
    raise InputError(
        "the store holds no OME-NGFF image and not exactly one array",
        where=root,
        found=", ".join(names[:8]) or "nothing",
        fix=f"give the path of one: {root.name}/{names[0]}, or a pattern for several: {root.name}/*"
        if names
        else "",
    )


def _voxels(level: Path) -> int:
    """Number of voxels of an array; 0 where its metadata do not tell."""
    try:
        document = read_document(level / ".zarray") or read_document(level / "zarr.json")
        return math.prod(int(size) for size in document["shape"])
    except (InputError, OSError, KeyError, TypeError, ValueError):
        return 0


def _as_level(array: Path) -> _Found | None:
    """An array that is a level of an image around it."""
    for group in array.parents[:3]:
        attributes = _attributes(group)
        for image in _images(attributes):
            for dataset in image["datasets"]:
                if (group / str(dataset["path"])).resolve() == array.resolve():
                    return _Found(array, attributes, image, dataset)
    return None


def _images(attributes: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The images that a group describes."""
    return attributes.get("ome", attributes).get("multiscales") or []


def _inside(root: Path, dataset: Mapping[str, Any]) -> Path:
    level = root / str(dataset["path"])
    if root.resolve() not in level.resolve().parents:
        raise InputError("a level that lies outside the store", where=root, found=level)
    return level


def _open_array(level: Path) -> zarr.Array:
    """Open an array after looking at its metadata: some codecs run code when they are made."""
    document = read_document(level / ".zarray") or read_document(level / "zarr.json")
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
            where=level,
            expected="numbers",
            found=dtype,
        )
    return open_zarr_array(level, "r")


def _named_axes(array: zarr.Array) -> str:
    """Letters from the dimension names of format 3, or xarray's attribute in format 2."""
    names = getattr(array.metadata, "dimension_names", None)
    names = names or array.attrs.get("_ARRAY_DIMENSIONS") or [None] * len(array.shape)
    return "".join(letter_of(name) for name in names)  # type: ignore[union-attr]
