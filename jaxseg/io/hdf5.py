"""Reading a dataset of an HDF5 file, box by box; the file is open only while reading.

Axes come from the attributes ``axistags`` (ilastik), ``axes`` or ``DIMENSION_LABELS``, the size of
a voxel from ``element_size_um``, or from ``resolution`` where a unit stands beside it. Nothing is
read from another file: links and data that lead to one are refused.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from jaxseg.errors import ConfigError, InputError
from jaxseg.io.axes import ASK, UNKNOWN, letter_of
from jaxseg.io.bounds import check_chunk
from jaxseg.io.stored import Stored, damaged
from jaxseg.io.units import Length, lengths

# A path of soft links that is longer leads in a circle.
MOST_LINKS = 16
UNITS = ("unit", "units", "resolution_unit", "resolution_units")


@dataclass(frozen=True)
class Hdf5Array:
    """A dataset that is read by boxes."""

    path: str
    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    chunks: tuple[int, ...] | None

    def __getitem__(self, index: Any) -> np.ndarray:
        h5py = library()
        try:
            with h5py.File(self.path, "r") as file:
                return np.asarray(file[self.name][index])
        except Exception as error:  # whatever damaged chunks make the library raise
            raise damaged(f"{self.path}/{self.name}", error) from error


def open_hdf5(path: Path, inner: str = "") -> Stored:
    """A dataset of an HDF5 file.

    Parameters
    ----------
    path : the file
    inner : name of the dataset, such as ``"volumes/raw"``; empty = the only one

    Raises
    ------
    ConfigError : the package that reads HDF5 is not installed
    InputError : no such dataset, several without a name, damaged, or stored in another file
    """
    h5py = library()
    try:
        with h5py.File(path, "r") as file:
            name = followed(h5py, file, inner) if inner else _only_image(h5py, file, path)
            dataset = file[name]
            if not isinstance(dataset, h5py.Dataset):
                names = ", ".join(list(dataset)[:8])
                raise InputError("a group, not a dataset", where=f"{path}/{inner}", found=names)
            _refuse_elsewhere(dataset, f"{path}/{name}")
            _refuse_filters(h5py, dataset, f"{path}/{name}")
            letters = _letters(dataset)
            size = _voxel_size(dataset, letters)
            stored = dataset.id.get_storage_size()
            source = Hdf5Array(
                os.fspath(path), name, dataset.shape or (), dataset.dtype, dataset.chunks
            )
    except InputError:
        raise
    except Exception as error:  # whatever a damaged file makes the library raise
        raise damaged(os.fspath(path), error) from error
    if 0 in source.shape or len(source.shape) < 2:
        raise InputError("no image", where=f"{path}/{name}", found=f"shape {source.shape}")
    check_chunk(source.chunks or (), source.dtype, f"{path}/{name}")
    return Stored(source, letters, size, held=lambda _: stored)


def hdf5_members(path: Path, group: str = "") -> dict[str, bool]:
    """What lies in a group of an HDF5 file, by name, and whether it is a dataset of an image.

    Parameters
    ----------
    path : the file
    group : name of the group; empty = the outermost

    Returns
    -------
    names to whether they are datasets of at least two axes; none where there is no such group, and
    none of what links to another file

    Raises
    ------
    ConfigError : the package that reads HDF5 is not installed
    InputError : damaged
    """
    h5py, found = library(), {}
    try:
        with h5py.File(path, "r") as file:
            place = file.get(followed(h5py, file, group) if group else "/")
            for name in place if isinstance(place, h5py.Group) else ():
                if isinstance(place.get(name, getlink=True), h5py.ExternalLink):
                    continue
                item = place.get(name)
                if item is not None:
                    axes = getattr(item, "shape", None) or ()
                    found[name] = isinstance(item, h5py.Dataset) and len(axes) >= 2
    except InputError:
        return {}
    except Exception as error:  # whatever a damaged file makes the library raise
        raise damaged(os.fspath(path), error) from error
    return found


def library() -> ModuleType:
    """The package that reads HDF5.

    Raises
    ------
    ConfigError : it is not installed
    """
    try:
        import h5py
    except ImportError as error:
        raise ConfigError(
            "HDF5 files are read with the package h5py", fix="pip install 'jaxseg[io]'"
        ) from error
    return h5py


def _only_image(h5py: ModuleType, file: Any, path: Path) -> str:
    """The name of the only dataset of at least two axes."""
    found: list[str] = []

    def look(name: str, item: Any) -> bool | None:
        if isinstance(item, h5py.Dataset) and len(item.shape or ()) >= 2:
            found.append(name)
        return True if len(found) > 8 else None

    file.visititems(look)  # follows no links to other files
    if len(found) == 1:
        return found[0]
    raise InputError(
        f"the file holds {len(found) if len(found) < 9 else 'many'} datasets",
        where=path,
        expected="one, or its name",
        found=", ".join(f"{name} {file[name].shape}" for name in found[:8]),
        fix=f"name one: {path.name}/{found[0] if found else 'NAME'}",
    )


def followed(h5py: ModuleType, file: Any, inner: str) -> str:
    """The name without soft links on the way.

    Parameters
    ----------
    h5py : the package
    file : opened with it
    inner : name of a group or dataset

    Raises
    ------
    InputError : no such member, or a link to another file
    """
    waiting, done, links = [part for part in inner.split("/") if part], "", 0
    while waiting:
        part = waiting.pop(0)
        place = file[done or "/"]
        link = place.get(part, getlink=True) if isinstance(place, h5py.Group) else None
        links += isinstance(link, h5py.SoftLink)
        if isinstance(link, h5py.ExternalLink) or links > MOST_LINKS:
            raise InputError(
                "a link that leads out of the file, or in a circle",
                where=f"{file.filename}/{inner}",
                fix="copy the data into the file, or name the other file",
            )
        if link is None:
            names = list(place)[:8] if isinstance(place, h5py.Group) else []
            raise InputError(
                f"the file has no member {inner}",
                where=file.filename,
                found=f"{', '.join(names) or 'nothing'} in /{done}",
            )
        if isinstance(link, h5py.SoftLink):
            done = "" if link.path.startswith("/") else done
            waiting = [piece for piece in link.path.split("/") if piece] + waiting
        else:
            done = f"{done}/{part}".lstrip("/")
    return done


def _refuse_elsewhere(dataset: Any, file: str) -> None:
    """Refuse data that lie in other files."""
    other = bool(dataset.external)
    if dataset.is_virtual:
        other |= any(source.file_name != "." for source in dataset.virtual_sources())
    if other:
        raise InputError(
            "the voxels lie in another file",
            where=file,
            fix="copy them into one, or name that file",
        )


def _refuse_filters(h5py: ModuleType, dataset: Any, file: str) -> None:
    """Refuse a compression that is not installed: the library would say so at the first box."""
    made = dataset.id.get_create_plist()
    filters = [made.get_filter(number) for number in range(made.get_nfilters())]
    unknown = [name or code for code, _, _, name in filters if not h5py.h5z.filter_avail(code)]
    if unknown:
        raise InputError(
            "a compression that is not installed",
            where=file,
            found=", ".join(
                item.decode(errors="replace") if isinstance(item, bytes) else f"filter {item}"
                for item in unknown
            ),
            fix="save the dataset with gzip or without compression",
        )


def _letters(dataset: Any) -> str:
    """The axes as attributes name them; to be asked for where they contradict one another."""
    count, attributes = len(dataset.shape or ()), dataset.attrs
    said = {
        "".join(map(letter_of, names))
        for names in (
            _tags(attributes),
            _split(_words(attributes.get("axes"))),
            _words(attributes.get("DIMENSION_LABELS")),
        )
        if len(names) == count and UNKNOWN not in map(letter_of, names)
    }
    if len(said) == 1:
        return said.pop()
    # MATLAB keeps the axes in the reverse of the order in which it shows them.
    return (ASK if said or "MATLAB_class" in attributes else UNKNOWN) * count


def _tags(attributes: Mapping[str, Any]) -> list[str]:
    """The names of ``axistags``, which are JSON."""
    try:
        return [str(axis["key"]) for axis in json.loads(_text(attributes.get("axistags")))["axes"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        return []


def _words(value: Any) -> list[str]:
    """One text, or a list of texts."""
    return [_text(item) for item in np.ravel(value)] if value is not None else []


def _split(words: list[str]) -> list[str]:
    """The letters of one word."""
    return list(words[0].replace(",", "").replace(" ", "")) if len(words) == 1 else words


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def _voxel_size(dataset: Any, letters: str) -> Mapping[str | int, Length]:
    """The length of a voxel, by the letter or number of an axis; empty where nothing is said."""
    attributes = dataset.attrs
    size = _numbers(attributes.get("element_size_um"))
    if len(size) in (2, 3):
        return dict(lengths("ZYX"[-len(size) :], size, "um"))
    steps = _numbers(attributes.get("resolution"))
    kept = [at for at, letter in enumerate(letters) if letter in (*"ZYX", UNKNOWN, ASK)]
    units = next((_words(attributes[name]) for name in UNITS if name in attributes), [])
    if len(steps) == len(letters):
        steps = [steps[at] for at in kept]
        units = [units[at] for at in kept] if len(units) == len(letters) else units
    if len(steps) != len(kept) or len(units) not in (0, 1, len(kept)):
        return {}
    keys = [letters[at] if letters[at] in "ZYX" else at for at in kept]
    return lengths(keys, steps, units)


def _numbers(value: Any) -> list[float]:
    """Numbers of an attribute; none where it holds something else."""
    found = np.ravel(value) if value is not None else np.zeros(0)
    return found.astype(float).tolist() if found.dtype.kind in "uif" else []
