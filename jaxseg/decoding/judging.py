"""What becomes of whole objects: their shapes, the foreground in them and their sizes decide it.

What a network takes for an object without being sure, such as debris, lies little above the
threshold of the mask everywhere; true objects do only at their rim.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from jaxseg.decoding.convexity import more_convex
from jaxseg.errors import ConfigError
from jaxseg.labels.objects import compact, drop_small

# Options that need whole objects, and what they are where there are only pieces.
LATER: Mapping[str, Any] = MappingProxyType({"min_size": 1, "convex": "none", "min_mean": 0.0})
# Those of them for which counts of the pieces are enough.
COUNTED = frozenset({"min_size", "min_mean"})
# A part of an image, and a plane there.
Part = tuple[tuple[slice, ...], np.ndarray]

# Channels that objects lie in, of which one alone says how sure each voxel is of an object.
FOREGROUND = frozenset({("F",), ("B",)})
# Values are counted in so many steps: sums of parts are those of the whole, to the last bit.
STEPS = 200


def judged(
    labels: np.ndarray,
    options: Any,
    *,
    spacing: Sequence[float] | None = None,
    foreground: Iterable[Part] = (),
) -> np.ndarray:
    """Objects made more convex, then without those of low foreground, then without small ones.

    Parameters
    ----------
    labels : (*S) non-negative integers
    options : of a decoder; those of ``LATER`` that it has are read
    spacing : size of a voxel, (z)yx, µm; None = 1
    foreground : where they lie and what it is there, see :func:`drop_unsure`; read for min_mean

    Returns
    -------
    (*S) uint16 or uint32, 1..N

    >>> from jaxseg.config import Watershed
    >>> judged(np.array([[1, 1, 0, 2]]), Watershed(min_size=2)).tolist()
    [[1, 1, 0, 0]]
    """
    convex, least_mean, least = (
        getattr(options, name, LATER[name]) for name in ("convex", "min_mean", "min_size")
    )
    if convex != "none":
        labels = more_convex(labels, convex, spacing=spacing)
    if least_mean:
        labels = drop_unsure(labels, foreground, least_mean)
    return drop_small(labels, least)


def mean_problems(options: Any, where: str, grown: Sequence[str]) -> Iterator[ConfigError]:
    """What keeps objects from being judged by their foreground.

    Parameters
    ----------
    options, where : of a decoder, and their section
    grown : names of the channels that objects lie in

    Yields
    ------
    an error, where there is no such foreground
    """
    if options.min_mean and tuple(grown) not in FOREGROUND:
        yield ConfigError(
            "no foreground whose mean tells true objects",
            where=f"{where}.min_mean",
            expected="objects that lie in F or B alone",
            found=" ".join(grown) or "nothing",
            fix=f"--{where}.min-mean 0",
        )


def drop_unsure(labels: np.ndarray, parts: Iterable[Part], least: float) -> np.ndarray:
    """Remove objects with a low mean of a plane, and renumber the rest 1..N.

    Parameters
    ----------
    labels : (*S) non-negative integers
    parts : where they lie and what the plane is there, from 0 to 1; they cover the image once
    least : objects of exactly this mean stay

    Returns
    -------
    (*S) uint16 or uint32, see :func:`jaxseg.labels.objects.compact`

    >>> plane = np.array([[0.6, 0.8, 0.9, 0.5]])
    >>> drop_unsure(np.array([[1, 1, 2, 3]]), [((slice(None),), plane)], 0.7)
    array([[1, 1, 2, 0]], dtype=uint16)
    """
    voxels = np.bincount(labels.ravel())
    steps = sum(
        (steps_of(labels[place], plane, len(voxels)) for place, plane in parts),
        start=np.zeros(len(voxels), np.int64),
    )
    return compact(labels, (voxels > 0) & sure(steps, voxels, least))


def steps_of(labels: np.ndarray, plane: np.ndarray, count: int) -> np.ndarray:
    """What a plane from 0 to 1 sums up to in every object, in steps.

    Parameters
    ----------
    labels : (*S) integers from 0 to count - 1
    plane : (*S) float
    count : of the sums, that of the background among them

    Returns
    -------
    (count,) int64
    """
    steps = np.rint(np.clip(np.asarray(plane, np.float32), 0, 1) * STEPS)
    return np.bincount(labels.ravel(), steps.ravel(), count).astype(np.int64)


def sure(steps: np.ndarray, voxels: np.ndarray, least: float) -> np.ndarray:
    """Which objects have no lower mean than ``least``, by their sums and voxels, (n,) bool."""
    return steps >= np.float64(least) * STEPS * voxels
