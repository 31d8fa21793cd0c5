"""Publishing a file or a folder: whole under its final name, or not there at all.

Everything that is written goes through :func:`atomic_path`: a temporary name in the same folder,
``fsync``, ``os.replace``, ``fsync`` of the folder. A process that dies in between leaves only
``<name>.partial``, which nothing reads and the next attempt replaces.
"""

from __future__ import annotations

import errno
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from jaxseg.errors import ResourceError

PARTIAL = ".partial"
OUT_OF_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
NOT_WRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.EIO}


@contextmanager
def atomic_path(path: str | os.PathLike[str], *, shared: bool = False) -> Iterator[Path]:
    """A temporary path to write a file or a folder to, which becomes ``path`` on success.

    Missing parent folders are made. When the block raises, the temporary path is removed and
    whatever stood under the final name before stands there still.

    Parameters
    ----------
    path : final name; an existing file or folder of this name is replaced
    shared : other processes may write the same name now, so the temporary one is this call's own

    Yields
    ------
    Path
        The temporary path.

    Raises
    ------
    ResourceError : disk full, or the folder cannot be written

    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "numbers.txt"
    >>> with atomic_path(target) as partial:
    ...     _ = partial.write_text("1 2 3")
    >>> target.read_text(), partial.exists()
    ('1 2 3', False)
    """
    target = Path(path)
    partial = _own_name(target) if shared else target.with_name(target.name + PARTIAL)
    with _removed_on_failure(partial, target):
        target.parent.mkdir(parents=True, exist_ok=True)
        remove(partial)
        yield partial
        sync(partial)
        publish(partial, target)
        sync_entry(target.parent)


@contextmanager
def new_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary folder to fill, which becomes ``path`` unless a folder of that name is there.

    Of several processes that make the same folder one succeeds, and the folders of the others
    vanish: nothing is ever replaced. When the block raises, its folder is removed.

    Raises
    ------
    ResourceError : disk full, or the folder cannot be written
    """
    target = Path(path)
    partial = _own_name(target)
    with _removed_on_failure(partial, target):
        partial.mkdir(parents=True)
        yield partial
        sync(partial)
        move_or_drop(partial, target)
        sync_entry(target.parent)


@contextmanager
def _removed_on_failure(partial: Path, target: Path) -> Iterator[None]:
    """Remove what was written under a temporary name when anything fails, and say why."""
    try:
        yield
    except OSError as error:
        _remove_if_possible(partial)
        if error.filename and not _related(Path(os.fsdecode(error.filename)), partial):
            raise  # about another file, which the block read
        raise refusal(error, target) from error
    except BaseException:
        _remove_if_possible(partial)
        raise


def move_or_drop(source: Path, target: Path) -> None:
    """Rename a folder; where another process was faster, remove what is left of it instead."""
    try:
        os.rename(source, target)
    except FileNotFoundError:
        if source.exists():
            raise
    except OSError as error:
        # A folder cannot be renamed over one that holds something.
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        remove(source)


def move_complete(source: Path, target: Path) -> None:
    """Give a complete folder its final name; one of several processes does, the others pass.

    Raises
    ------
    ResourceError : the folder cannot be moved there
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        os.rename(source, target)
        sync_entry(target.parent)
    except OSError as error:
        # Another process was faster.
        if error.errno in (errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST) and target.exists():
            return
        raise refusal(error, target) from error


def _own_name(target: Path) -> Path:
    """A temporary name that no other process uses."""
    return target.with_name(f"{target.name}.{uuid.uuid4().hex[:12]}{PARTIAL}")


def publish(partial: Path, target: Path) -> None:
    """Rename; a folder cannot be renamed over another, so an old one steps aside first."""
    if not target.is_dir() or target.is_symlink():
        os.replace(partial, target)
        return
    old = target.with_name(target.name + ".old" + PARTIAL)
    remove(old)
    os.replace(target, old)
    try:
        os.replace(partial, target)
    except OSError:
        os.replace(old, target)
        raise
    remove(old)


def _related(file: Path, partial: Path) -> bool:
    """Whether a file is what is being written, in it, or a folder on the way to it."""
    return partial in (file, *file.parents) or file in partial.parents


def refusal(error: OSError, target: Path) -> Exception:
    """The error to raise for a failed write; errors of another kind pass unchanged."""
    if error.errno in OUT_OF_ROOM:
        free = shutil.disk_usage(target.parent).free if target.parent.is_dir() else 0
        if error.errno != errno.EFBIG and _out_of_files(target.parent):
            return ResourceError(
                "the disk takes no more files, though it has room for their content",
                where=target,
                found=f"{free / 2**20:.1f} MiB and 0 files free",
                fix="remove small files you do not need or write to another disk, then start again",
            )
        return ResourceError(
            "the disk is full",
            where=target,
            found=f"{free / 2**20:.1f} MiB free",
            fix="free some space or write to another disk, then start again",
        )
    if error.errno in NOT_WRITABLE:
        return ResourceError(
            f"cannot be written: {error.strerror}",
            where=target,
            fix="write to another folder, or change its permissions",
        )
    return error


def _out_of_files(folder: Path) -> bool:
    """Whether a file system that counts files has none left; on those that do not, 0 are there."""
    if not hasattr(os, "statvfs") or not folder.is_dir():
        return False
    about = os.statvfs(folder)
    return about.f_files > 0 and about.f_favail == 0


def _remove_if_possible(path: Path) -> None:
    """Remove what a failed attempt left; what cannot be removed now must not hide the failure.

    After an interruption a thread of Zarr may still be writing into the folder.
    """
    with suppress(OSError):
        remove(path)


def remove(path: Path) -> None:
    """Remove a file or a folder if it is there; a link is removed, not followed."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif path.exists() or path.is_symlink():
        path.unlink()


def sync(path: Path) -> None:
    """Force a file, or a folder and all that is in it, to disk."""
    if path.is_dir():
        for folder, _, files in os.walk(path):
            for name in files:
                sync_entry(Path(folder) / name)
            sync_entry(Path(folder))
    else:
        sync_entry(path)


def sync_entry(path: Path) -> None:
    """Force one file, or the list of names of one folder, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
