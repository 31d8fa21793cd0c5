"""Arrays of annotations in Zarr stores and HDF5 files, and attributes of images in them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import zarr

from jaxseg.config.synapses import Synapses
from jaxseg.errors import InputError, JaxsegError, raise_all
from jaxseg.io.hdf5 import followed, library
from jaxseg.io.names import container_of
from jaxseg.io.stored import damaged


class Annotations(NamedTuple):
    """What a container says about sites.

    Parameters
    ----------
    ids : (n,) int64
    types : (n,) str, or None
    locations : (n, ndim) float64
    partners : (pairs, 2) int64
    offset : (ndim,) float64 of all locations
    """

    ids: np.ndarray
    types: np.ndarray | None
    locations: np.ndarray
    partners: np.ndarray
    offset: np.ndarray


def read_annotations(path: str | Path, options: Synapses, ndim: int) -> Annotations:
    """The arrays of a container.

    Parameters
    ----------
    path : Zarr store or HDF5 file
    options : names of the datasets
    ndim : length of a location

    Raises
    ------
    InputError : datasets that are not there, or not of the shape and type that they must have
    """
    problems: list[JaxsegError] = []
    with _opened(Path(path)) as root:

        def read(field: str, form: tuple[int | None, ...], kinds: str, what: str) -> Any:
            name = getattr(options, field)
            try:
                return _read(root, path, name, form, kinds, what, field)
            except JaxsegError as problem:
                problems.append(problem)
                return None

        ids = read("ids", (None,), "iu", "whole numbers")
        locations = read("locations", (None, ndim), "iuf", "numbers")
        partners = read("partners", (None, 2), "iu", "whole numbers")
        types = read("types", (None,), "OSUT", "texts") if options.types else None
        offset = _offset(root, options.locations)
    if ids is not None:
        for name, values in (("types", types), ("locations", locations)):
            if values is not None and len(values) != len(ids):
                problems.append(
                    InputError("not one entry for every id",
                               where=f"{path}/{getattr(options, name)}",
                               expected=len(ids), found=len(values))
                )  # fmt: skip
    if offset is not None and (len(offset) != ndim or not np.isfinite(offset).all()):
        problems.append(
            InputError("not an offset", where=f"{path}/{options.locations}",
                       expected=f"{ndim} numbers", found=offset.tolist())
        )  # fmt: skip
    if locations is not None and not np.isfinite(locations.astype(float)).all():
        problems.append(InputError("locations that are no finite numbers",
                                   where=f"{path}/{options.locations}"))  # fmt: skip
    raise_all(problems)
    begin = np.zeros(ndim) if offset is None else offset
    return Annotations(_int64(ids, path, options.ids), types, locations.astype(float),
                       _int64(partners, path, options.partners), begin)  # fmt: skip


class ImageAttributes(NamedTuple):
    """What the attributes of an image say; None = nothing.

    Parameters
    ----------
    resolution : size of a voxel
    offset : where the first voxel begins
    """

    resolution: tuple[float, ...] | None
    offset: tuple[float, ...] | None


def image_attributes(path: str | Path) -> ImageAttributes:
    """The attributes ``resolution`` and ``offset`` of an image in a Zarr store or HDF5 file.

    Parameters
    ----------
    path : of the image, which leads into a container

    Returns
    -------
    ImageAttributes
        Nothing of other files.
    """
    place = Path(path)
    container = container_of(place)
    if not _is_container(container):
        return ImageAttributes(None, None)
    with _opened(container) as root:
        inner = place.relative_to(container).as_posix()
        said = root.attrs if inner == "." else root[inner].attrs
        found = [_numbers(said.get(name)) for name in ("resolution", "offset")]
    return ImageAttributes(*(None if one is None else tuple(one.tolist()) for one in found))


def _is_container(path: Path) -> bool:
    """Whether a path is an HDF5 file or a Zarr store."""
    if path.is_dir():
        return any((path / name).exists() for name in ("zarr.json", ".zgroup", ".zarray"))
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(8) == b"\x89HDF\r\n\x1a\n"


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The root of a container, which is read only."""
    if not path.exists():
        raise InputError("no such file or folder", where=path)
    if not _is_container(path):
        raise InputError("not a container of annotations", where=path,
                         expected="a Zarr store or an HDF5 file",
                         fix="or give a folder with NAME_pre.csv and NAME_post.csv")  # fmt: skip
    if path.is_dir():
        try:
            root = zarr.open(path, mode="r")
        except Exception as error:  # whatever damaged metadata make the library raise
            raise damaged(str(path), error) from error
        yield root
        return
    try:
        file = library().File(path, "r")
    except OSError as error:
        raise damaged(str(path), error) from error
    with file:
        yield file


def _read(
    root: Any,
    path: str | Path,
    name: str,
    form: tuple[int | None, ...],
    kinds: str,
    what: str,
    field: str,
) -> np.ndarray:
    """One dataset."""
    try:
        dataset = root[name]
        shape = dataset.shape
    except (KeyError, AttributeError):
        raise InputError(
            "a dataset is missing", where=path, expected=name, found=_members(root, name),
            fix=f"--synapses.{field} NAME, if it has another one",
        ) from None  # fmt: skip
    if not isinstance(root, zarr.Group):
        # Nothing is read from another file.
        followed(library(), root, name)
    fits = len(shape) == len(form) and all(
        wanted in (None, size) for wanted, size in zip(form, shape, strict=True)
    )
    if not fits:
        text = " x ".join("n" if size is None else str(size) for size in form)
        raise InputError("a dataset of another shape", where=f"{path}/{name}", expected=text,
                         found=tuple(shape))  # fmt: skip
    try:
        values = np.asarray(dataset[...])
    except Exception as error:  # whatever damaged chunks make the library raise
        raise damaged(f"{path}/{name}", error) from error
    if values.dtype.kind not in kinds:
        raise InputError("a dataset of another type", where=f"{path}/{name}", expected=what,
                         found=values.dtype)  # fmt: skip
    if kinds != "OSUT":
        return values
    texts = [one.decode(errors="replace") if isinstance(one, bytes) else str(one) for one in values]
    return np.array(texts, str).reshape(len(values))


def _members(root: Any, name: str) -> str:
    """What there is where a dataset should be."""
    place, done = root, ""
    for part in name.split("/"):
        try:
            place, done = place[part], f"{done}/{part}"
        except (KeyError, AttributeError, IndexError, ValueError):
            break
    names = sorted(place) if hasattr(place, "keys") else []
    return f"{', '.join(names[:8]) or 'nothing'} in {done or '/'}"


def _offset(root: Any, locations: str) -> np.ndarray | None:
    """The attribute of the locations, or of the group that they lie in."""
    for name in (locations, locations.rpartition("/")[0]):
        try:
            said = root[name].attrs if name else root.attrs
        except (KeyError, AttributeError):
            continue
        found = _numbers(said.get("offset"))
        if found is not None:
            return found
    return None


def _numbers(value: Any) -> np.ndarray | None:
    """Numbers of an attribute; None where it holds something else or nothing."""
    found = np.ravel(value) if value is not None else np.zeros(0)
    return found.astype(float) if len(found) and found.dtype.kind in "uif" else None


def _int64(values: np.ndarray, path: str | Path, name: str) -> np.ndarray:
    """Ids as signed numbers, which every table can hold."""
    if len(values) and values.dtype.kind == "u" and values.max() > np.iinfo(np.int64).max:
        raise InputError("ids beyond 63 bit", where=f"{path}/{name}", found=values.max())
    if len(values) and values.min() < 0:
        raise InputError("negative ids", where=f"{path}/{name}", found=values.min())
    return values.astype(np.int64)
