"""Images and their labels, paired by their names, one to one."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from jaxseg.errors import InputError
from jaxseg.io.bounds import check_stem
from jaxseg.io.formats import Format
from jaxseg.io.name_parts import match_by_order, match_names
from jaxseg.io.names import (
    container_of,
    image_name,
    inner_name,
    is_pattern,
    list_images,
    starred,
    stem_of,
)

Name = str | os.PathLike[str]

ROWS = 12


class Pair(NamedTuple):
    """An image and its labels."""

    stem: str
    raw: Path
    labels: Path | None


def pair_files(raw: Name, labels: Name = "", *, formats: Sequence[Format] = ()) -> tuple[Pair, ...]:
    """Pair images and labels by the stems of their names; position never counts.

    Where the stems differ, what varies in them within their folder is compared, see
    :func:`jaxseg.io.name_parts.varying_parts`: ``training-0001`` fits ``training_groundtruth-0001``
    if all names of the two folders fit. Of patterns, what their signs stand for is compared:
    ``a_raw.tif`` fits ``a_mask.tif`` by ``raw/*_raw.tif`` and ``labels/*_mask.tif``. Files of an
    image folder that the pattern for labels names are no images. Several images of one store are
    named after where in it they lie.

    Parameters
    ----------
    raw : folder of images, one image, or a pattern
    labels : folder of labels, one label image, or a pattern; empty = none. Two single files are a
        pair whatever their names
    formats : more formats than those of the table

    Returns
    -------
    pairs in the order of their stems

    Raises
    ------
    InputError : a file without a partner or two with the same stem, the message has the table;
        images and labels that are the same files; a name that is too long
    """
    images = list_images(raw, formats)
    if not os.fspath(labels):
        return _named(images, raw, formats)
    if os.path.realpath(raw) == os.path.realpath(labels):
        raise _same_place(images, raw, formats)
    masks = list_images(labels, formats)
    if Path(raw) in images and Path(labels) in masks:
        stem = image_name(images[0], formats)
        check_stem(stem, images[0])
        return (Pair(stem, images[0], masks[0]),)
    if not set(masks) >= set(images):
        images = tuple(path for path in images if path not in set(masks))
    left, right = _by_stem(images, formats), _by_stem(masks, formats)
    stems = sorted(left.keys() | right.keys())
    wrong = [stem for stem in stems if len(left[stem]) != 1 or len(right[stem]) != 1]
    if not wrong:
        named = _named(images, raw, formats)
        return tuple(pair._replace(labels=right[pair.stem][0]) for pair in named)
    fitted = _by_signs(images, Path(raw), masks, Path(labels), formats)
    fitted = fitted or _by_parts(images, masks, formats)
    if fitted:
        named = _named(images, raw, formats)
        return tuple(pair._replace(labels=fitted[pair.raw]) for pair in named)
    raise InputError(
        f"{len(wrong)} of {len(stems)} names are not one image and one label image",
        where=raw,
        found="\n" + _table(wrong, left, right),
        fix="give every image and its labels the same name, or patterns such as raw/*_raw.tif and "
        "labels/*_mask.tif, and move leftovers away",
    )


def pair_by_order(raw: Name, labels: Name, *, formats: Sequence[Format] = ()) -> tuple[Pair, ...]:
    """Pair images and labels by their place in the sorted lists of names, whatever the names.

    Numbers within names count as numbers: ``im2`` is before ``im10``.

    Parameters
    ----------
    raw, labels, formats : as for :func:`pair_files`

    Returns
    -------
    pairs in the order of the names; :func:`described` shows them

    Raises
    ------
    InputError : not as many labels as images
    """
    images, masks = list_images(raw, formats), list_images(labels, formats)
    if len(images) != len(masks):
        raise InputError(
            "not as many labels as images",
            where=labels,
            expected=f"{len(images)}, as in {raw}",
            found=len(masks),
        )
    places = match_by_order(*([path.as_posix() for path in paths] for paths in (images, masks)))
    partners = {path: masks[place] for path, place in zip(images, places, strict=True)}
    named = _named(images, raw, formats)
    return tuple(pair._replace(labels=partners[pair.raw]) for pair in named)


def described(pairs: Sequence[Pair]) -> str:
    """A table of pairs, as the message about names that do not fit has it."""
    left = {pair.stem: [pair.raw] for pair in pairs}
    right = {pair.stem: [pair.labels] if pair.labels else [] for pair in pairs}
    return _table([pair.stem for pair in pairs], left, right)


def _by_parts(
    images: Sequence[Path], masks: Sequence[Path], formats: Sequence[Format]
) -> dict[Path, Path]:
    """The labels of every image by what varies in the names; empty where that is not one to one."""
    found = match_names(
        [image_name(path, formats) for path in images],
        [image_name(path, formats) for path in masks],
    )
    return {path: masks[place] for path, place in zip(images, found or (), strict=False)}


def _by_signs(
    images: Sequence[Path],
    raw: Path,
    masks: Sequence[Path],
    labels: Path,
    formats: Sequence[Format],
) -> dict[Path, Path]:
    """The labels of every image by what patterns stand for; empty where that is not one to one."""
    for left in _keyed(images, raw, formats):
        for right in _keyed(masks, labels, formats):
            complete = len(left) == len(images) and len(right) == len(masks)
            if complete and left.keys() == right.keys():
                return {left[key]: right[key] for key in left}
    return {}


def _keyed(
    paths: Sequence[Path], pattern: Path, formats: Sequence[Format]
) -> Iterator[dict[str, Path]]:
    """The files by what the signs of their pattern stand for, if there is one, and by their stems.

    What several signs stand for is kept apart by a sign that no name has.
    """
    if is_pattern(pattern):
        yield {"/".join(starred(path, pattern)): path for path in paths}
    yield {image_name(path, formats): path for path in paths}


def _same_place(images: Sequence[Path], raw: Name, formats: Sequence[Format]) -> InputError:
    """The error for labels that are where the images are, with the pattern that parts them."""
    stems = {image_name(path, formats) for path in images}
    endings = [
        other.removeprefix(stem)
        for stem in stems
        for other in stems
        if other != stem and other.startswith(stem)
    ]
    usual = max(set(endings), key=endings.count) if endings else ""
    ending = next((path.suffix for path in images if path.stem.endswith(usual)), "")
    pattern = f"{os.fspath(raw)}/*{usual}{ending}"
    return InputError(
        "images and labels are the same files",
        where=raw,
        fix=f"if the labels are the files of the pattern, give it for labels: '{pattern}'"
        if usual
        else "give the labels as a folder of their own, or as a pattern such as 'all/*_masks.tif'",
    )


def _named(images: Sequence[Path], raw: Name, formats: Sequence[Format]) -> tuple[Pair, ...]:
    """Images by their stems, which must differ because results are named after them."""
    grouped = _by_stem(images, formats)
    for stem, paths in grouped.items():
        check_stem(stem, paths[0])
        if len(paths) > 1:
            names = ", ".join(_shown(path, formats) for path in paths)
            raise InputError(f"images of the same name {stem!r}", where=raw, found=names)
    return tuple(Pair(stem, grouped[stem][0], None) for stem in sorted(grouped))


def _by_stem(paths: Sequence[Path], formats: Sequence[Format]) -> defaultdict[str, list[Path]]:
    """Files grouped by stem; none for a stem that is not there."""
    stores = [container_of(path, formats) for path in paths]
    per_store = Counter(stores)
    grouped: defaultdict[str, list[Path]] = defaultdict(list)
    for path, store in zip(paths, stores, strict=True):
        several = per_store[store] > 1
        name = inner_name(path, formats) if several else stem_of(store.name, formats)
        grouped[name].append(path)
    return grouped


def _shown(path: Path, formats: Sequence[Format] = ()) -> str:
    """The name of a file or store, and what the path names inside."""
    return path.relative_to(container_of(path, formats).parent).as_posix()


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
