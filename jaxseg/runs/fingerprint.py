"""What tells one version of an image from another, at a bounded cost.

The content decides where it is cheap to read: such files may be copied, moved and touched. Of what
is larger, sizes, times and pieces of the content are taken; of stores of very many chunks, those of
the first ones and of every folder on the way.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from jaxseg.io import container_of
from jaxseg.io.names import split_choice

# Bytes up to which the whole content is read: a second or so from a warm disk.
WHOLE = 2**29
# Files of one image that are looked at, and that are read.
MOST_FILES, READ_FILES = 100_000, 10_000
# Pieces that are read of a larger file, and their bytes.
PIECES, PIECE = 16, 2**18
# Files that are read at a time.
THREADS = 4


class _File(NamedTuple):
    name: str
    place: Path
    size: int
    mtime_ns: int


def fingerprint(path: str | os.PathLike[str]) -> dict[str, Any]:
    """A version of a file, of a folder, or of an image inside of a file.

    Parameters
    ----------
    path : of the image, which may lead into a container

    Returns
    -------
    plain data: ``bytes`` and ``files``, ``inside`` for a path into a file, and ``content``, a hash
    of all bytes and names; beyond :data:`WHOLE` bytes or :data:`READ_FILES` files in place of it
    ``mtime_ns``, the latest change, and ``pieces``, a hash of names, sizes, times and pieces of the
    content

    Raises
    ------
    OSError : the file cannot be read
    """
    place, inside = _place(path)
    found = _version(place)
    return found | {"inside": inside} if inside else found


def _place(path: str | os.PathLike[str]) -> tuple[Path, str]:
    """The file or folder of an image, and which part of it a path means."""
    root = Path(path)
    if root.exists():
        return root, ""
    place, (plain, choice) = container_of(root), split_choice(root)
    inside = "" if plain == place else plain.relative_to(place).as_posix()
    return place, "#".join(filter(None, [inside, choice]))


def _version(place: Path) -> dict[str, Any]:
    """Of a whole file or folder."""
    files = _files(place)
    total = sum(file.size for file in files)
    found: dict[str, Any] = {"bytes": total, "files": len(files)}
    if total <= WHOLE and len(files) <= READ_FILES:
        return found | {"content": _hash_of(files, whole=True)}
    latest = max((file.mtime_ns for file in files), default=0)
    return found | {"mtime_ns": latest, "pieces": _hash_of(files, whole=False)}


def input_version(path: str | os.PathLike[str]) -> str:
    """A fingerprint as one word, found once per start: inputs do not change during a run.

    :func:`forget_versions` begins anew.
    """
    place, inside = _place(path)
    return ", ".join(filter(None, [_cached(str(place)), inside]))


def input_versions(paths: Mapping[str, str | os.PathLike[str]]) -> dict[str, str]:
    """The versions of many inputs by their names; files are read side by side."""
    with ThreadPoolExecutor(THREADS) as pool:
        return dict(zip(paths, pool.map(input_version, paths.values()), strict=True))


@functools.lru_cache(maxsize=65536)
def _cached(place: str) -> str:
    found = _version(Path(place))
    rest = (str(found[name]) for name in ("content", "mtime_ns", "pieces") if name in found)
    return ", ".join([f"{found['bytes']} bytes", *rest])


def forget_versions() -> None:
    """Look at every input again: a new run begins in this process."""
    _cached.cache_clear()


def _files(place: Path) -> list[_File]:
    """A file, or the first files of a folder in the order of their names, with what lies on disk.

    Raises
    ------
    FileNotFoundError : there is nothing
    """
    if not place.is_dir():
        about = place.stat()
        return [_File("", place, about.st_size, about.st_mtime_ns)]
    found = []
    for file in _walk(place, ""):
        found.append(file)
        if len(found) >= MOST_FILES:
            break
    return found


def _walk(folder: Path, name: str) -> Iterator[_File]:
    """The files in and below a folder, each asked for once; links to folders are not followed."""
    with os.scandir(folder) as entries:
        ordered = sorted(entries, key=lambda entry: entry.name)
    for entry in ordered:
        inner = f"{name}/{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path), inner)
        elif entry.is_file():
            about = entry.stat()
            yield _File(inner, Path(entry.path), about.st_size, about.st_mtime_ns)


def _hash_of(files: list[_File], *, whole: bool) -> str:
    """A hash of names and content, or of names, sizes, times and some content."""
    found = hashlib.sha256()
    for number, file in enumerate(files):
        found.update(f"{file.name}\0{file.size}\0".encode())
        if not whole:
            found.update(f"{file.mtime_ns}\0".encode())
            # Of many files the first ones, where a store says what it is.
            if number >= PIECES:
                continue
        with file.place.open("rb") as stream:
            if whole or file.size <= PIECES * PIECE:
                while block := stream.read(2**20):
                    found.update(block)
            else:
                for start in _starts(file.size):
                    stream.seek(start)
                    found.update(stream.read(PIECE))
    return found.hexdigest()[:32]


def _starts(size: int) -> list[int]:
    """Where the pieces of a file begin, evenly from its first to its last byte."""
    return [number * (size - PIECE) // (PIECES - 1) for number in range(PIECES)]
