"""What the label files of a task hold: named arrays beside an image, which move with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import fastremap
import numpy as np

from jaxseg.config import Channel


def numbered(values: np.ndarray, unknown: int = -1) -> np.ndarray:
    """Ids 1..k of a patch in the order of their first voxels, int32.

    Parameters
    ----------
    values : (*S) integers
    unknown : a value that becomes -1; -1 = none

    >>> numbered(np.array([7, 0, 2**40, 9]), unknown=9).tolist()
    [1, 0, 2, -1]
    """
    hidden = values == unknown if unknown != -1 else None
    values = values if hidden is None else np.where(hidden, values.dtype.type(0), values)
    values = np.ascontiguousarray(values)
    values, _ = fastremap.renumber(values, preserve_zero=True, in_place=False)
    values = values.astype(np.int32)
    return values if hidden is None else np.where(hidden, np.int32(-1), values)


def as_they_are(values: np.ndarray, unknown: int = -1) -> np.ndarray:
    """Classes (*S) as int32: the device has no 64-bit integers."""
    if values.max(initial=0) > np.iinfo(np.int32).max:
        raise ValueError(f"class {values.max()} does not fit 32 bit")
    return values.astype(np.int32)


def numbered_sites(values: np.ndarray, unknown: int = -1) -> np.ndarray:
    """Planes (*S, 4) of sites whose ids, those of partners and cores together, are 1..k."""
    ids, _ = fastremap.renumber(np.ascontiguousarray(values[..., 2:]), preserve_zero=True)
    return np.concatenate([values[..., :2], ids], axis=-1).astype(np.int32)


def as_floats(values: np.ndarray, unknown: int = -1) -> np.ndarray:
    """Measured values (*S, C) as float32; nan where they are not known."""
    return values.astype(np.float32)


@dataclass(frozen=True)
class Part:
    """One array of the truth.

    Parameters
    ----------
    name : in batches; options of channels say by it which array their targets are made from
    patch : (values of a patch, the value that is not known) to what the device gets, int32 or
        float32
    ids : whether values are only names of objects
    interpolation : how values are found between voxels where an augmentation moves them
    """

    name: str
    patch: Callable[[np.ndarray, int], np.ndarray]
    ids: bool = False
    interpolation: Literal["nearest", "linear"] = "nearest"

    @property
    def measured(self) -> bool:
        """Whether values are measured and not counted, so that there is nothing to look for."""
        return self.interpolation == "linear"


OBJECTS = Part("objects", numbered, ids=True)
CLASSES = Part("classes", as_they_are)
SITES = Part("sites", numbered_sites, ids=True)
IMAGE = Part("image", as_floats, interpolation="linear")

Truth = tuple[Part, ...]


def parts_read(truth: Truth, channels: Sequence[Channel]) -> Truth:
    """The parts of the truth of a task that channels name; the first one if they name none.

    >>> from jaxseg.config import ch
    >>> both = (OBJECTS, CLASSES)
    >>> [part.name for part in parts_read(both, (ch("F"), ch("S", classes=3)))]
    ['objects', 'classes']
    >>> [part.name for part in parts_read(both, (ch("F"),))], len(parts_read((IMAGE,), (ch("F"),)))
    (['objects'], 1)
    """
    named = {channel.options.truth for channel in channels}
    return tuple(part for part in truth if part.name in named) or truth[:1]


def interpolation(truth: Truth) -> dict[str, Any]:
    """How every part is found between voxels, by name."""
    return {part.name: part.interpolation for part in truth}
