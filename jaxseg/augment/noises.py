"""Random noise on an image; nothing is clipped."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from jaxseg.augment import draw

Limit = float | Sequence[float]


def random_noise(
    key: jax.Array, image: jax.Array, *, limit: Limit, mean: float = 0.0, relative: bool = False
) -> jax.Array:
    """The image plus Gaussian noise, of another strength in every channel.

    Parameters
    ----------
    key : jax.Array
        Key of this sample.
    image : jax.Array
        (*S, C) float.
    limit : float or pair
        Lowest and highest standard deviation, in units of the image; a number is the highest, with
        0 the lowest.
    mean : float
        Mean of the noise.
    relative : bool
        Deviation and mean are in units of the deviation of the channel in this patch.

    Returns
    -------
    jax.Array
        (*S, C), of the type of the image.
    """
    deviation_key, noise_key = jax.random.split(key)
    limits = draw.pair(limit, 0.0)
    deviation = draw.uniform(deviation_key, limits, image.shape[-1:], image.dtype)
    noise = deviation * jax.random.normal(noise_key, image.shape, image.dtype)
    if mean:
        noise = noise + jnp.asarray(mean, image.dtype)
    if relative:
        noise = noise * image.std(axis=tuple(range(image.ndim - 1)))
    return image + noise


def random_poisson(
    key: jax.Array, image: jax.Array, *, peak: Sequence[float] = (20.0, 200.0)
) -> jax.Array:
    """Shot noise: the image as if so many photons were counted; negative values stay.

    Parameters
    ----------
    key : jax.Array
        Key of this sample.
    image : jax.Array
        (*S, C) float.
    peak : pair of float
        Fewest and most photons at intensity 1, their logarithm is uniform.

    Returns
    -------
    jax.Array
        (*S, C), of the type of the image; the mean of many draws is the image.
    """
    peak_key, count_key = jax.random.split(key)
    photons = draw.log_uniform(peak_key, tuple(peak))
    light = jnp.maximum(image, 0).astype(jnp.float32)
    counted = jax.random.poisson(count_key, light * photons) / photons
    return image + (counted - light).astype(image.dtype)


def random_salt(key: jax.Array, image: jax.Array, *, amount: Limit = 0.05) -> jax.Array:
    """Voxels that become the largest value of their channel in the patch.

    Parameters
    ----------
    key : jax.Array
        Key of this sample.
    image : jax.Array
        (*S, C) float.
    amount : float or pair
        Lowest and highest share of the voxels; a number is the highest, with 0 the lowest.

    Returns
    -------
    jax.Array
        (*S, C), of the type of the image.
    """
    return random_salt_and_pepper(key, image, amount=amount, salt=1.0)


def random_pepper(key: jax.Array, image: jax.Array, *, amount: Limit = 0.05) -> jax.Array:
    """Voxels that become the smallest value of their channel in the patch.

    Parameters
    ----------
    key : jax.Array
        Key of this sample.
    image : jax.Array
        (*S, C) float.
    amount : float or pair
        Lowest and highest share of the voxels; a number is the highest, with 0 the lowest.

    Returns
    -------
    jax.Array
        (*S, C), of the type of the image.
    """
    return random_salt_and_pepper(key, image, amount=amount, salt=0.0)


def random_salt_and_pepper(
    key: jax.Array, image: jax.Array, *, amount: Limit = 0.05, salt: float = 0.5
) -> jax.Array:
    """Voxels that become the largest or the smallest value of their channel in the patch.

    Parameters
    ----------
    key : jax.Array
        Key of this sample.
    image : jax.Array
        (*S, C) float.
    amount : float or pair
        Lowest and highest share of the voxels; a number is the highest, with 0 the lowest.
    salt : float
        Share of the largest value among them.

    Returns
    -------
    jax.Array
        (*S, C), of the type of the image.
    """
    amount_key, place_key = jax.random.split(key)
    share = draw.uniform(amount_key, draw.pair(amount, 0.0))
    # One number per voxel says both whether it is changed and into what.
    place = draw.uniform(place_key, (0.0, 1.0), image.shape)
    axes = tuple(range(image.ndim - 1))
    if salt:
        image = jnp.where(place < share * salt, image.max(axis=axes), image)
    if salt < 1:
        pepper = (share * salt <= place) & (place < share)
        image = jnp.where(pepper, image.min(axis=axes), image)
    return image


def random_dropout(key: jax.Array, image: jax.Array, *, share: Limit = 0.2) -> jax.Array:
    """Single voxels that become 0 in all channels.

    Parameters
    ----------
    key : jax.Array
        Key of this sample.
    image : jax.Array
        (*S, C) float.
    share : float or pair
        Lowest and highest share of the voxels; a number is the highest, with 0 the lowest.

    Returns
    -------
    jax.Array
        (*S, C), of the type of the image.
    """
    share_key, place_key = jax.random.split(key)
    lost = draw.uniform(share_key, draw.pair(share, 0.0))
    kept = draw.uniform(place_key, (0.0, 1.0), image.shape[:-1]) >= lost
    return jnp.where(kept[..., None], image, jnp.zeros((), image.dtype))
