"""What is looked at before anything is read: the kind of a file, and how large it says it is.

A file of a few bytes may claim to hold more voxels than any machine: because it is damaged, because
somebody wants to exhaust the memory, or because it is a very large image with hardly anything in
it. What a compression cannot do is damage. All else is bound by what the machine can hold: an empty
label image is a thousand times smaller than its voxels and sound.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from io import BufferedReader
from pathlib import Path
from types import MappingProxyType

import numpy as np

from jaxseg import memory
from jaxseg.errors import InputError
from jaxseg.volume import Volume

Name = str | os.PathLike[str]

# Longest name of a file or folder on common file systems, bytes in UTF-8.
LONGEST_NAME = 255
# Results are named after an image: its name, an ending, and while they are written a temporary one.
LONGEST_STEM = 160
# How many bytes a compression can make of one: from the shortest code of its longest match.
LARGEST_RATIO: Mapping[str, int] = MappingProxyType(
    {"none": 1, "packbits": 64, "deflate": 1040, "jpeg": 2048, "lzw": 4096, "lzma": 2**14}
)
# Below this size there is nothing to exhaust.
FREE_BYTES = 2**26
# What is larger than the memory must hold at least one byte for so many.
EMPTIEST = 1000
# One chunk is decoded in one piece, beside the box that is made of it.
SHARE_OF_CHUNK = 0.4
# Entries of a folder that are looked at before it is opened: a second or so.
MOST_ENTRIES = 200_000
KINDS = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISSOCK, "a socket"),
)


def check_name(path: Name) -> None:
    """Refuse a path that no file system has.

    Raises
    ------
    InputError : a part of more than 255 bytes, or a zero byte
    """
    text = os.fspath(path)
    longest = max((len(os.fsencode(part)) for part in Path(text).parts), default=0)
    if longest > LONGEST_NAME:
        raise InputError(
            "a name that no file can have",
            where=text[:80] + "...",
            expected=f"at most {LONGEST_NAME} bytes",
            found=longest,
        )
    if "\0" in text:
        raise InputError("a name with a zero byte in it", where=text.replace("\0", "\\0"))


def check_kind(path: Path) -> None:
    """Refuse what is neither a file nor a folder: opening a pipe would wait for ever.

    Raises
    ------
    InputError : a pipe, a device or a socket, or a link that leads nowhere
    """
    try:
        kind = kind_of(path.stat().st_mode)
    except OSError as error:
        what = "a link that leads nowhere" if path.is_symlink() else f"no file: {error.strerror}"
        fix = "bring back what it leads to, or remove it"
        raise InputError(what, where=path, fix=fix) from error
    if kind:
        raise InputError(f"{kind}, not a file", where=path, fix="give a file or a folder")


def open_plain(path: Name) -> BufferedReader:
    """Open a file to read its bytes; a pipe or a device in its place is never waited for.

    Raises
    ------
    InputError : no file
    OSError : it cannot be opened
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    stream = os.fdopen(os.open(path, flags), "rb")
    kind = kind_of(os.fstat(stream.fileno()).st_mode)
    if kind:
        stream.close()
        raise InputError(f"{kind}, not a file", where=path)
    return stream


def refuse_others(folder: Path) -> None:
    """Refuse a pipe or a device in or below a folder, among its first entries.

    Raises
    ------
    InputError : there is one
    """
    for entry in itertools.islice(_below(os.fspath(folder)), MOST_ENTRIES):
        # A link that leads nowhere is no file either, but nothing waits for it.
        if not entry.is_file() and os.path.exists(entry.path):
            check_kind(Path(entry.path))


def _below(folder: str) -> Iterator[os.DirEntry[str]]:
    """What lies in and below a folder, but folders that can be looked into."""
    with contextlib.suppress(PermissionError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _below(entry.path)
            else:
                yield entry


def kind_of(mode: int) -> str:
    """What is neither a file nor a folder, in words; empty if it is one of them."""
    return next((name for is_kind, name in KINDS if is_kind(mode)), "")


def check_stem(stem: str, path: Name) -> None:
    """Refuse an image whose results would have names that are too long.

    Raises
    ------
    InputError : a stem of more than 160 bytes
    """
    found = len(os.fsencode(stem))
    if found > LONGEST_STEM:
        raise InputError(
            "the name of the image is too long: results are named after it",
            where=path,
            expected=f"at most {LONGEST_STEM} bytes without the ending",
            found=found,
            fix="rename the image and its labels",
        )


def check_ratio(declared: int, held: int, *, file: Name, shape: object, codec: str) -> None:
    """Refuse a file that says it is larger than its compression can make it.

    Parameters
    ----------
    declared : bytes of all voxels that are stored
    held : bytes that they take in the file
    file, shape : for the message
    codec : name of the compression; one that has no largest ratio passes

    Raises
    ------
    InputError : so large, with the numbers
    """
    most = LARGEST_RATIO.get(codec)
    if most is not None and declared > most * held + FREE_BYTES:
        raise _claims(declared, held, file, shape, f"{most:,} times its bytes with {codec}")


def check_whole(volume: Volume) -> None:
    """Refuse to read through an image that is nearly empty and larger than the memory.

    A box of it can be read all the same.

    Raises
    ------
    InputError : so large, with the numbers
    """
    if volume.nbytes <= FREE_BYTES or volume.held is None:
        return
    room = memory.available()
    if volume.nbytes > room:
        held = volume.held(volume.nbytes // EMPTIEST + 1)
        if volume.nbytes > EMPTIEST * held:
            limit = f"the {gib(room)} of memory that are free, or fuller"
            raise _claims(volume.nbytes, held, volume.path, volume.shape, limit)


def check_chunk(chunk: Sequence[int], dtype: np.dtype, file: Name) -> None:
    """Refuse chunks, strips or tiles that do not fit the memory.

    Parameters
    ----------
    chunk, dtype : of one of them
    file : for the message

    Raises
    ------
    InputError : so large, with the numbers
    """
    nbytes = math.prod(chunk) * dtype.itemsize
    if nbytes <= FREE_BYTES:
        return
    room = int(SHARE_OF_CHUNK * memory.available())
    if nbytes > room:
        raise InputError(
            f"one chunk of the file claims to unpack to {gib(nbytes)}",
            where=file,
            expected=f"at most {gib(room)}, part of the memory that is free",
            found=f"a chunk of {tuple(chunk)}",
            fix="if the file is sound, save it in smaller chunks or tiles",
        )


def folder_bytes(folder: Path) -> Callable[[int], int]:
    """How many bytes lie in and below a folder, counted up to about so many."""

    def count(enough: int) -> int:
        total = 0
        for parent, _, names in os.walk(folder):
            for name in names:
                total += os.lstat(os.path.join(parent, name)).st_size
                if total >= enough:
                    return total
        return total

    return count


def gib(nbytes: int) -> str:
    """A number of bytes to read.

    >>> gib(3 * 2**29), gib(2**70)
    ('1.5 GiB', '1,099,511,627,776.0 GiB')
    """
    return f"{nbytes / 2**30:,.1f} GiB"


def _claims(declared: int, held: int, file: Name, shape: object, limit: str) -> InputError:
    """The error for a file that says it is very large."""
    return InputError(
        f"the file claims to unpack to {gib(declared)}",
        where=file,
        expected=f"at most {limit}",
        found=f"shape {shape}, {held:,} bytes stored",
        fix="if the file is sound, crop the part of it that has voxels in it",
    )
