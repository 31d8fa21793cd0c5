"""What writers that died left under temporary names."""

from __future__ import annotations

import contextlib
import fnmatch
import os
import time
from pathlib import Path

from jaxseg.io.atomic import PARTIAL, remove

# Of this package, of TensorStore, of Orbax.
NAMES = ("*" + PARTIAL, "*.__lock", "*.orbax-checkpoint-tmp*")
# Seconds: whoever still lives touches what it writes more often.
UNTOUCHED = 3600.0


def sweep(
    folder: str | os.PathLike[str], *, untouched: float = UNTOUCHED, stores: bool = False
) -> list[Path]:
    """Remove what is half written in and below a folder and was not touched lately.

    Links are neither followed nor removed with what they point to: one that has a temporary name
    is removed itself. ``_trash`` is left alone.

    Parameters
    ----------
    folder : where to look
    untouched : seconds since the last change in it; 0 = whatever its age
    stores : look into Zarr stores, too, which hold very many files

    Returns
    -------
    what was removed

    >>> import tempfile
    >>> root = Path(tempfile.mkdtemp())
    >>> (root / "a.tif.partial").touch()
    >>> sweep(root), [path.name for path in sweep(root, untouched=0)]
    ([], ['a.tif.partial'])
    """
    removed, limit = [], time.time() - untouched
    for parent, folders, files in os.walk(folder):
        found = [name for name in (*folders, *files) if _is_leftover(name)]
        for path in (Path(parent) / name for name in found):
            # What another process removes first, or nobody may remove, is no reason to stop.
            with contextlib.suppress(OSError):
                if _touched(path) <= limit:
                    remove(path)
                    removed.append(path)
        folders[:] = [
            name
            for name in folders
            if name not in found and name != "_trash" and (stores or not name.endswith(".zarr"))
        ]
    return removed


def _is_leftover(name: str) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in NAMES)


def _touched(path: Path) -> float:
    """When anything in a file or folder changed last."""
    times = [path.lstat().st_mtime]
    for parent, folders, files in () if path.is_symlink() else os.walk(path):
        times += [os.lstat(os.path.join(parent, name)).st_mtime for name in (*folders, *files)]
    return max(times)
