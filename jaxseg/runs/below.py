"""The runs whose files lie in a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from jaxseg.runs.layout import Run

RESULTS, MANIFESTS = "results", "manifests"


def runs_below(out: Path) -> Iterator[Run]:
    """The runs in and below a folder, or the run whose results it is.

    Parameters
    ----------
    out : the folder that a run was given for its files, one that holds several of them, or one of
        results
    """
    out = out.absolute()
    if (out / MANIFESTS).is_dir() and out.parent.name == RESULTS:
        yield Run(out.parents[1], out.name)
    for folder, inner, _ in os.walk(out):
        place = Path(folder)
        if place.name == RESULTS:
            found = sorted(name for name in inner if (place / name / MANIFESTS).is_dir())
            yield from (Run(place.parent, name) for name in found)
            # What lies deeper are images, in very many files.
            inner.clear()
        inner[:] = sorted(name for name in inner if not _is_content(name))


def _is_content(name: str) -> bool:
    return name.endswith((".zarr", ".partial")) or name in ("_trash", "blocks", "checkpoints")
