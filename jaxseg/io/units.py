"""Length units as files spell them, in µm."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeVar

from jaxseg.errors import InputError, JaxsegWarning
from jaxseg.volume import LARGEST, SMALLEST

Axis = TypeVar("Axis", str, int, str | int)

MICROMETERS = {
    "angstrom": 1e-4,
    "picometer": 1e-6,
    "nanometer": 1e-3,
    "micrometer": 1.0,
    "millimeter": 1e3,
    "centimeter": 1e4,
    "decimeter": 1e5,
    "meter": 1e6,
    "inch": 25400.0,
}
SPELLINGS = {
    "å": "angstrom",
    "pm": "picometer",
    "nm": "nanometer",
    "um": "micrometer",
    "µm": "micrometer",
    "μm": "micrometer",  # the Greek letter, which is another character than the micro sign
    "\\u00b5m": "micrometer",
    "micron": "micrometer",
    "mm": "millimeter",
    "cm": "centimeter",
    "dm": "decimeter",
    "m": "meter",
    "in": "inch",
}


def to_micrometers(unit: str) -> float | None:
    """Length of a unit in µm; None for a word that is no length.

    >>> to_micrometers("nm"), to_micrometers("Micrometres"), to_micrometers("pixel")
    (0.001, 1.0, None)
    """
    word = unit.strip().lower()
    for spelling in (word, word.replace("metre", "meter").removesuffix("s")):
        name = SPELLINGS.get(spelling, spelling)
        if name in MICROMETERS:
            return MICROMETERS[name]
    return None


class Length(NamedTuple):
    """The extent of a voxel along one axis, as a file tells it."""

    value: float
    unit: str = "µm"
    problem: str = ""
    """Why there is no number to use, where the file says something that cannot be understood."""


def lengths(
    axes: Sequence[Axis], steps: Sequence[float], units: object = "µm"
) -> dict[Axis, Length]:
    """One length for each axis; ``units`` is one for all axes, a list with one for each, or none.

    >>> lengths("YX", [0.5, 250.0], ["um", "nm"])["X"]
    Length(value=250.0, unit='nm', problem='')
    """
    if not isinstance(units, (list, tuple)):
        units = [units] * len(steps)
    if len(units) == 1:
        units = list(units) * len(steps)
    words = [str(word) if word else "not given" for word in units or [None] * len(steps)]
    return {
        axis: Length(float(step), word) for axis, step, word in zip(axes, steps, words, strict=True)
    }


def unreadable(axes: Sequence[Axis], problem: str) -> dict[Axis, Length]:
    """Lengths that the file tells in a way that cannot be understood."""
    return {axis: Length(math.nan, "", problem) for axis in axes}


def voxel_size(
    said: Mapping[str, float | Length | None], file: str
) -> tuple[tuple[float, ...], str]:
    """The size of a voxel from what a file says about the axes that are used.

    Numbers in a unit that is no length, such as ``pixel``, count as not said, with a warning unless
    all of them are 1. Values are rounded to 8 digits, since formats keep them as ratios.

    Parameters
    ----------
    said : for each axis, (z)yx, its length, or its size in µm, or None
    file : named in errors and warnings

    Returns
    -------
    spacing, unit : 1 and ``"voxel"`` where the file says nothing about any axis

    Raises
    ------
    InputError : a size that is not a positive number, or cannot be understood

    Warns
    -----
    JaxsegWarning : a size that is known along some axes only, which is 1 µm along the others

    >>> voxel_size({"Z": Length(500.0, "nm"), "Y": 0.1, "X": 0.1}, "a.tif")
    ((0.5, 0.1, 0.1), 'µm')
    >>> voxel_size({"Y": Length(1.0, "pixel"), "X": None}, "a.tif")
    ((1.0, 1.0), 'voxel')
    """
    found = {
        axis: item if isinstance(item, Length) else Length(float(item))
        for axis, item in said.items()
        if item is not None
    }
    for axis, item in found.items():
        _refuse(axis, item, file)
    known = {
        axis: float(f"{item.value * factor:.8g}")
        for axis, item in found.items()
        if (factor := to_micrometers(item.unit)) is not None
    }
    for axis, size in known.items():
        if not SMALLEST <= size <= LARGEST:
            raise InputError(
                f"the file's voxel size along {axis} is no length in an image",
                where=file,
                expected=f"{SMALLEST:g} to {LARGEST:g} µm",
                found=size,
                fix="give the size of a voxel in µm with --data.spacing",
            )
    unused = {axis: item for axis, item in found.items() if axis not in known}
    if any(item.value != 1 for item in unused.values()):
        words = " and ".join(dict.fromkeys(repr(item.unit) for item in unused.values()))
        sizes = ", ".join(f"{axis} {item.value:g}" for axis, item in unused.items())
        _warn(f"{file}: the voxel size {sizes} is in the unknown unit {words} and is not used")
    if known and len(known) < len(said):
        missing = ", ".join(axis for axis in said if axis not in known)
        _warn(f"{file}: the file gives no voxel size along {missing}; 1 µm is used there")
    spacing = tuple(known.get(axis, 1.0) for axis in said)
    return spacing, "µm" if known else "voxel"


def _refuse(axis: str, item: Length, file: str) -> None:
    """Raise where a size is none."""
    positive = math.isfinite(item.value) and item.value > 0
    if item.problem or not positive:
        raise InputError(
            item.problem or f"the file's voxel size along {axis} is not a positive number",
            where=file,
            found="" if item.problem else item.value,
            fix="give the size of a voxel in µm with --data.spacing",
        )


def _warn(text: str) -> None:
    warnings.warn(f"{text}; give it in µm with --data.spacing", JaxsegWarning, stacklevel=4)


def positions(
    size: Mapping[Axis, Length], values: Mapping[Axis, object], *, voxels: bool = False
) -> dict[Axis, float]:
    """Where a voxel lies along every axis, in µm, as far as it can be told.

    Parameters
    ----------
    size : of a voxel
    values : the position, in the unit of the size, or in voxels

    >>> positions(lengths("YX", [500.0, 250.0], "nm"), {"Y": 4, "X": 2}, voxels=True)
    {'Y': 2.0, 'X': 0.5}
    """
    found = {}
    for axis, item in size.items():
        factor, value = to_micrometers(item.unit), values.get(axis)
        if factor is not None and isinstance(value, (int, float)) and not item.problem:
            place = value * factor * (item.value if voxels else 1.0)
            if math.isfinite(place):
                found[axis] = float(f"{place:.8g}")
    return found
