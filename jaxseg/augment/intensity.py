"""Random changes of intensity, each drawn anew for every channel of the image.

Images come normalised, most values between 0 and 1. Nothing is clipped, so that the changes can
follow one another without losing information.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import jax
import jax.numpy as jnp

from jaxseg.augment import draw

Limit = float | Sequence[float]
By = Literal["image", "slice"]
# Rec. 709, as in skimage.color.rgb2gray.
LUMINANCE = (0.2125, 0.7154, 0.0721)


def random_brightness(
    key: jax.Array, image: jax.Array, *, limit: Limit, by: By = "image"
) -> jax.Array:
    """The image plus a constant.

    Parameters
    ----------
    key : jax.Array
        Key of this sample.
    image : jax.Array
        (*S, C) float.
    limit : float or pair
        Lowest and highest constant, in units of the image; a number stands for minus to plus this.
    by : {"image", "slice"}
        One constant for the patch, or one for every plane of a stack.

    Returns
    -------
    jax.Array
        (*S, C), of the type of the image.

    Examples
    --------
    >>> image = jnp.zeros((2, 2, 1))
    >>> random_brightness(jax.random.key(0), image, limit=(0.5, 0.5)).ravel().tolist()
    [0.5, 0.5, 0.5, 0.5]
    """
    return image + draw.uniform(key, draw.symmetric(limit), _apart(image, by), image.dtype)


def random_contrast(
    key: jax.Array, image: jax.Array, *, limit: Limit, by: By = "image"
) -> jax.Array:
    """The deviation from the mean times a factor.

    Parameters
    ----------
    key : jax.Array
        Key of this sample.
    image : jax.Array
        (*S, C) float.
    limit : float or pair
        Lowest and highest change, above -1: the factor is 1 plus this, so that bright stays
        brighter than dark. A number stands for minus to plus this.
    by : {"image", "slice"}
        One factor and mean for the patch, or one for every plane of a stack.

    Returns
    -------
    jax.Array
        (*S, C), of the type of the image.

    Examples
    --------
    >>> image = jnp.array([0.0, 1.0]).reshape(1, 2, 1)
    >>> random_contrast(jax.random.key(0), image, limit=(1.0, 1.0)).ravel().tolist()
    [-0.5, 1.5]
    """
    axes = tuple(range(image.ndim - 1))
    stack = by == "slice" and image.ndim == 4
    mean = image.mean(axis=axes[1:], keepdims=True) if stack else image.mean(axis=axes)
    change = draw.uniform(key, draw.symmetric(limit), _apart(image, by), image.dtype)
    return mean + (image - mean) * (1 + change)


def random_gamma(key: jax.Array, image: jax.Array, *, limit: Limit) -> jax.Array:
    """The image to a power; negative values keep their sign.

    Parameters
    ----------
    key : jax.Array
        Key of this sample.
    image : jax.Array
        (*S, C) float.
    limit : float or pair
        Smallest and largest exponent, its logarithm is uniform; a number stands for its reciprocal
        to itself.

    Returns
    -------
    jax.Array
        (*S, C), of the type of the image; -1, 0 and 1 stay as they are.
    """
    exponent = draw.log_uniform(key, draw.reciprocal(limit), image.shape[-1:], image.dtype)
    return jnp.sign(image) * jnp.abs(image) ** exponent


def random_grayscale(key: jax.Array, image: jax.Array) -> jax.Array:
    """All channels become the luminance of three channels, else the mean; nothing is drawn.

    Parameters
    ----------
    key : jax.Array
        Not used.
    image : jax.Array
        (*S, C) float.

    Returns
    -------
    jax.Array
        (*S, C), of the type of the image.
    """
    channels = image.shape[-1]
    weights = jnp.array(LUMINANCE if channels == 3 else [1 / channels] * channels, image.dtype)
    gray = (image * weights).sum(axis=-1, keepdims=True)
    return jnp.broadcast_to(gray, image.shape)


def random_channel_order(key: jax.Array, image: jax.Array) -> jax.Array:
    """The channels in a random order.

    Parameters
    ----------
    key : jax.Array
        Key of this sample.
    image : jax.Array
        (*S, C).

    Returns
    -------
    jax.Array
        (*S, C), of the type of the image.
    """
    return jnp.take(image, jax.random.permutation(key, image.shape[-1]), axis=-1)


def _apart(image: jax.Array, by: By) -> tuple[int, ...]:
    """Shape of numbers that are drawn anew for every channel, and for every plane of a stack."""
    channels = image.shape[-1:]
    return (len(image), 1, 1, *channels) if by == "slice" and image.ndim == 4 else channels
