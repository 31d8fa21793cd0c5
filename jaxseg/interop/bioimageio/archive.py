"""The files of a package, read without ever being unpacked to disk.

A package comes from others: a name that leaves it, a link out of it, more bytes than it says or
than fit are refused, and nothing in it is unpickled or run.
"""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from jaxseg.errors import InputError
from jaxseg.io.bounds import FREE_BYTES, gib, open_plain

DESCRIPTIONS = ("rdf.yaml", "bioimageio.yaml")
# Of all files of a package together, once unpacked.
LARGEST_PACKAGE = 2**33
LARGEST_DESCRIPTION = 2**22
# Protobuf takes no more.
LARGEST_MODEL = 2**31 - 1
MOST_FILES = 10_000
# Weights and examples are numbers that hardly shrink; zeros shrink a thousand times.
MOST_ZEROS = 100
# What damaged or odd members of an archive make the library raise.
UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError),
    *(NotImplementedError, RuntimeError, EOFError, OSError, ValueError, struct.error),
)


class Files(NamedTuple):
    """What can be read of a package, a folder, or a single model."""

    description: str
    """Name of the file that describes the package; empty = there is none."""
    model: str
    """Name of the model, where there is no description."""
    read: Callable[[str], bytes]


@contextmanager
def open_files(path: Path) -> Iterator[Files]:
    """A package in a zip file or a folder, or an ONNX file.

    Raises
    ------
    InputError : missing, damaged, or none of these; a file that is not in it
    """
    if path.is_dir():
        names = [name for name in DESCRIPTIONS if (path / name).is_file()]
        yield Files(_only(names, path), "", lambda name: _in_folder(path, name))
    elif path.suffix == ".onnx" and path.is_file():
        yield Files("", path.name, lambda name: _in_folder(path.parent, name))
    elif not path.is_file() or path.suffix not in (".zip", ".onnx"):
        found = f"a file {path.suffix or 'without suffix'}" if path.is_file() else "nothing"
        expected = ".zip, .onnx, or a folder with rdf.yaml"
        raise InputError("no package here", where=path, expected=expected, found=found)
    else:
        with _open_zip(path) as archive:
            _check_zip(archive, path)
            names = [name for name in archive.namelist() if name in DESCRIPTIONS]
            yield Files(_only(names, path), "", lambda name: _in_zip(archive, path, name))


def _only(names: list[str], path: Path) -> str:
    if not names:
        raise InputError("not a package", where=path, expected=" or ".join(DESCRIPTIONS) + " in it")
    return names[0]


def _open_zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except UNREADABLE as error:
        raise InputError(f"not a readable zip file: {error}", where=path) from error


def _check_zip(archive: zipfile.ZipFile, path: Path) -> None:
    """Refuse what no honest package holds."""
    entries = archive.infolist()
    if len(entries) > MOST_FILES:
        raise InputError("too many files", where=path, expected=MOST_FILES, found=len(entries))
    total = sum(entry.file_size for entry in entries)
    if total > LARGEST_PACKAGE:
        limit = f"at most {LARGEST_PACKAGE} bytes unpacked"
        raise InputError("too large a package", where=path, expected=limit, found=total)
    for entry in entries:
        if entry.file_size > max(FREE_BYTES, MOST_ZEROS * entry.compress_size):
            raise InputError(
                f"{entry.filename} claims to unpack to {gib(entry.file_size)}",
                where=path,
                expected=f"at most {MOST_ZEROS} times its bytes: weights hardly shrink",
                found=f"{entry.compress_size:,} bytes stored",
            )
    outside = [entry.filename for entry in entries if not is_inside(entry.filename)]
    if outside:
        raise InputError("a file outside of the package", where=path, found=repr(outside[0]))


def _in_zip(archive: zipfile.ZipFile, path: Path, name: str) -> bytes:
    try:
        entry = archive.getinfo(name)
    except KeyError as error:
        raise InputError("a file is missing in the package", where=path, expected=name) from error
    try:
        with archive.open(entry) as stream:
            # What the directory of the archive says of a size need not be true.
            return _limited(stream, path, name)
    except UNREADABLE as error:
        raise InputError(f"{name} cannot be read: {error}", where=path) from error


def _in_folder(folder: Path, name: str) -> bytes:
    root, file = folder.resolve(), (folder / name).resolve()
    if not is_inside(name) or root not in file.parents:
        raise InputError("a file outside of the package", where=folder, found=name)
    try:
        with open_plain(file) as stream:
            return _limited(stream, folder, name)
    except OSError as error:
        raise InputError(f"{name} cannot be read: {error.strerror}", where=folder) from error


def _limited(stream: IO[bytes], path: Path, name: str) -> bytes:
    """All of a file, if that is not more than such a file can need."""
    limit = LARGEST_DESCRIPTION if name in DESCRIPTIONS else LARGEST_MODEL
    content = stream.read(limit + 1)
    if len(content) > limit:
        raise InputError(f"{name} is too large", where=path, expected=f"at most {limit} bytes")
    return content


def is_inside(name: str) -> bool:
    """Whether the name of a file stays in the folder of who names it.

    >>> is_inside("weights/w.data"), is_inside("../w.data"), is_inside("/etc/passwd")
    (True, False, False)
    """
    path = PurePosixPath(name)
    return (
        bool(name)
        and not ({"..", "\\", ":", "\0"} & {*path.parts, *name})
        and not path.is_absolute()
    )
