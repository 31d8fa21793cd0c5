"""Refinement: operations on objects, one after the other, in any order."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from jaxseg.config.option import checked_each
from jaxseg.config.postprocessing import Refine
from jaxseg.labels.morphology import dilate, erode
from jaxseg.labels.objects import fill_holes
from jaxseg.labels.removal import clear_border, remove_large_objects, remove_small_objects

Sizes = tuple[float, ...]
Step = Callable[[np.ndarray, Refine, Sizes], np.ndarray]


def refine(
    labels: np.ndarray,
    operations: Sequence[Refine],
    *,
    spacing: Sequence[float] | None = None,
) -> np.ndarray:
    """Apply operations in their order, each with its own value; the same may come again.

    Parameters
    ----------
    labels : (*S) non-negative integers, any ids; 0 = background
    operations : see :class:`jaxseg.config.Refine`
    spacing : size of a voxel, (z)yx, µm; None = 1; for values in µm

    Returns
    -------
    (*S) labels of the same type; ids stay, and nothing depends on them

    >>> refine(np.array([[0, 4, 4, 4, 0, 2, 0]]),
    ...        [Refine("remove_small_objects", (2,)), Refine("dilation", (1,))]).tolist()
    [[4, 4, 4, 4, 4, 0, 0]]
    """
    sizes = tuple(spacing) if spacing is not None else (1.0,) * labels.ndim
    return functools.reduce(
        lambda found, one: OPERATIONS[one.operation](found, one, sizes),
        checked_each(operations, Refine),
        labels.copy(),
    )


def radii_of(one: Refine, sizes: Sizes) -> tuple[float, ...]:
    """The radius in voxels per axis."""
    radii = one.value * len(sizes) if len(one.value) == 1 else one.value
    if one.unit == "voxel":
        return radii
    return tuple(radius / size for radius, size in zip(radii, sizes, strict=True))


def size_of(one: Refine, sizes: Sizes) -> float:
    """The size in voxels; rounded, so that a whole number is one."""
    return one.value[0] if one.unit == "voxel" else round(one.value[0] / math.prod(sizes), 6)


OPERATIONS: Mapping[str, Step] = MappingProxyType(
    {
        "dilation": lambda labels, one, sizes: dilate(labels, radii_of(one, sizes)),
        "erosion": lambda labels, one, sizes: erode(labels, radii_of(one, sizes)),
        "fill_holes": lambda labels, one, sizes: fill_holes(labels),
        "clear_border": lambda labels, one, sizes: clear_border(labels, z_faces=one.z_faces),
        "remove_small_objects": lambda labels, one, sizes: remove_small_objects(
            labels, size_of(one, sizes)
        ),
        "remove_large_objects": lambda labels, one, sizes: remove_large_objects(
            labels, size_of(one, sizes)
        ),
        "remove_big_objects": lambda labels, one, sizes: remove_large_objects(
            labels, size_of(one, sizes)
        ),
    }
)
