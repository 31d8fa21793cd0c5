"""Random changes of intensity, each drawn anew for every channel of the image.

Images come normalised, most values between 0 and 1. Nothing is clipped, so that the changes can
follow one another without losing information.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from jax import lax


def random_brightness(key: jax.Array, image: jax.Array, *, limit: float) -> jax.Array:
    """The image plus a constant, uniform between minus and plus ``limit``.

    Parameters
    ----------
    key : of this sample
    image : (*S, C) float
    limit : in units of the image

    Returns
    -------
    (*S, C), of the type of the image
    """
    return image + _uniform(key, image, limit)


def random_contrast(key: jax.Array, image: jax.Array, *, limit: float) -> jax.Array:
    """The deviation from the mean of the patch times a factor between 1 - limit and 1 + limit.

    Parameters
    ----------
    key : of this sample
    image : (*S, C) float
    limit : below 1, so that bright stays brighter than dark

    Returns
    -------
    (*S, C), of the type of the image
    """
    mean = image.mean(axis=tuple(range(image.ndim - 1)))
    return mean + (image - mean) * (1 + _uniform(key, image, limit))


def random_gamma(key: jax.Array, image: jax.Array, *, limit: float) -> jax.Array:
    """The image to a power between 1 / limit and limit; negative values keep their sign.

    Parameters
    ----------
    key : of this sample
    image : (*S, C) float
    limit : above 1; the logarithm of the exponent is uniform

    Returns
    -------
    (*S, C), of the type of the image; -1, 0 and 1 stay as they are
    """
    exponent = jnp.exp(_uniform(key, image, math.log(limit)))
    return jnp.sign(image) * jnp.abs(image) ** exponent


def random_noise(key: jax.Array, image: jax.Array, *, limit: float) -> jax.Array:
    """The image plus Gaussian noise of a standard deviation uniform between 0 and ``limit``.

    Parameters
    ----------
    key : of this sample
    image : (*S, C) float
    limit : in units of the image

    Returns
    -------
    (*S, C), of the type of the image
    """
    deviation_key, noise_key = jax.random.split(key)
    deviation = jnp.abs(_uniform(deviation_key, image, limit))
    return image + deviation * jax.random.normal(noise_key, image.shape, image.dtype)


def random_blur(key: jax.Array, image: jax.Array, *, limit: float) -> jax.Array:
    """The image under a Gaussian in the yx plane, standard deviation between 0 and ``limit``.

    The image continues as its mirror image. The same blur for all channels.

    Parameters
    ----------
    key : of this sample
    image : (*S, C) float
    limit : in voxels

    Returns
    -------
    (*S, C), of the type of the image
    """
    radius = math.ceil(3 * limit)
    deviation = jax.random.uniform(key, dtype=image.dtype, maxval=limit)
    steps = jnp.arange(-radius, radius + 1, dtype=image.dtype)
    # Below a tenth of a voxel the Gaussian is a single weight; dividing by 0 would be NaN.
    weights = jnp.exp(-0.5 * jnp.square(steps / jnp.maximum(deviation, 0.1)))
    weights = weights / weights.sum()
    for axis in (image.ndim - 3, image.ndim - 2):
        image = _filtered(image, weights, axis)
    return image


def _filtered(image: jax.Array, weights: jax.Array, axis: int) -> jax.Array:
    radius, length = len(weights) // 2, image.shape[axis]
    widths = [(radius, radius) if place == axis else (0, 0) for place in range(image.ndim)]
    padded = jnp.pad(image, widths, mode="reflect")
    filtered = jnp.zeros_like(image)
    for start, weight in enumerate(weights):
        filtered += weight * lax.slice_in_dim(padded, start, start + length, axis=axis)
    return filtered


def _uniform(key: jax.Array, image: jax.Array, limit: float) -> jax.Array:
    """One number between minus and plus ``limit`` per channel."""
    return jax.random.uniform(key, image.shape[-1:], image.dtype, minval=-limit, maxval=limit)
