"""Where one label ends and another begins."""

from __future__ import annotations

import functools
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import lax

from jaxseg.targets.ids import compact
from jaxseg.targets.masks import foreground
from jaxseg.targets.shifts import along, shifted

Mode = Literal["thick", "inner", "outer", "subpixel", "dense"]
Window = tuple[int, ...]
AROUND, FORWARD = (1, -1), (-1,)


@functools.partial(jax.jit, static_argnames="mode")
def _boundary(labels: jax.Array, mode: Mode) -> jax.Array:
    if mode == "dense":
        return _lowest(labels, AROUND) != _highest(labels, AROUND)
    if mode == "subpixel":
        return _lowest(labels, FORWARD) != _highest(labels, FORWARD)
    marked = _differs_from_a_face_neighbour(labels)
    if mode == "inner":
        return marked & (labels > 0)
    if mode == "outer":
        return marked & ((labels == 0) | near_another_object(labels))
    return marked


def boundary(labels: Any, *, mode: Mode = "thick") -> jax.Array:
    """1 at the boundaries of objects, between touching objects as well; the image border is none.

    Parameters
    ----------
    labels : (*S) int
    mode : "thick": voxels with a face neighbour of another label, on both sides; "inner": only
        those inside objects; "outer": only those in the background, and where objects touch
        (within the full 8/26 neighbourhood) both sides; these three equal scikit-image's
        ``find_boundaries`` with connectivity 1. "dense": voxels with any neighbour of another
        label among all 8/26, on both sides. "subpixel": boundaries between voxels, on the grid of
        2n - 1 points per axis, reduced to n by the maximum over pairs of points, which keeps them
        one voxel thin: voxel ``p`` stands for the place between ``p`` and ``p + 1`` on every axis

    Returns
    -------
    (*S) float32; all 0 without objects and where one object covers everything

    >>> labels = jnp.array([0, 0, 1, 1, 1, 2, 2])
    >>> [boundary(labels, mode=mode).astype(int).tolist() for mode in ("thick", "inner")]
    [[0, 1, 1, 0, 1, 1, 0], [0, 0, 1, 0, 1, 1, 0]]
    >>> boundary(labels, mode="subpixel").astype(int).tolist()
    [0, 1, 0, 0, 1, 0, 0]
    """
    return _boundary(jnp.asarray(compact(labels)), mode).astype(jnp.float32)


def boundary_or_foreground(labels: Any, *, mode: Mode = "thick") -> jax.Array:
    """1 at the boundaries of objects and inside them.

    Parameters
    ----------
    labels, mode : as for :func:`boundary`

    Returns
    -------
    (*S) float32

    >>> boundary_or_foreground(jnp.array([0, 0, 1, 1, 1, 1])).tolist()
    [0.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    """
    return jnp.maximum(boundary(labels, mode=mode), foreground(labels))


def touching(labels: Any, *, thickness: int = 2) -> jax.Array:
    """1 where objects touch one another, through faces, edges or corners.

    Parameters
    ----------
    labels : (*S) int
    thickness : of the band, in voxels, half of it in either object; of an odd number the bigger
        half in both

    Returns
    -------
    (*S) float32; 0 in the background

    >>> touching(jnp.array([0, 1, 1, 1, 2, 2, 0, 3])).tolist()
    [0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    >>> touching(jnp.array([0, 1, 1, 1, 2, 2, 0, 3]), thickness=3).tolist()
    [0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0]
    """
    return _touching(jnp.asarray(compact(labels)), -(-thickness // 2))


@functools.partial(jax.jit, static_argnames="layers")
def _touching(labels: jax.Array, layers: int) -> jax.Array:
    band = near_another_object(labels) & (labels > 0)
    for _ in range(layers - 1):
        band = (_highest(band.astype(jnp.int8), AROUND) > 0) & (labels > 0)
    return band.astype(jnp.float32)


def near_another_object(labels: jax.Array) -> jax.Array:
    """Voxels with two objects among themselves and all their 8/26 neighbours.

    Parameters
    ----------
    labels : (*S) int32

    Returns
    -------
    (*S) bool
    """
    positive = jnp.where(labels > 0, labels, jnp.iinfo(labels.dtype).max)
    highest = _highest(labels, AROUND)
    return (highest > 0) & (_lowest(positive, AROUND) != highest)


def _differs_from_a_face_neighbour(labels: jax.Array) -> jax.Array:
    marked = jnp.zeros(labels.shape, bool)
    for axis in range(labels.ndim):
        before = lax.slice_in_dim(labels, 0, -1, axis=axis)
        changes = before != lax.slice_in_dim(labels, 1, None, axis=axis)
        widths = [(0, 0)] * labels.ndim
        for side in ((0, 1), (1, 0)):
            widths[axis] = side
            marked |= jnp.pad(changes, widths)
    return marked


def _lowest(labels: jax.Array, steps: Window) -> jax.Array:
    """Smallest label of the box that reaches ``steps`` along every axis, cut at the border."""
    largest = jnp.iinfo(labels.dtype).max
    for axis in range(labels.ndim):
        near = [shifted(labels, along(axis, step, labels.ndim), fill=largest) for step in steps]
        labels = functools.reduce(jnp.minimum, near, labels)
    return labels


def _highest(labels: jax.Array, steps: Window) -> jax.Array:
    """Largest label of the same box."""
    return -_lowest(-labels, steps)
