"""Random changes of place: the same for image and labels, which never mix ids."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def random_orientation(
    key: jax.Array,
    image: jax.Array,
    labels: jax.Array,
    *,
    flips: bool = True,
    quarter_turns: bool = True,
) -> tuple[jax.Array, jax.Array]:
    """Image and labels mirrored and turned, voxel by voxel; all outcomes are equally likely.

    Parameters
    ----------
    key : of this sample
    image : (*S, C)
    labels : (*S), or (*S, L) for several label images
    flips : mirror every axis or not
    quarter_turns : turn in the yx plane by multiples of 90°, of 180° if y and x differ in length

    Returns
    -------
    image, labels : of the same shapes
    """
    ndim = image.ndim - 1
    square = image.shape[ndim - 1] == image.shape[ndim - 2]
    exchange, *mirror = jax.random.bernoulli(key, shape=(1 + ndim,))
    exchange = exchange & (quarter_turns and square)
    if not flips:
        # A turn mirrors both axes, or one of them and exchanges the two.
        mirror[-1] = mirror[-1] & quarter_turns
        mirror[-2] = mirror[-1] ^ exchange
    axes = range(ndim) if flips else range(ndim - 2, ndim)

    def changed(array: jax.Array) -> jax.Array:
        if quarter_turns and square:
            array = jnp.where(exchange, jnp.swapaxes(array, ndim - 2, ndim - 1), array)
        for axis in axes:
            array = jnp.where(mirror[axis], jnp.flip(array, axis), array)
        return array

    return changed(image), changed(labels)


def random_rotation_zoom(
    key: jax.Array,
    image: jax.Array,
    labels: jax.Array,
    *,
    degrees: float = 0.0,
    zoom: float = 1.0,
) -> tuple[jax.Array, jax.Array]:
    """Image and labels turned and zoomed about the centre of the yx plane by one coordinate map.

    What comes in from outside is the mirror image at the border. An object may then appear twice
    under its id, as itself and as its mirror image.

    Parameters
    ----------
    key : of this sample
    image : (*S, C) float; linear interpolation
    labels : (*S) or (*S, L) int; nearest neighbour
    degrees : the angle is uniform between minus and plus this
    zoom : the factor is between 1 / zoom and zoom, its logarithm uniform

    Returns
    -------
    image, labels : of the same shapes
    """
    angle_key, zoom_key = jax.random.split(key)
    angle = jax.random.uniform(angle_key, minval=-1, maxval=1) * jnp.deg2rad(degrees)
    scale = jnp.exp(jax.random.uniform(zoom_key, minval=-1, maxval=1) * jnp.log(zoom))
    ndim = image.ndim - 1
    y, x = _plane_map(image.shape[ndim - 2 : ndim], angle, scale)
    return _linear(image, y, x), _nearest(labels, y, x, ndim)


def _plane_map(
    shape: tuple[int, ...], angle: jax.Array, scale: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """For every voxel of the result, where in the yx plane of the original it comes from."""
    height, width = shape
    y = jnp.arange(height)[:, None] - (height - 1) / 2
    x = jnp.arange(width)[None, :] - (width - 1) / 2
    cos, sin = jnp.cos(angle) / scale, jnp.sin(angle) / scale
    return (
        _reflected(cos * y + sin * x + (height - 1) / 2, height),
        _reflected(cos * x - sin * y + (width - 1) / 2, width),
    )


def _reflected(place: jax.Array, length: int) -> jax.Array:
    """Coordinates folded into [0, length - 1]; the outermost voxel is the mirror."""
    if length == 1:
        return jnp.zeros_like(place)
    last = length - 1
    return last - jnp.abs(jnp.mod(place, 2 * last) - last)


def _nearest(labels: jax.Array, y: jax.Array, x: jax.Array, ndim: int) -> jax.Array:
    height, width = labels.shape[ndim - 2 : ndim]
    index = jnp.round(y).astype(jnp.int32) * width + jnp.round(x).astype(jnp.int32)
    flat = labels.reshape(*labels.shape[: ndim - 2], height * width, *labels.shape[ndim:])
    return jnp.take(flat, index, axis=ndim - 2, mode="clip")


def _linear(image: jax.Array, y: jax.Array, x: jax.Array) -> jax.Array:
    height, width, channels = image.shape[-3:]
    flat = image.reshape(*image.shape[:-3], height * width, channels)
    low_y = jnp.clip(jnp.floor(y), 0, max(height - 2, 0)).astype(jnp.int32)
    low_x = jnp.clip(jnp.floor(x), 0, max(width - 2, 0)).astype(jnp.int32)
    part_y, part_x = (y - low_y)[..., None], (x - low_x)[..., None]
    corners = (
        (0, 0, (1 - part_y) * (1 - part_x)),
        (0, 1, (1 - part_y) * part_x),
        (1, 0, part_y * (1 - part_x)),
        (1, 1, part_y * part_x),
    )
    result = jnp.zeros_like(image)
    for step_y, step_x, weight in corners:
        index = (low_y + step_y) * width + low_x + step_x
        there = jnp.take(flat, index, axis=-2, mode="clip")
        result += weight.astype(image.dtype) * there
    return result
