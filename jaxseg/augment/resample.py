"""One resampling of a patch for all changes of place that are not exact.

The map goes from the voxels of the result to the patch, about its centre. In the yx plane it is a
matrix, for all planes or one for each, after a field of displacements; along z it is a scale and a
displacement of its own, so that interpolation in the plane and along z can follow one another and
are trilinear together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.config.augment import Border


class Affine(NamedTuple):
    """Where the voxels of the result come from, in voxels about the centre of the patch."""

    plane: jax.Array
    """(3, 3), or (Z, 3, 3) for one map per plane: (y, x, 1) of the result to that of the patch."""
    depth: jax.Array | None = None
    """(2,) factor and displacement along z; None = as it is, and not in the program."""

    def then(self, other: Affine) -> Affine:
        """Both changes, this one first."""
        plane = jnp.matmul(self.plane, other.plane, precision=jax.lax.Precision.HIGHEST)
        if self.depth is None or other.depth is None:
            return Affine(plane, other.depth if self.depth is None else self.depth)
        scale = self.depth[0] * other.depth[0]
        return Affine(plane, jnp.stack([scale, self.depth[0] * other.depth[1] + self.depth[1]]))

    def only_if(self, on: jax.Array | bool) -> Affine:
        """The change itself, or none."""
        if on is True:
            return self
        depth = None if self.depth is None else jnp.where(on, self.depth, jnp.array([1.0, 0.0]))
        return Affine(jnp.where(on, self.plane, jnp.eye(3)), depth)


class Places(NamedTuple):
    """Coordinates in the patch of every voxel of the result."""

    y: jax.Array
    """(Y, X), or (Z, Y, X)."""
    x: jax.Array
    """Like y."""
    z: jax.Array | None
    """(Z,), or None where every plane stays in its place."""


def places(
    affine: Affine, field: jax.Array | None, shape: Sequence[int], like: Sequence[int]
) -> Places:
    """Where every voxel of an array comes from.

    Parameters
    ----------
    affine : Affine
        The map, in voxels of the image.
    field : jax.Array or None
        (2, Y, X) displacements along y and x that come first, in voxels of the image.
    shape : sequence of int
        Spatial shape of the array, (z)yx.
    like : sequence of int
        Spatial shape of the image; the array may be finer or coarser.

    Returns
    -------
    Places
    """
    *_, height, width = shape
    fine = np.divide(shape[-2:], like[-2:]).astype(np.float32)
    y = jnp.asarray((np.arange(height, dtype=np.float32) - (height - 1) / 2) / fine[0])[:, None]
    x = jnp.asarray((np.arange(width, dtype=np.float32) - (width - 1) / 2) / fine[1])[None, :]
    if field is not None:
        if field.shape[1:] != (height, width):
            field = jax.image.resize(field, (2, height, width), "linear")
        y, x = y + field[0], x + field[1]
    matrix, z = affine.plane, None
    if matrix.ndim == 3:
        # A plane of a finer array moves as the plane of the image that it lies in.
        matrix = matrix[np.arange(shape[0]) * like[0] // shape[0]][:, None, None]
    if affine.depth is not None:
        fine_z = shape[0] / like[0]
        steps = (np.arange(shape[0], dtype=np.float32) - (shape[0] - 1) / 2) / fine_z
        z = (affine.depth[0] * steps + affine.depth[1]) * fine_z + (shape[0] - 1) / 2
    new_y = matrix[..., 0, 0] * y + matrix[..., 0, 1] * x + matrix[..., 0, 2]
    new_x = matrix[..., 1, 0] * y + matrix[..., 1, 1] * x + matrix[..., 1, 2]
    return Places(
        new_y * fine[0] + (height - 1) / 2,
        new_x * fine[1] + (width - 1) / 2,
        z,
    )


def resampled(
    array: jax.Array, at: Places, *, ndim: int, linear: bool, border: Border
) -> jax.Array:
    """The values of an array at other places.

    Parameters
    ----------
    array : jax.Array
        (*S, ...) of the spatial shape for which the places were made.
    at : Places
        Where to look.
    ndim : int
        Spatial axes.
    linear : bool
        Interpolate linearly; otherwise take the nearest voxel.
    border : {"reflect", "symmetric", "wrap", "constant"}
        What lies beyond the border, with the names of ``numpy.pad``; constant is 0.

    Returns
    -------
    jax.Array
        Of the same shape and type.
    """
    flat = array.reshape(*array.shape[:ndim], -1)
    if at.z is not None:
        flat = _along_z(flat, at.z, linear, border)
    if at.y.ndim == 2:
        return _in_plane(flat, at.y, at.x, linear, border).reshape(array.shape)
    move = jax.vmap(lambda plane, y, x: _in_plane(plane, y, x, linear, border))
    return move(flat, at.y, at.x).reshape(array.shape)


def _in_plane(
    array: jax.Array, y: jax.Array, x: jax.Array, linear: bool, border: Border
) -> jax.Array:
    """An array (..., Y, X, C) at places (Y, X) of its planes."""
    height, width, channels = array.shape[-3:]
    flat = array.reshape(*array.shape[:-3], height * width, channels)

    def taken(at_y: jax.Array, at_x: jax.Array) -> tuple[jax.Array, jax.Array | None]:
        row, inside_y = _folded(at_y, height, border)
        column, inside_x = _folded(at_x, width, border)
        found = jnp.take(flat, row * width + column, axis=-2, mode="clip")
        both = None if inside_y is None or inside_x is None else inside_y & inside_x
        return found, both

    if not linear:
        return _masked(*taken(jnp.round(y), jnp.round(x)))
    low_y, low_x = jnp.floor(y), jnp.floor(x)
    part_y, part_x = (y - low_y)[..., None], (x - low_x)[..., None]
    result = jnp.zeros_like(array)
    for step_y, step_x, weight in (
        (0, 0, (1 - part_y) * (1 - part_x)),
        (0, 1, (1 - part_y) * part_x),
        (1, 0, part_y * (1 - part_x)),
        (1, 1, part_y * part_x),
    ):
        there = _masked(*taken(low_y + step_y, low_x + step_x))
        result += weight.astype(array.dtype) * there
    return result


def _along_z(array: jax.Array, z: jax.Array, linear: bool, border: Border) -> jax.Array:
    """An array (Z, Y, X, C) at other places along z."""

    def taken(at: jax.Array) -> jax.Array:
        plane, inside = _folded(at, len(array), border)
        inside = None if inside is None else inside[:, None, None]
        return _masked(jnp.take(array, plane, axis=0, mode="clip"), inside)

    if not linear:
        return taken(jnp.round(z))
    low = jnp.floor(z)
    part = (z - low).astype(array.dtype)[:, None, None, None]
    return (1 - part) * taken(low) + part * taken(low + 1)


def _folded(place: jax.Array, length: int, border: Border) -> tuple[jax.Array, jax.Array | None]:
    """Whole coordinates brought into [0, length), and which lay there if the others are empty."""
    index = place.astype(jnp.int32)
    if border == "constant":
        return jnp.clip(index, 0, length - 1), (index >= 0) & (index < length)
    if border == "wrap" or length == 1:
        return jnp.mod(index, length), None
    # One period holds the axis and its mirror image, with the outermost voxels once or twice.
    period = 2 * length if border == "symmetric" else 2 * length - 2
    index = jnp.mod(index, period)
    return jnp.minimum(index, (period - 1 if border == "symmetric" else period) - index), None


def _masked(found: jax.Array, inside: jax.Array | None) -> jax.Array:
    if inside is None:
        return found
    return jnp.where(inside[..., None], found, jnp.zeros((), found.dtype))
