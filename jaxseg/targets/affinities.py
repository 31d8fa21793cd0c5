"""Whether two voxels a given offset apart belong to the same object."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxseg.errors import ConfigError
from jaxseg.targets.ids import compact
from jaxseg.targets.shifts import along, shifted

Offsets = tuple[tuple[int, ...], ...]

# Number of neighbours: by how many axes they may differ.
CONNECTIVITY = {2: {4: 1, 8: 2}, 3: {6: 1, 18: 2, 26: 3}}


def half_neighborhood(ndim: int, neighborhood: int = 0) -> Offsets:
    """One offset of every pair of opposite neighbours, in lexicographic order.

    Parameters
    ----------
    ndim : 2 or 3
    neighborhood : number of neighbours: 4, 8 in 2D, 6, 18, 26 in 3D; 0 = face neighbours only

    Returns
    -------
    offsets whose first component other than zero is positive

    Raises
    ------
    ConfigError : a number of neighbours that this dimension does not have

    >>> half_neighborhood(2, 8)
    ((0, 1), (1, -1), (1, 0), (1, 1))
    """
    legal = CONNECTIVITY[ndim]
    reach = legal.get(neighborhood or 2 * ndim)
    if reach is None:
        raise ConfigError(
            f"no such neighborhood in {ndim}D",
            expected=f"one of {', '.join(map(str, legal))}",
            found=neighborhood,
        )
    every = itertools.product((-1, 0, 1), repeat=ndim)
    return tuple(o for o in every if o > (0,) * ndim and sum(map(abs, o)) <= reach)


@functools.partial(jax.jit, static_argnames="width")
def set_apart(labels: jax.Array, *, width: int) -> jax.Array:
    """Labels without the voxels that have another object close by, in the same yx plane.

    Parameters
    ----------
    labels : (*S) int, 2D or 3D
    width : a voxel is dropped where the square of this many voxels to each side of it holds two
        objects; background between them does not matter

    Returns
    -------
    (*S) int, a new array; 0 gives the labels as they are

    >>> set_apart(jnp.array([[1, 1, 1, 2, 2, 0, 0]]), width=1).tolist()
    [[1, 1, 0, 0, 2, 0, 0]]
    """
    none = jnp.iinfo(labels.dtype).max
    highest, lowest = labels, jnp.where(labels > 0, labels, none)
    for axis in (labels.ndim - 2, labels.ndim - 1):
        steps = [along(axis, step, labels.ndim) for step in range(-width, width + 1) if step]
        around = [(shifted(highest, o), shifted(lowest, o, fill=none)) for o in steps]
        for high, low in around:
            highest, lowest = jnp.maximum(highest, high), jnp.minimum(lowest, low)
    return jnp.where(lowest < highest, 0, labels)


@functools.partial(jax.jit, static_argnames="offsets")
def _affinities(labels: jax.Array, offsets: Offsets) -> jax.Array:
    # The partner outside is background, so the pair does not count as one object.
    same = [(labels == shifted(labels, offset)) & (labels > 0) for offset in offsets]
    return jnp.stack(same, axis=-1).astype(jnp.float32)


def affinities(labels: Any, *, offsets: Sequence[Sequence[int]]) -> jax.Array:
    """1 where voxels ``p`` and ``p - offset`` belong to the same object, else 0.

    Parameters
    ----------
    labels : (*S) int
    offsets : one per column, in voxels, (z)yx

    Returns
    -------
    (*S, k) float32; 0 where the partner lies outside, see :func:`partner_inside`

    >>> affinities(jnp.array([1, 1, 2, 2]), offsets=((1,),))[..., 0].tolist()
    [0.0, 1.0, 0.0, 1.0]
    """
    labels = jnp.asarray(compact(labels))
    return _affinities(labels, tuple(tuple(offset) for offset in offsets))


def partner_inside(shape: Sequence[int], *, offsets: Sequence[Sequence[int]]) -> jax.Array:
    """Whether voxel ``p - offset`` lies inside the image.

    Parameters
    ----------
    shape : S
    offsets : one per column, in voxels, (z)yx

    Returns
    -------
    (*S, k) bool

    >>> partner_inside((3,), offsets=((1,), (-2,)))[..., 1].tolist()
    [True, False, False]
    """
    inside = jnp.ones(tuple(shape), bool)
    return jnp.stack([shifted(inside, offset, fill=False) for offset in offsets], axis=-1)
