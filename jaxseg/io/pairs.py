"""Images and their labels, paired by file stem, one to one."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from jaxseg.errors import InputError
from jaxseg.io.names import container_of, image_name, list_images

ROWS = 12


class Pair(NamedTuple):
    """An image and its labels."""

    stem: str
    raw: Path
    labels: Path | None


def pair_files(
    raw: str | os.PathLike[str], labels: str | os.PathLike[str] = ""
) -> tuple[Pair, ...]:
    """Pair images and labels by the stems of their names; position never counts.

    Parameters
    ----------
    raw : folder of images, or one image
    labels : folder of labels, or one label image; empty = none. Two single files are a pair
        whatever their names

    Returns
    -------
    pairs in the order of their stems

    Raises
    ------
    InputError : a file without a partner or two with the same stem; the message has the table
    """
    images = list_images(raw)
    if not os.fspath(labels):
        return tuple(Pair(stem, path, None) for stem, path in _unique(images, raw))
    masks = list_images(labels)
    if Path(raw) in images and Path(labels) in masks:
        return (Pair(image_name(images[0]), images[0], masks[0]),)
    left, right = _by_stem(images), _by_stem(masks)
    stems = sorted(left.keys() | right.keys())
    wrong = [stem for stem in stems if len(left[stem]) != 1 or len(right[stem]) != 1]
    if wrong:
        raise InputError(
            f"{len(wrong)} of {len(stems)} names are not one image and one label image",
            file=raw,
            found="\n" + _table(wrong, left, right),
            fix="give every image and its labels the same name, and move leftovers away",
        )
    return tuple(Pair(stem, left[stem][0], right[stem][0]) for stem in stems)


def _unique(images: Sequence[Path], raw: str | os.PathLike[str]) -> list[tuple[str, Path]]:
    """Stems, which must differ because results are named after them, and images."""
    grouped = _by_stem(images)
    for stem, paths in grouped.items():
        if len(paths) > 1:
            names = ", ".join(path.name for path in paths)
            raise InputError(f"images of the same name {stem!r}", file=raw, found=names)
    return sorted((stem, paths[0]) for stem, paths in grouped.items())


def _by_stem(paths: Sequence[Path]) -> Mapping[str, Sequence[Path]]:
    """Files grouped by stem; none for a stem that is not there."""
    grouped: defaultdict[str, list[Path]] = defaultdict(list)
    for path in paths:
        grouped[image_name(path)].append(path)
    return grouped


def _shown(path: Path) -> str:
    """The name of a file or store, and what the path names inside."""
    return path.relative_to(container_of(path).parent).as_posix()


def _table(
    stems: Sequence[str],
    left: Mapping[str, Sequence[Path]],
    right: Mapping[str, Sequence[Path]],
) -> str:
    """The files of some stems, side by side."""
    cells = [
        (stem, *(" + ".join(map(_shown, side[stem])) or "-" for side in (left, right)))
        for stem in stems[:ROWS]
    ]
    rows = [("name", "image", "labels"), *cells]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = [
        "    "
        + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    if len(stems) > ROWS:
        lines.append(f"    and {len(stems) - ROWS} more")
    return "\n".join(lines)
