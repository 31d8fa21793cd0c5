"""Which of the images of a TIFF file is meant, and what an OME text says that the file is not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import tifffile

from jaxseg.errors import InputError

CHOICE = "series="


def ome_contradiction(xml: str, pages: int, name: str) -> str:
    """What an OME text says that cannot be true of a file; empty if nothing.

    Parameters
    ----------
    xml : the text
    pages : number of pages of the file
    name : of the file, without folders
    """
    try:
        root = ElementTree.fromstring(xml)
    except (ElementTree.ParseError, ValueError, RecursionError):
        return "its OME text cannot be read"
    planes = sum(_planes(item) for item in root.iter() if item.tag.endswith("}Pixels"))
    others = {item.text: item.get("FileName", "") for item in root.iter() if _is_uuid(item)}
    own = root.get("UUID")
    foreign = {
        uuid: file for uuid, file in others.items() if uuid != own and file.lower() != name.lower()
    }
    if foreign:
        files = ", ".join(sorted(file or "?" for file in foreign.values())[:3])
        return f"its OME text spreads the image over several files, such as {files}"
    if planes > pages:
        return f"its OME text tells of {planes} planes, the file has {pages}"
    return ""


def _is_uuid(item: ElementTree.Element) -> bool:
    return item.tag.endswith("}UUID")


def _planes(pixels: ElementTree.Element) -> int:
    """Pages that an image of a text takes."""
    try:
        sizes = [int(pixels.get(f"Size{axis}", "1")) for axis in "CZT"]
        samples = [
            int(item.get("SamplesPerPixel", "1"))
            for item in pixels
            if item.tag.endswith("}Channel")
        ]
    except ValueError:
        return 0
    per_page = samples[0] if samples else 1
    return math.prod(sizes) // max(per_page, 1)


def series_of(file: tifffile.TiffFile) -> Sequence[tifffile.TiffPageSeries]:
    """The images of a file, with axes of length one."""
    found: Any = file.series
    # tifffile 2026.5 and later leave such axes out of a series unless they are asked for; before,
    # one series told of both, see `axes_of`.
    return found(squeeze=False) if callable(found) else found


def axes_of(series: tifffile.TiffPageSeries) -> tuple[str, tuple[int, ...]]:
    """The letter and the length of every axis of :func:`series_of`, also of those of length one."""
    one: Any = series
    if hasattr(one, "get_axes"):
        return one.get_axes(squeeze=False), one.get_shape(squeeze=False)
    return one.axes, one.shape


def choose_series(
    series: Sequence[tifffile.TiffPageSeries], choice: str, name: str, reason: str = ""
) -> tifffile.TiffPageSeries:
    """The image that is named, or the only one.

    Parameters
    ----------
    series : the images of the file
    choice : ``"series=1"``, or empty
    name : the file
    reason : why an image must be named even where there is only one

    Raises
    ------
    InputError : several images without a choice, or no such image
    """
    if choice:
        number = int(choice.removeprefix(CHOICE))
        if number < len(series):
            return series[number]
        raise InputError(
            f"the file has no image {number}", where=name, found=_listed(series) or "none"
        )
    if len(series) == 1 and not reason:
        return series[0]
    file = Path(name).name
    raise InputError(
        reason or f"the file holds {len(series)} images",
        where=name,
        expected="one image, or the number of one",
        found=_listed(series) or "none",
        fix=f"choose one, such as {file}#{CHOICE}0, in all files of a folder: *.tif#{CHOICE}0",
    )


def _listed(series: Sequence[tifffile.TiffPageSeries]) -> str:
    """The images with their numbers."""
    shown = []
    for at, item in enumerate(series[:4]):
        long = [(letter, size) for letter, size in zip(*axes_of(item), strict=True) if size > 1]
        shown.append(
            f"{CHOICE}{at} {''.join(a for a, _ in long)} {tuple(size for _, size in long)}"
        )
    return ", ".join(shown) + (", ..." if len(series) > 4 else "")
