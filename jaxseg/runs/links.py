"""Nothing is written through a link inside the results: it leads out of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from jaxseg.errors import ResourceError, raise_all

# Folders with very many files of one writer: chunks, and what blocks note.
CONTENT = (".zarr", ".partial")
NOTES = {"done", "tables", "failed"}
MOST_DEEP = 8


def refuse_links(root: Path, folders: Iterable[Path]) -> None:
    """Refuse to work in a run with links in it.

    Parameters
    ----------
    root : of the run; it may lie behind links
    folders : in and below it, that are written to

    Raises
    ------
    ResourceError : every link
    """
    found: dict[Path, None] = {}
    for folder in folders:
        lineage = [folder, *folder.parents]
        above = lineage[: lineage.index(root) + 1] if root in lineage else [folder]
        links = [path for path in reversed(above) if path.is_symlink()]
        found |= dict.fromkeys(links or _links(folder, MOST_DEEP))
    raise_all(
        ResourceError(
            "a link inside the results: it would be written through, to another place",
            where=path,
            found=f"a link to {os.readlink(path)}",
            fix="move what it leads to here, or give that place with --out",
        )
        for path in found
    )


def _links(folder: Path, depth: int) -> Iterator[Path]:
    """Links in and below a folder, but for the insides of stores."""
    try:
        with os.scandir(folder) as entries:
            inner = list(entries)
    except OSError:
        return
    for entry in inner:
        if entry.is_symlink():
            yield Path(entry.path)
        elif depth and entry.is_dir() and not _is_content(entry.name):
            yield from _links(Path(entry.path), depth - 1)


def _is_content(name: str) -> bool:
    return name.endswith(CONTENT) or name in NOTES
