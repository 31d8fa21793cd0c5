"""Random changes of one training patch: geometry on image and labels, intensities on the image.

Every function takes the key first, one key per sample, so that a batch is changed the same way on
any number of devices. Whatever is off costs nothing: it is not in the compiled program.
"""

from __future__ import annotations

import jax

from jaxseg.augment.geometry import random_orientation, random_rotation_zoom
from jaxseg.augment.intensity import (
    random_blur,
    random_brightness,
    random_contrast,
    random_gamma,
    random_noise,
)
from jaxseg.config import Augment

__all__ = [
    "random_augment",
    "random_blur",
    "random_brightness",
    "random_contrast",
    "random_gamma",
    "random_noise",
    "random_orientation",
    "random_rotation_zoom",
]


def random_augment(
    key: jax.Array, image: jax.Array, labels: jax.Array, *, settings: Augment
) -> tuple[jax.Array, jax.Array]:
    """One patch, changed at random.

    First the geometry: mirror images, quarter turns, rotation and zoom. Then, on the image only:
    blur, gamma, contrast, brightness, noise.

    Parameters
    ----------
    key : of this sample
    image : (*S, C) float, normalised: most values in [0, 1]
    labels : (*S) int, or (*S, L) for several label images, which move alike
    settings : what may change, and how far; static under jit

    Returns
    -------
    image : (*S, C) float of the same type, not clipped
    labels : of the same shape; every voxel has an id that was there before

    >>> image, labels = jax.numpy.zeros((4, 4, 1)), jax.numpy.ones((4, 4), int)
    >>> image, labels = random_augment(jax.random.key(0), image, labels, settings=Augment())
    >>> image.shape, int(labels.min())
    ((4, 4, 1), 1)
    """
    keys = jax.random.split(key, 7)
    if settings.flips or settings.rot90:
        image, labels = random_orientation(
            keys[0], image, labels, flips=settings.flips, quarter_turns=settings.rot90
        )
    if settings.rotate or settings.zoom != 1:
        image, labels = random_rotation_zoom(
            keys[1], image, labels, degrees=settings.rotate, zoom=settings.zoom
        )
    changes = (
        (random_blur, settings.blur, 0.0),
        (random_gamma, settings.gamma, 1.0),
        (random_contrast, settings.contrast, 0.0),
        (random_brightness, settings.brightness, 0.0),
        (random_noise, settings.noise, 0.0),
    )
    for change_key, (change, limit, off) in zip(keys[2:], changes, strict=True):
        if limit != off:
            image = change(change_key, image, limit=limit)
    return image, labels
