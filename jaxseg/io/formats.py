"""The table of file formats: which ending or folder is read by which function.

A format is one row. Another one is read by giving an object of the same type, to
:func:`jaxseg.io.open_image`, or by naming it in a configuration, as in
``Data(formats=("my_formats:TABLE",))``; nothing is registered.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jaxseg.errors import ConfigError, InputError
from jaxseg.io.chunked import is_n5, open_n5, open_precomputed, precomputed_root
from jaxseg.io.hdf5 import hdf5_members, open_hdf5
from jaxseg.io.ngff import is_zarr, open_zarr
from jaxseg.io.pictures import JPEG_SIGNATURE, PNG_SIGNATURE, open_jpeg, open_png
from jaxseg.io.stored import Stored, damaged
from jaxseg.io.tiff import open_tiff


def _own_folder(is_one: Callable[[Path], bool]) -> Callable[[Path], Path | None]:
    """A rule for formats in which every array and group is a folder that can be told as one."""
    return lambda folder: folder if is_one(folder) else None


@dataclass(frozen=True)
class Format:
    """A file format: how to tell it, and how to open it.

    >>> import numpy as np
    >>> def open_text(path: Path, inner: str) -> Stored:
    ...     return Stored(np.loadtxt(path), "YX", {"Y": 0.5, "X": 0.5})
    >>> Format("text", (".txt",), open_text).endings
    ('.txt',)
    """

    name: str
    """Shown in errors."""
    endings: tuple[str, ...]
    """Of file names or folders, lower case, longer ones before those that they end in."""
    open: Callable[[Path, str], Stored]
    """Called with a file or folder and what the path says behind it, such as the name of a dataset;
    must not read all voxels, and raise InputError for what is no such image."""
    inside: bool = False
    """Whether a path goes on into what has such an ending, as in ``a.h5/raw``."""
    starts: tuple[bytes, ...] = ()
    """The first bytes of a file of this format; empty = any."""
    root: Callable[[Path], Path | None] | None = None
    """For images that are folders: the folder to open for a folder that a path names, or None if it
    is no such image."""
    lossy: bool = False
    """Whether values change when they are saved, so that there are no labels in it."""
    members: Callable[[Path, str], Mapping[str, bool]] | None = None
    """For files that hold several images: called with a file and the name of a group in it, gives
    what lies in the group by name, and whether it is an image. A ``*`` within such a file then
    stands for them."""

    @property
    def is_folder(self) -> bool:
        """Whether an image is a folder."""
        return self.root is not None


FORMATS: tuple[Format, ...] = (
    Format(
        "TIFF",
        (".ome.tiff", ".ome.tif", ".ome.btf", ".tiff", ".tif", ".btf"),
        open_tiff,
        starts=(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    ),
    Format("PNG", (".png",), open_png, starts=(PNG_SIGNATURE,)),
    Format("JPEG", (".jpeg", ".jpg"), open_jpeg, starts=(JPEG_SIGNATURE,), lossy=True),
    Format("Zarr", (".ome.zarr", ".zarr"), open_zarr, inside=True, root=_own_folder(is_zarr)),
    Format(
        "Neuroglancer precomputed",
        (".precomputed",),
        open_precomputed,
        inside=True,
        root=precomputed_root,
    ),
    Format("N5", (".n5",), open_n5, inside=True, root=_own_folder(is_n5)),
    Format(
        "HDF5",
        (".hdf5", ".h5", ".hdf"),
        open_hdf5,
        inside=True,
        starts=(b"\x89HDF\r\n\x1a\n",),
        members=hdf5_members,
    ),
)
# What other files begin with, to call them what they are.
OTHERS = {
    b"version https://git-lfs": "a Git LFS pointer: the image itself was not downloaded",
    b"<!DOCTYPE": "a page of a website, perhaps of a download that failed",
    b"<html": "a page of a website, perhaps of a download that failed",
    b"PK\x03\x04": "a zip archive",
    b"\x1f\x8b": "compressed with gzip",
    b"BM": "a BMP image",
    b"GIF8": "a GIF image",
    b"%PDF": "a PDF document",
    b"\0\0\0\x0cjP  ": "a JPEG 2000 image",
    b"\x93NUMPY": "a NumPy array",
}
# HDF5 may begin with a block of another program, of 512 bytes or a power of two of it.
HEAD = 2048
CHOICE = re.compile(r"#(series=\d{1,6})$")


def format_of(name: str, formats: Sequence[Format] = ()) -> Format | None:
    """The format of a file name, by its ending; given formats are asked before the table."""
    lower = name.lower()
    return next((item for item in (*formats, *FORMATS) if lower.endswith(item.endings)), None)


def format_named(text: str) -> Format:
    """The format that a configuration names.

    Parameters
    ----------
    text : ``"module:NAME"``, a format in a module that can be imported

    Returns
    -------
    Format

    Raises
    ------
    ConfigError : no such module, or nothing of that type in it

    >>> format_named("jaxseg.io.nothing:TABLE")
    Traceback (most recent call last):
    jaxseg.errors.ConfigError: data.formats: cannot be imported: No module named 'jaxseg.io.nothing'
      expected module:NAME of a jaxseg.io.Format; found jaxseg.io.nothing:TABLE
    """
    module, _, name = text.partition(":")
    try:
        found = getattr(importlib.import_module(module), name, None)
    except Exception as error:  # whatever the user's module raises
        found, reason = None, f"cannot be imported: {error}"
    else:
        reason = "not a file format"
    if not isinstance(found, Format):
        raise ConfigError(
            reason,
            where="data.formats",
            expected="module:NAME of a jaxseg.io.Format",
            found=text,
        )
    return found


def format_of_folder(folder: Path, formats: Sequence[Format] = ()) -> tuple[Format, Path] | None:
    """The format of an image that is a folder, and the folder to open."""
    for item in (*formats, *FORMATS):
        if item.root is not None and (root := item.root(folder)) is not None:
            return item, root
    return None


def endings(formats: Sequence[Format] = ()) -> tuple[str, ...]:
    """The endings of all formats."""
    return tuple(ending for item in (*formats, *FORMATS) for ending in item.endings)


def containers(formats: Sequence[Format] = ()) -> tuple[str, ...]:
    """The endings of files and folders that a path may go on in."""
    kept = [item for item in (*formats, *FORMATS) if item.inside]
    return tuple(ending for item in kept for ending in item.endings)


def check_content(path: Path, named: Format | None, formats: Sequence[Format] = ()) -> Format:
    """The format to open a file with, once its first bytes are those of its name.

    Raises
    ------
    InputError : empty, or a file of another kind
    """
    with open(path, "rb") as file:
        head = file.read(HEAD)
    if not head:
        raise damaged(str(path), "an empty file")
    fits = named is not None and (not named.starts or head.startswith(named.starts))
    if named is not None and fits and not named.is_folder:
        return named
    found = next(
        (item for item in (*formats, *FORMATS) if item.starts and head.startswith(item.starts)),
        None,
    )
    if found is not None and named is None:
        return found
    kind = f"a {found.name} image" if found else ""
    kind = kind or next((what for start, what in OTHERS.items() if head.startswith(start)), "")
    if kind:
        ending = found.endings[-1] if found else ""
        raise InputError(
            "the file is of another kind than its name says",
            where=path,
            expected=named.name if named else ", ".join(item.name for item in FORMATS),
            found=kind,
            fix=f"rename it to {path.stem}{ending}" if found else "export it again, or fetch it",
        )
    if named is not None and named.is_folder:
        raise InputError(f"a file, where an image in {named.name} is a folder", where=path)
    if named is None:
        raise InputError(
            "a file of no format that is read here",
            where=path,
            expected=", ".join(item.name for item in (*formats, *FORMATS)),
        )
    return named
