"""Length units as files spell them, in µm."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import TypeVar

from jaxseg.errors import InputError, JaxsegWarning

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


def voxel_sizes(
    axes: Sequence[str | int], steps: Sequence[float], units: object, file: str
) -> dict[str | int, float]:
    """As :func:`voxel_size`, with one unit for all axes, or a list with one for each, or none."""
    words = [str(word) for word in units] if isinstance(units, (list, tuple)) else [str(units)]
    if len(set(words)) < 2:
        word = words[0] if units else "not given"
        return voxel_size(dict(zip(axes, steps, strict=True)), word, file)
    found: dict[str | int, float] = {}
    for axis, step, word in zip(axes, steps, words, strict=True):
        found |= voxel_size({axis: step}, word, file)
    return found


def voxel_size(scale: Mapping[Axis, float], unit: str, file: str) -> dict[Axis, float]:
    """Voxel size per axis in µm as the metadata of a file give it; empty if they do not.

    Numbers in a unit that is no length, such as ``pixel``, are left out with a warning unless all
    are 1. Values are rounded to 8 digits, since formats keep them as ratios.

    Raises
    ------
    InputError : a size that is not a positive number
    """
    factor = to_micrometers(unit)
    if factor is None:
        if any(value != 1 for value in scale.values()):
            warnings.warn(
                f"{file}: the voxel size {scale} is in the unknown unit {unit!r} and is not used; "
                "give it in µm with --data.spacing",
                JaxsegWarning,
                stacklevel=2,
            )
        return {}
    for axis, value in scale.items():
        if not (math.isfinite(value) and value > 0):
            raise InputError(
                f"the file's voxel size along {axis} is not a positive number",
                file=file,
                found=value,
                fix="give the size of a voxel in µm with --data.spacing",
            )
    return {axis: float(f"{value * factor:.8g}") for axis, value in scale.items()}
