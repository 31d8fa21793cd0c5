"""Reading N5 and Neuroglancer precomputed, box by box.

Both count axes from the fastest, x first; here they come in the order of all other formats, slowest
first. N5 names no axes unless its writer does; precomputed volumes always are x, y, z, channel.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jaxseg.errors import InputError
from jaxseg.io.axes import ASK, UNKNOWN, letter_of
from jaxseg.io.bounds import check_chunk, folder_bytes, refuse_others
from jaxseg.io.stored import Stored, damaged, read_document
from jaxseg.io.units import Length, lengths, positions, unreadable

Size = Mapping[str | int, Length]

# What the attributes of a container or dataset of N5 tell.
N5 = {"n5", "dimensions"}
LAYOUT = ("dimensions", "blockSize", "dataType", "compression")
# Groups in groups that are looked through for a dataset.
DEEPEST = 6


@dataclass(frozen=True)
class TensorStoreArray:
    """An array of TensorStore that names the file in errors."""

    array: Any
    path: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of every axis."""
        return tuple(self.array.shape)

    @property
    def dtype(self) -> np.dtype:
        """Element type."""
        return np.dtype(self.array.dtype.numpy_dtype)

    @property
    def chunks(self) -> tuple[int, ...]:
        """Shape of a chunk."""
        return tuple(self.array.chunk_layout.read_chunk.shape)

    def __getitem__(self, index: Any) -> np.ndarray:
        try:
            return np.asarray(self.array[index].read().result())
        except Exception as error:  # whatever damaged chunks make the library raise
            raise damaged(self.path, error) from error


def is_n5(path: Path) -> bool:
    """Whether a folder is a container or dataset of N5."""
    said = _document(path / "attributes.json")
    return path.is_dir() and (path.name.lower().endswith(".n5") or not said.keys().isdisjoint(N5))


def _document(path: Path) -> dict[str, Any]:
    """A document in JSON of a name that other programs use, too; empty if it is not one."""
    try:
        return read_document(path)
    except (InputError, OSError):
        return {}


def precomputed_root(path: Path) -> Path | None:
    """The folder that describes a precomputed volume: this one, or the one of this scale."""
    for place in (path, *path.parents[:3]):
        document = _document(place / "info")
        if isinstance(document.get("scales"), list) and (
            place == path or _scale(document, place, path)
        ):
            return place
    return None


def open_n5(path: Path, inner: str = "") -> Stored:
    """A dataset of N5: this one, the only one below, or the finest of one image.

    Parameters
    ----------
    path : of the container, or of a group or dataset in it
    inner : path behind it

    Raises
    ------
    InputError : no dataset or several, or damaged
    """
    path = path / inner
    found = list(_datasets(path, DEEPEST))
    if len(found) != 1:
        names = ", ".join(str(item.relative_to(path)) for item in found[:8])
        raise InputError(
            "not exactly one dataset",
            where=path,
            found=names or "none",
            fix=f"name one: {path.name}/{found[0].relative_to(path)}" if found else "",
        )
    folder = found[0]
    document = read_document(folder / "attributes.json")
    if document.get("isLabelMultiset"):
        raise InputError(
            "several labels per voxel", where=folder, fix="export one label per voxel from Paintera"
        )
    # TensorStore refuses datasets whose other attributes are not as it writes them.
    described = {name: document[name] for name in LAYOUT if name in document}
    # The first version of N5 had a name in place of an object.
    described.setdefault("compression", {"type": str(document.get("compressionType"))})
    spec = {"driver": "n5", "kvstore": _place(folder), "metadata": described}
    source = _opened(spec, folder, assume_metadata=True)
    try:
        letters = _n5_letters(document, len(source.shape))
        size = _n5_size(document, read_document(folder.parent / "attributes.json"), letters)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise damaged(str(folder), error) from error
    return _checked(Stored(source, letters, size), folder)


def open_precomputed(path: Path, inner: str = "") -> Stored:
    """A scale of a precomputed volume: the one whose folder is named, or the finest.

    Parameters
    ----------
    path : of the volume, or of a scale
    inner : path behind it

    Raises
    ------
    InputError : no such scale, or damaged
    """
    path = path / inner
    root = precomputed_root(path) or path
    document = read_document(root / "info")
    try:
        scale = (_scale(document, root, path) if root != path else None) or document["scales"][0]
        key, resolution = str(scale["key"]), [float(step) for step in scale["resolution"]]
        number = document["scales"].index(scale)
    except (TypeError, ValueError, KeyError, IndexError) as error:
        raise damaged(str(root / "info"), error) from error
    if root.resolve() not in (root / key).resolve().parents:
        raise InputError("a scale that lies outside the volume", where=root, found=key)
    spec = {
        "driver": "neuroglancer_precomputed",
        "kvstore": _place(root),
        "scale_index": number,
    }
    size = lengths("XYZ", resolution, "nm") if len(resolution) == 3 else {}
    offset = scale.get("voxel_offset")
    places = dict(zip("XYZ", offset, strict=False)) if isinstance(offset, list) else {}
    origin = positions(size, places, voxels=True)
    return _checked(Stored(_opened(spec, root), "CZYX", size, origin), root)


def _place(folder: Path) -> dict[str, str]:
    return {"driver": "file", "path": f"{folder.resolve()}{os.sep}"}


def _opened(
    spec: dict[str, Any], folder: Path, *, assume_metadata: bool = False
) -> TensorStoreArray:
    """Open read-only, with the slowest axis first and the first voxel at 0.

    With ``assume_metadata`` only those of the description count, and no file is read for them.
    """
    import tensorstore as ts

    try:
        array = ts.open(spec, read=True, open=True, assume_metadata=assume_metadata).result()
    except Exception as error:  # whatever damaged metadata make the library raise
        raise damaged(str(folder), error) from error
    return TensorStoreArray(array[ts.d[:].translate_to[0]].T, str(folder))


def _checked(stored: Stored, folder: Path) -> Stored:
    if math.prod(stored.source.shape) == 0:
        raise InputError("no image", where=folder, found=f"shape {stored.source.shape}")
    check_chunk(stored.source.chunks, stored.source.dtype, folder)  # type: ignore[attr-defined]
    # TensorStore opens what has the name of a chunk, and would wait for a pipe.
    refuse_others(folder)
    return stored._replace(held=folder_bytes(folder))


def _scale(document: Mapping[str, Any], root: Path, path: Path) -> Mapping[str, Any] | None:
    """The scale of a precomputed volume that a folder holds."""
    name = path.relative_to(root).as_posix()
    scales = (item for item in document["scales"] if isinstance(item, dict))
    return next((item for item in scales if item.get("key") == name), None)


def _datasets(folder: Path, depth: int) -> Iterator[Path]:
    """Datasets in and below a folder; of an image with several scales only the finest."""
    for place in (folder, folder / "s0"):
        if "dimensions" in read_document(place / "attributes.json"):
            yield place
            return
    if depth:
        for child in sorted(item for item in folder.iterdir() if item.is_dir()):
            yield from _datasets(child, depth - 1)


def _n5_letters(document: Mapping[str, Any], count: int) -> str:
    """Names of the axes, slowest first."""
    transform = document.get("transform") or {}
    slowest_first = [letter_of(name) for name in transform.get("axes") or ()]
    if len(slowest_first) == count and UNKNOWN not in slowest_first:
        return "".join(slowest_first)
    fastest_first = "".join(letter_of(name) for name in document.get("axes") or ())
    if len(fastest_first) != count or UNKNOWN in fastest_first:
        return UNKNOWN * count
    # Some writers list them the other way round: then nobody can know.
    return fastest_first[::-1] if fastest_first.startswith("XY") else ASK * count


def _n5_size(document: Mapping[str, Any], group: Mapping[str, Any], letters: str) -> Size:
    """The length of a voxel, by the letter or the number of an axis."""
    transform = document.get("transform") or {}
    if len(transform.get("scale") or ()) == len(letters):
        return _sizes(letters, transform["scale"], transform.get("units"))
    for place in (document, group):
        said: Any = place.get("pixelResolution") or place.get("resolution")
        units: Any = place.get("units") or place.get("unit")
        if isinstance(said, dict):
            said, units = said.get("dimensions"), said.get("unit")
        if isinstance(said, list) and len(said) == len(letters):
            factors = document.get("downsamplingFactors") or [1] * len(said)
            if not isinstance(factors, list) or len(factors) != len(said):
                return _sizes(letters, [], None)
            steps = [(step, factor) for step, factor in zip(said, factors, strict=True)]
            words = units[::-1] if isinstance(units, list) else units
            return _sizes(letters, steps[::-1], words)
    return {}


def _sizes(letters: str, steps: Sequence[Any], units: Any) -> Size:
    """Numbers, or pairs to multiply, slowest axis first, without axes that are none of space."""
    words = units if isinstance(units, list) else [units] * len(steps)
    kept = [at for at, letter in enumerate(letters) if letter in (*"ZYX", UNKNOWN, ASK)]
    axes = [letters[at] if letters[at] in "ZYX" else at for at in kept]
    try:
        numbers = [math.prod(map(float, np.ravel(steps[at]))) for at in kept]
        return lengths(axes, numbers, [words[at] for at in kept])
    except (TypeError, ValueError, IndexError):
        return unreadable(axes, "the voxel size in the attributes cannot be read")
