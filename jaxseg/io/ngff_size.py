"""The axes of a level of an OME-NGFF image, the size of its voxels and where the first lies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jaxseg.io.axes import letter_of
from jaxseg.io.units import Length, positions, unreadable

SPACE = "ZYX"


def ngff_axes(
    image: Mapping[str, Any], dataset: Mapping[str, Any], ndim: int
) -> tuple[str, Mapping[Any, Length], Mapping[Any, float]]:
    """What the metadata of an image say about one of its levels.

    Parameters
    ----------
    image : one of ``multiscales``
    dataset : one of its ``datasets``
    ndim : axes of the array

    Returns
    -------
    letters : one per axis
    size : the length of a voxel along each axis of space
    origin : where the first voxel lies, µm, along the axes of space

    >>> level = {"coordinateTransformations": [{"type": "scale", "scale": [1, 0.5, 0.5]}]}
    >>> letters, size, _ = ngff_axes({"axes": ["c", "y", "x"]}, level, 3)
    >>> letters, size["Y"].value
    ('CYX', 0.5)
    """
    # Versions 0.1 and 0.2 have no list of axes: always five, in this order.
    axes = image.get("axes", list("tczyx") if ndim == 5 else [])
    named = [{"name": item} if isinstance(item, str) else item for item in axes]
    letters = "".join(letter_of(item["name"]) for item in named)
    inner = _transforms(dataset)
    scale = [1.0] * len(letters)
    place = [0.0] * len(letters)
    known = False
    for transform in (*inner, *_transforms(image)):
        kind = transform.get("type")
        if kind not in ("scale", "translation"):
            continue
        values = _values(transform.get(kind), letters)
        if kind == "translation":
            place = [a + b for a, b in zip(place, values or [0.0] * len(place), strict=True)]
        elif values is None:
            where = "in another file" if "path" in transform else "that do not fit the axes"
            return letters, unreadable(SPACE, f"the store gives its scale by numbers {where}"), {}
        else:
            known = True
            scale = [a * b for a, b in zip(scale, values, strict=True)]
            place = [a * b for a, b in zip(place, values, strict=True)]
    if not known:
        return letters, {}, {}
    # Without a unit the specification leaves the length open; µm is what writers mean, except by
    # a scale of 1, which is the placeholder for a scale nobody knew.
    placeholder = "pixel" if set(scale) == {1.0} else "µm"
    size = {
        letter: Length(value, str(item.get("unit") or placeholder))
        for letter, item, value in zip(letters, named, scale, strict=True)
        if letter in SPACE
    }
    return letters, size, positions(size, dict(zip(letters, place, strict=True)))


def _transforms(described: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = described.get("coordinateTransformations") or []
    return [item for item in found if isinstance(item, Mapping)]


def _values(said: object, letters: str) -> Sequence[float] | None:
    """One number for each axis; those of space only are completed. None where they do not fit."""
    try:
        numbers = [float(item) for item in said]  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        return None
    if len(numbers) == len(letters):
        return numbers
    space = [at for at, letter in enumerate(letters) if letter in SPACE]
    if len(numbers) != len(space):
        return None
    whole = [1.0] * len(letters)
    for at, number in zip(space, numbers, strict=True):
        whole[at] = number
    return whole
