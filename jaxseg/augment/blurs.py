"""Random filters in the yx plane, the same for all channels; the image continues as its mirror."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax

from jaxseg.augment import draw

Limit = float | Sequence[float]


def random_blur(key: jax.Array, image: jax.Array, *, limit: Limit) -> jax.Array:
    """The image under a Gaussian in the yx plane.

    Parameters
    ----------
    key : jax.Array
        Key of this sample.
    image : jax.Array
        (*S, C) float.
    limit : float or pair
        Lowest and highest standard deviation in voxels; a number is the highest, with 0 the lowest.

    Returns
    -------
    jax.Array
        (*S, C), of the type of the image.
    """
    limits = draw.pair(limit, 0.0)
    deviation = draw.uniform(key, limits, dtype=image.dtype)
    axes = (image.ndim - 3, image.ndim - 2)
    return gaussian(image, deviation, radius=math.ceil(3 * limits[1]), axes=axes)


def gaussian(
    array: jax.Array, deviation: jax.Array, *, radius: int, axes: Sequence[int]
) -> jax.Array:
    """An array under a Gaussian along some axes, cut off at a radius.

    Parameters
    ----------
    array : jax.Array
        Of any shape.
    deviation : jax.Array
        Standard deviation in voxels, a scalar.
    radius : int
        Voxels on each side that count.
    axes : sequence of int
        Where to filter.

    Returns
    -------
    jax.Array
        Of the same shape and type.
    """
    steps = jnp.arange(-radius, radius + 1, dtype=array.dtype)
    # Below a tenth of a voxel the Gaussian is a single weight; dividing by 0 would be NaN.
    weights = jnp.exp(-0.5 * jnp.square(steps / jnp.maximum(deviation, 0.1)))
    weights = weights / weights.sum()
    for axis in axes:
        length = array.shape[axis]
        padded = _mirrored(array, {axis: radius})
        filtered = jnp.zeros_like(array)
        for start, weight in enumerate(weights):
            filtered += weight * lax.slice_in_dim(padded, start, start + length, axis=axis)
        array = filtered
    return array


def random_median_blur(
    key: jax.Array, image: jax.Array, *, size: Sequence[int] = (3, 7)
) -> jax.Array:
    """The median of a square in the yx plane.

    Parameters
    ----------
    key : jax.Array
        Key of this sample.
    image : jax.Array
        (*S, C) float.
    size : pair of int
        Smallest and largest side of the square; sides are odd.

    Returns
    -------
    jax.Array
        (*S, C), of the type of the image.
    """
    smallest, largest = size[0] // 2, size[1] // 2
    radius = draw.integer(key, (smallest, largest))
    steps = range(-largest, largest + 1)
    offsets = list(itertools.product(steps, steps))
    distance = jnp.array([max(abs(y), abs(x)) for y, x in offsets])
    inside = (distance <= radius)[:, None, None, None]

    def filtered(plane: jax.Array) -> jax.Array:
        height, width, channels = plane.shape
        padded = _mirrored(plane, {0: largest, 1: largest})
        windows = jnp.stack(
            [
                lax.slice(
                    padded,
                    (y + largest, x + largest, 0),
                    (y + largest + height, x + largest + width, channels),
                )
                for y, x in offsets
            ]
        )
        # What lies outside the square sorts to the end.
        ordered = jnp.sort(jnp.where(inside, windows, jnp.inf), axis=0)
        middle = ((2 * radius + 1) ** 2 - 1) // 2
        return lax.dynamic_index_in_dim(ordered, middle, keepdims=False)

    if image.ndim == 3:
        return filtered(image)
    # Plane by plane, so that the windows of one only are in memory.
    return lax.map(filtered, image)


def random_motion_blur(
    key: jax.Array, image: jax.Array, *, size: Sequence[int] = (8, 12)
) -> jax.Array:
    """The mean along a straight line in the yx plane; all directions are equally likely.

    Parameters
    ----------
    key : jax.Array
        Key of this sample.
    image : jax.Array
        (*S, C) float.
    size : pair of int
        Shortest and longest line, in voxels.

    Returns
    -------
    jax.Array
        (*S, C), of the type of the image.
    """
    length_key, angle_key = jax.random.split(key)
    length = draw.integer(length_key, size)
    angle = draw.uniform(angle_key, (0.0, math.pi))
    return correlated(image, line(length, angle, longest=size[1]).astype(image.dtype))


def line(length: jax.Array, angle: jax.Array, *, longest: int) -> jax.Array:
    """The filter that takes the mean along a line.

    Parameters
    ----------
    length : jax.Array
        Points on the line, one voxel apart.
    angle : jax.Array
        From the x axis towards the y axis, in radians.
    longest : int
        Largest length, which fixes the shape.

    Returns
    -------
    jax.Array
        (K, K) weights that add up to 1; K is odd.

    Examples
    --------
    >>> (line(jnp.array(2), jnp.array(0.0), longest=3)[1] * 4).tolist()
    [1.0, 2.0, 1.0]
    """
    radius = math.ceil((longest - 1) / 2)
    steps = jnp.arange(-radius, radius + 1)
    points = jnp.arange(longest) - (length - 1) / 2
    there = jnp.arange(longest) < length
    y, x = points * jnp.sin(angle), points * jnp.cos(angle)
    # A point between voxels counts for the four around it, as in linear interpolation.
    rows = jnp.maximum(0, 1 - jnp.abs(steps - y[:, None])) * there[:, None]
    columns = jnp.maximum(0, 1 - jnp.abs(steps - x[:, None]))
    kernel = jnp.einsum("iy,ix->yx", rows, columns, precision=lax.Precision.HIGHEST)
    return kernel / kernel.sum()


def correlated(image: jax.Array, kernel: jax.Array) -> jax.Array:
    """The image under a filter in the yx plane.

    Parameters
    ----------
    image : jax.Array
        (*S, C).
    kernel : jax.Array
        (K, K), K odd.

    Returns
    -------
    jax.Array
        (*S, C).
    """
    radius, axis = len(kernel) // 2, image.ndim - 3
    padded = _mirrored(image, {axis: radius, axis + 1: radius})
    planes = jnp.moveaxis(padded, -1, 0).reshape(-1, 1, *padded.shape[-3:-1])
    found = lax.conv_general_dilated(
        planes, kernel[None, None], (1, 1), "VALID", precision=lax.Precision.HIGHEST
    )
    found = found.reshape(image.shape[-1], *image.shape[:-1])
    return jnp.moveaxis(found, 0, -1)


def _mirrored(array: jax.Array, radii: dict[int, int]) -> jax.Array:
    """An array continued as its mirror image along some axes."""
    widths = [(radii.get(axis, 0),) * 2 for axis in range(array.ndim)]
    return jnp.pad(array, widths, mode="reflect")
