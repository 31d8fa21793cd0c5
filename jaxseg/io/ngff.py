"""Reading Zarr: plain arrays of format 2 and 3, and any level of OME-NGFF images and labels."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import zarr

from jaxseg.errors import InputError
from jaxseg.io.axes import letter_of
from jaxseg.io.stored import Stored, ZarrArray, damaged, read_document
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

    An array that is a level of an image has the axes and the voxel size of that level.

    Raises
    ------
    InputError : no array or several, damaged metadata, a type that could run code when read, or
        a chunk missing from a store of this library
    """
    root = Path(path)
    try:
        found = _find(root)
        array = _open_array(found.folder)
        if found.dataset:
            letters, size = _ome_axes(found.image, found.dataset, len(array.shape), str(root))
        else:
            letters, size = _named_axes(array), {}
    except InputError:
        raise
    except Exception as error:  # whatever malformed metadata make the parsers raise
        raise damaged(str(root), error) from error
    if found.attributes.get(COMPLETE) and array.nchunks_initialized < array.nchunks:
        missing = array.nchunks - array.nchunks_initialized
        raise damaged(str(root), f"{missing} of {array.nchunks} chunks are missing")
    if len(letters) != len(array.shape) or 0 in array.shape:
        raise InputError(
            "the axes do not fit the array", file=root, found=f"{letters}, {array.shape}"
        )
    return Stored(ZarrArray(array, str(root)), letters, size)


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
        level = _inside(root, image["datasets"][0])
        return _Found(level, attributes, image, image["datasets"][0])
    members = sorted(item for item in root.iterdir() if item.is_dir() and is_zarr(item))
    # What bioformats2raw writes beside the images holds metadata only.
    members = [item for item in members if item.name != "OME"]
    if len(members) == 1:
        return _find(members[0])
    raise InputError(
        "the store holds no OME-NGFF image and not exactly one array",
        file=root,
        found=", ".join(item.name for item in members[:8]) or "nothing",
        fix="give the path of one array inside it",
    )


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
        raise InputError("a level that lies outside the store", file=root, found=level)
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
            file=level,
            expected="numbers",
            found=dtype,
        )
    return zarr.open_array(str(level), mode="r")


def _ome_axes(
    image: Mapping[str, Any], dataset: Mapping[str, Any], ndim: int, file: str
) -> tuple[str, Mapping[str | int, float]]:
    """Letters of the axes, and the voxel size of a level in µm where it has a unit."""
    # Versions 0.1 and 0.2 have no list of axes: always five, in this order.
    axes = image.get("axes", list("tczyx") if ndim == 5 else [])
    named = [{"name": item} if isinstance(item, str) else item for item in axes]
    letters = "".join(letter_of(item["name"]) for item in named)
    scale = [1.0] * len(named)
    known = False
    for described in (dataset, image):
        for transform in described.get("coordinateTransformations", ()):
            if transform.get("type") == "scale":
                scale = [a * b for a, b in zip(scale, transform["scale"], strict=True)]
                known = True
    size: dict[str | int, float] = {}
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
    return "".join(letter_of(name) for name in names)  # type: ignore[union-attr]
