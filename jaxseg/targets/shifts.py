"""Neighbours of every voxel as whole shifted arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp


def shifted(array: Any, offset: Sequence[int], *, fill: Any = 0) -> jax.Array:
    """An array moved by whole voxels: element ``p`` of the result is element ``p - offset``.

    Parameters
    ----------
    array : (*S, ...)
    offset : per leading axis, in voxels
    fill : value where ``p - offset`` lies outside

    Returns
    -------
    array of the same shape and type

    >>> shifted(jnp.array([1, 2, 3]), (1,)).tolist(), shifted(jnp.array([1, 2, 3]), (-5,)).tolist()
    ([0, 1, 2], [0, 0, 0])
    """
    array = jnp.asarray(array)
    clipped = [max(-n, min(n, step)) for n, step in zip(array.shape, offset, strict=False)]
    kept = tuple(
        slice(max(-step, 0), n - max(step, 0))
        for n, step in zip(array.shape, clipped, strict=False)
    )
    widths = [(max(step, 0), max(-step, 0)) for step in clipped]
    widths += [(0, 0)] * (array.ndim - len(widths))
    return jnp.pad(array[kept], widths, constant_values=fill)


def along(axis: int, step: int, ndim: int) -> tuple[int, ...]:
    """The offset of ``step`` voxels along one axis.

    >>> along(1, -2, 3)
    (0, -2, 0)
    """
    return tuple(step if place == axis else 0 for place in range(ndim))
