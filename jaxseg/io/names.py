"""Names of images: what is an image, what is its stem, and where a path goes into a store.

A path may go on into what it names: ``image.ome.zarr/1`` is a level, ``image.zarr/labels/nuclei``
a label image, ``file.h5/volumes/raw`` a dataset, ``stack.tif#series=1`` the second image of a file.
A ``*`` stands for whatever fits: ``train/*.h5/volumes/raw`` is a dataset of every file,
``plate.zarr/*/*/0`` a field of every well, ``a.h5/*/raw`` a dataset of every group.
"""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxseg.errors import InputError
from jaxseg.io.atomic import PARTIAL
from jaxseg.io.bounds import check_kind, check_name
from jaxseg.io.formats import (
    CHOICE,
    FORMATS,
    Format,
    containers,
    endings,
    format_of,
    format_of_folder,
)

Name = str | os.PathLike[str]

# Images of other formats in a folder are refused by name, not passed over.
FOREIGN = {
    *(".bmp", ".gif", ".jp2", ".npy", ".npz"),
    *(".nii", ".gz", ".mrc", ".czi", ".nd2", ".lif", ".lsm", ".oib", ".oif", ".svs", ".ims"),
}
READ = ", ".join(item.name for item in FORMATS)
# A sign of a pattern; two stars are one.
SIGN = re.compile(r"\*+|\?")
# What stands in a store beside its images.
METADATA = {"OME", "labels"}


def stem_of(name: str, formats: Sequence[Format] = ()) -> str:
    """A file name without the ending of its image format.

    >>> stem_of("cell.01.ome.tif"), stem_of("Stack.ZARR"), stem_of("a.tif#series=1")
    ('cell.01', 'Stack', 'a')
    """
    name = CHOICE.sub("", name)
    ending = next((end for end in endings(formats) if name.lower().endswith(end)), "")
    return name[: len(name) - len(ending)]


def image_name(path: Name, formats: Sequence[Format] = ()) -> str:
    """What the results of an image are named after: the stem of its file or store.

    >>> image_name("train/a.ome.zarr/labels/nuclei"), image_name("train/b.tif")
    ('a', 'b')
    """
    return stem_of(container_of(path, formats).name, formats)


def inner_name(path: Name, formats: Sequence[Format] = ()) -> str:
    """What one of several images of a store is named after: its store, and where in it it lies.

    >>> inner_name("plate.zarr/B/3/0"), inner_name("plate.zarr/B/3/0/labels/nuclei")
    ('plate_B_3_0', 'plate_B_3_0')
    """
    container = container_of(path, formats)
    parts = split_choice(path)[0].relative_to(container).parts
    parts = parts[: parts.index("labels")] if "labels" in parts else parts
    return "_".join((stem_of(container.name, formats), *parts))


def split_choice(path: Name) -> tuple[Path, str]:
    """A path, and which of several images of the file is meant.

    >>> split_choice("a.tif#series=1")
    (PosixPath('a.tif'), 'series=1')
    """
    text = os.fspath(path)
    found = CHOICE.search(text)
    return (Path(text[: found.start()]), found.group(1)) if found else (Path(text), "")


def container_of(path: Name, formats: Sequence[Format] = ()) -> Path:
    """The file or outermost store that a path leads into; the path itself if it ends there."""
    check_name(path)
    path = split_choice(path)[0]
    known = containers(formats)
    named = [place for place in (path, *path.parents) if place.name.lower().endswith(known)]
    # A folder may be called like a store and hold whole images; and a store may lack its outermost
    # metadata.
    stores = [place for place in named if not place.is_dir() or format_of_folder(place, formats)]
    if stores or (named and format_of_folder(path, formats)):
        return (stores or named)[-1]
    if path.is_file():
        return path
    found = path
    while is_store(found.parent, formats) and is_store(found, formats):
        found = found.parent
    opened = format_of_folder(found, formats)
    return opened[1] if opened else found


def is_store(folder: Path, formats: Sequence[Format] = ()) -> bool:
    """Whether a folder is an image, or holds images in the way of its format."""
    found = format_of_folder(folder, formats)
    return found is not None and found[1] == folder


def list_images(path: Name, formats: Sequence[Format] = ()) -> tuple[Path, ...]:
    """The images of a folder by name, the one image a path names, or those that a pattern fits.

    Hidden files, unfinished ones and files that are no images are passed over.

    Parameters
    ----------
    path : folder, image, or pattern with ``*`` or ``?``
    formats : more formats than those of the table

    Returns
    -------
    tuple of Path
        In the order of their names.

    Raises
    ------
    InputError : no such folder, no image in it, or images of a format that cannot be read
    """
    check_name(path)
    root = Path(path)
    if is_pattern(root):
        return _matching(root, formats)
    container = container_of(root, formats)
    if not container.exists():
        raise InputError("no such file or folder", where=root)
    check_kind(container)
    if container != root or root.is_file() or is_store(root, formats):
        return (root,)
    try:
        everything = sorted(root.iterdir())
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=root) from error
    entries = [entry for entry in everything if _is_visible(entry)]
    images = tuple(entry for entry in entries if _is_image(entry, formats))
    foreign = [
        entry for entry in entries if entry.suffix.lower() in FOREIGN and entry not in images
    ]
    if foreign:
        raise not_read(root, foreign)
    if not images:
        found = ", ".join(entry.name for entry in entries[:4])
        found = found or ("hidden files only" if everything else "an empty folder")
        raise InputError("no image here", where=root, expected=READ, found=found)
    return images


def is_pattern(path: Path) -> bool:
    """Whether a path is a pattern for several, and no file of that very name."""
    return bool(SIGN.search(str(path))) and not os.path.lexists(split_choice(path)[0])


def starred(path: Path, pattern: Path) -> tuple[str, ...]:
    """What the signs of a pattern stand for in a path that fits it.

    >>> starred(Path("t/a_raw.tif"), Path("t/*_raw.tif"))
    ('a',)
    """
    found: list[str] = []
    for part, piece in zip(split_choice(path)[0].parts, pattern.parts, strict=False):
        signs = re.escape(CHOICE.sub("", piece)).replace(r"\*", "(.*)").replace(r"\?", "(.)")
        fitted = re.fullmatch(signs, part, re.DOTALL)
        found += fitted.groups() if fitted else ()
    return tuple(found)


def not_read(root: Path, files: Sequence[Path]) -> InputError:
    """The error for images of other formats in a folder, or for one of them."""
    return InputError(
        f"{len(files)} images of a format that is not read here",
        where=root,
        expected=READ,
        found=", ".join(file.name for file in files[:4]),
        fix="convert them to TIFF, move them away, or give a pattern for the others, as raw/*.tif",
    )


def _is_image(entry: Path, formats: Sequence[Format]) -> bool:
    """Whether an entry of a folder is an image, by its ending or what it holds."""
    named = format_of(entry.name, formats)
    if named is not None:
        check_kind(entry)
        # A folder that is only called like a file is none.
        return named.is_folder or entry.is_file()
    return entry.is_dir() and is_store(entry, formats)


def _matching(pattern: Path, formats: Sequence[Format]) -> tuple[Path, ...]:
    """The images whose paths fit a pattern, in the order of their names."""
    plain, choice = split_choice(pattern)
    places, in_store = [Path()], False
    for part in plain.parts:
        if not SIGN.search(part):
            places = [place / part for place in places]
            continue
        # A pattern within a store is for its images, beside which other things lie.
        inside = [place for place in places if _is_in_store(place, formats)]
        in_store |= bool(inside) or any(_opens_groups(place, formats) for place in places)
        places = [
            entry
            for place in places
            for entry in _fitting(place, part, formats)
            if place not in inside or (is_store(entry, formats) and entry.name not in METADATA)
        ]
    if in_store:
        places = [place for place in places if place.exists() or _is_in_file(place, formats)]
    if not places:
        raise InputError(
            "no image fits this pattern",
            where=pattern,
            expected="parts of the path with * or ?, such as train/*.h5/volumes/raw",
        )
    return tuple(Path(f"{place}#{choice}") if choice else place for place in places)


def _is_in_store(folder: Path, formats: Sequence[Format]) -> bool:
    """Whether a folder is in a store, or is one."""
    return folder.is_dir() and format_of_folder(container_of(folder, formats), formats) is not None


def _fitting(folder: Path, part: str, formats: Sequence[Format]) -> list[Path]:
    """The entries of a folder, or of a group in a file, whose names fit a pattern."""
    text = SIGN.sub(lambda found: found.group()[0], part).replace("[", "[[]")
    if folder.is_dir():
        return sorted(entry for entry in folder.glob(text) if _is_visible(entry))
    names = _members(folder, formats)
    return sorted(folder / name for name in names if fnmatch.fnmatchcase(name, text))


def _is_in_file(place: Path, formats: Sequence[Format]) -> bool:
    """Whether a path names an image within a file."""
    return _members(place.parent, formats).get(place.name, False)


def _members(place: Path, formats: Sequence[Format]) -> Mapping[str, bool]:
    """What a group in a file holds, by name, and whether it is an image; nothing elsewhere."""
    look, container = _opens_groups(place, formats), container_of(place, formats)
    return look(container, "/".join(place.relative_to(container).parts)) if look else {}


def _opens_groups(place: Path, formats: Sequence[Format]) -> Any:
    """The function that looks into the file that a path leads into; None if there is none."""
    container = container_of(place, formats)
    row = format_of(container.name, formats)
    return row.members if row and container.is_file() else None


def _is_visible(entry: Path) -> bool:
    return not entry.name.startswith(".") and not entry.name.endswith(PARTIAL)
