"""Growing and shrinking objects by ellipsoids of voxels, all objects at once.

The ellipsoid of radii r holds the offsets i with ``sum((i / r) ** 2) <= 1``; along an axis of
radius 0 only ``i = 0``. Growing stops at the image border, and the border shrinks nothing.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxseg.errors import ConfigError
from jaxseg.targets.nearest import other_label_distance

Radius = int | Sequence[int]
# Between rounding and the next voxel outside an ellipsoid.
ROUNDING = 1e-5


def radii(radius: Radius, ndim: int) -> tuple[int, ...]:
    """One radius per axis.

    Raises
    ------
    ConfigError : another number of radii than axes

    >>> radii(2, 3), radii((0, 1), 2)
    ((2, 2, 2), (0, 1))
    """
    listed = (radius,) * ndim if isinstance(radius, int) else tuple(radius)
    if len(listed) != ndim:
        raise ConfigError(
            "wrong number of radii", expected=f"one, or {ndim} ({'zyx'[-ndim:]})", found=radius
        )
    return listed


def ellipsoid(radius: Sequence[int]) -> np.ndarray:
    """Offsets from the centre of an ellipsoid to its voxels.

    Parameters
    ----------
    radius : per axis, in voxels

    Returns
    -------
    (n, ndim) int32

    >>> ellipsoid((0, 1)).tolist(), len(ellipsoid((2, 2)))
    ([[0, -1], [0, 0], [0, 1]], 13)
    """
    offsets = np.array(list(itertools.product(*(range(-r, r + 1) for r in radius))), np.int32)
    square = ((offsets / np.maximum(radius, 1)) ** 2).sum(axis=1)
    return offsets[square <= 1 + ROUNDING]


def eroded(labels: Any, *, radius: Radius) -> Any:
    """Every object without the voxels whose ellipsoid reaches out of it.

    Parameters
    ----------
    labels : (*S) int32
    radius : of the ellipsoid in voxels, one or one per axis

    Returns
    -------
    (*S) labels of the same type; touching objects part

    >>> eroded(np.array([1, 1, 1, 2, 2, 2]), radius=1).tolist()
    [1, 1, 0, 0, 2, 2]
    """
    sizes = radii(radius, labels.ndim)
    if not any(sizes):
        return labels
    return (_distance(labels, sizes) > 1 + ROUNDING) * labels


def dilated(mask: Any, *, radius: Radius) -> jax.Array:
    """Voxels whose ellipsoid meets a mask.

    Parameters
    ----------
    mask : (*S) bool
    radius : of the ellipsoid in voxels, one or one per axis

    Returns
    -------
    (*S) bool

    >>> dilated(np.array([False, False, True]), radius=1).tolist()
    [False, True, True]
    """
    sizes = radii(radius, mask.ndim)
    if any(sizes):
        mask = mask | (_distance(mask.astype("int32"), sizes) <= 1 + ROUNDING) & mask.any()
    return jnp.asarray(mask)


def _distance(labels: Any, sizes: Sequence[int]) -> Any:
    """Distance to another label in units of the radii; above 1 outside the ellipsoid."""
    spacing = tuple(1 / size if size else 2.0 for size in sizes)
    return other_label_distance(labels, spacing=spacing, max_distance=sizes)


@functools.partial(jax.jit, static_argnames=("grow", "shrink"))
def closed(labels: jax.Array, *, grow: tuple[int, ...], shrink: tuple[int, ...]) -> jax.Array:
    """Voxels of objects that are each dilated, then eroded, by itself.

    Dilated objects overlap, so every voxel looks through the objects near it, in the order of their
    ids: the objects of an image take as many turns as the ellipsoid of any one voxel holds.

    Parameters
    ----------
    labels : (*S) int32
    grow, shrink : radii of the ellipsoids in voxels, per axis

    Returns
    -------
    (*S) bool
    """
    margin = np.add(grow, shrink)
    widths = [(int(m), int(m)) for m in margin]
    around, image = jnp.pad(labels, widths), jnp.pad(jnp.ones(labels.shape, bool), widths)
    near, far = jnp.asarray(ellipsoid(grow)), jnp.asarray(ellipsoid(shrink))
    nobody = jnp.iinfo(jnp.int32).max

    def at(array: jax.Array, offset: jax.Array) -> jax.Array:
        return lax.dynamic_slice(array, margin + offset, labels.shape)

    def following(label: jax.Array) -> jax.Array:
        def smaller(i: jax.Array, least: jax.Array) -> jax.Array:
            other = at(around, near[i])
            return jnp.where(other > label, jnp.minimum(least, other), least)

        return lax.fori_loop(0, len(near), smaller, jnp.full_like(labels, nobody))

    def covered(label: jax.Array) -> jax.Array:
        def reached(i: jax.Array, offset: jax.Array, found: jax.Array) -> jax.Array:
            return found | (at(around, offset + near[i]) == label)

        def all_reached(i: jax.Array, whole: jax.Array) -> jax.Array:
            one = functools.partial(reached, offset=far[i])
            found = lax.fori_loop(
                0, len(near), lambda j, found: one(j, found=found), ~at(image, far[i])
            )
            return whole & found

        return lax.fori_loop(0, len(far), all_reached, label < nobody)

    def turn(state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        label, found = state
        return following(label), found | covered(label)

    first = following(jnp.zeros_like(labels)), jnp.zeros(labels.shape, bool)
    return lax.while_loop(lambda state: (state[0] < nobody).any(), turn, first)[1]
