"""Random parts of a patch that are emptied, made coarse or made noisy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.augment import draw

Truth = jax.Array | Mapping[str, jax.Array]


def random_cutout(
    key: jax.Array,
    image: jax.Array,
    labels: Any,
    *,
    boxes: Sequence[int] = (1, 3),
    side: Sequence[float] = (0.05, 0.3),
    value: float = 0.0,
    truth: bool = False,
) -> tuple[jax.Array, Any]:
    """Boxes in which the image has one value.

    Parameters
    ----------
    key : jax.Array
        Key of this sample.
    image : jax.Array
        (*S, C) float.
    labels : jax.Array or mapping of arrays
        (*S) or (*S, L) each.
    boxes : pair of int
        Fewest and most boxes.
    side : pair of float
        Smallest and largest side of a box, drawn for each axis, as a share of that of the patch.
    value : float
        What the image becomes there.
    truth : bool
        Make the labels 0 there, too.

    Returns
    -------
    image, labels
        Of the same shapes and types.
    """
    found = random_boxes(key, image.ndim - 1, count=boxes, side=side)
    covered = inside(found, image.shape[:-1])[..., None]
    image = jnp.where(covered, jnp.asarray(value, image.dtype), image)
    if truth:
        labels = jax.tree.map(lambda array: _emptied(array, found, image.ndim - 1), labels)
    return image, labels


def random_cutnoise(
    key: jax.Array,
    image: jax.Array,
    *,
    boxes: Sequence[int] = (1, 3),
    side: Sequence[float] = (0.2, 0.4),
    scale: Sequence[float] = (0.05, 0.1),
) -> jax.Array:
    """Boxes in which Gaussian noise is added.

    Parameters
    ----------
    key : jax.Array
        Key of this sample.
    image : jax.Array
        (*S, C) float.
    boxes : pair of int
        Fewest and most boxes.
    side : pair of float
        Smallest and largest side of a box, drawn for each axis, as a share of that of the patch.
    scale : pair of float
        Standard deviation of the noise as a share of the range of intensities of the channel.

    Returns
    -------
    jax.Array
        (*S, C), of the type of the image.
    """
    box_key, scale_key, noise_key = jax.random.split(key, 3)
    found = random_boxes(box_key, image.ndim - 1, count=boxes, side=side)
    covered = inside(found, image.shape[:-1])
    width = jnp.ptp(image, axis=tuple(range(image.ndim - 1)))
    deviation = draw.uniform(scale_key, tuple(scale), dtype=image.dtype) * width
    noise = deviation * jax.random.normal(noise_key, image.shape, image.dtype)
    return jnp.where(covered[..., None], image + noise, image)


def random_cutblur(
    key: jax.Array,
    image: jax.Array,
    *,
    side: Sequence[float] = (0.2, 0.4),
    down: Sequence[int] = (2, 8),
    inside_only: bool = True,
) -> jax.Array:
    """A box in which the image has a coarser resolution in yx, or all of it but the box.

    Parameters
    ----------
    key : jax.Array
        Key of this sample.
    image : jax.Array
        (*S, C) float.
    side : pair of float
        Smallest and largest side of the box, drawn for each axis, as a share of that of the patch.
    down : pair of int
        Smallest and largest side of the squares that get their mean, in voxels.
    inside_only : bool
        Always change the box; otherwise the box or its surroundings, equally likely.

    Returns
    -------
    jax.Array
        (*S, C), of the type of the image.
    """
    box_key, down_key, way_key = jax.random.split(key, 3)
    box = random_boxes(box_key, image.ndim - 1, count=(1, 1), side=side)
    covered = inside(box, image.shape[:-1])
    if not inside_only:
        covered = covered ^ jax.random.bernoulli(way_key)
    factor = draw.integer(down_key, down)
    coarse = image
    for axis in (image.ndim - 3, image.ndim - 2):
        coarse = block_means(coarse, factor, axis=axis)
    return jnp.where(covered[..., None], coarse, image)


def block_means(array: jax.Array, size: jax.Array, *, axis: int) -> jax.Array:
    """Every run of so many voxels along an axis replaced by its mean; the last may be shorter.

    Parameters
    ----------
    array : jax.Array
        Of any shape, floating point.
    size : jax.Array
        Voxels, a scalar.
    axis : int
        Along which.

    Returns
    -------
    jax.Array
        Of the same shape and type.

    Examples
    --------
    >>> block_means(jnp.array([1.0, 3.0, 5.0]), jnp.array(2), axis=0).tolist()
    [2.0, 2.0, 5.0]
    """
    length = array.shape[axis]
    first = jnp.arange(length) // size * size
    last = jnp.minimum(first + size, length)
    values = jnp.moveaxis(array, axis, -1).astype(jnp.float32)
    sums = jnp.pad(jnp.cumsum(values, axis=-1), [(0, 0)] * (array.ndim - 1) + [(1, 0)])
    means = (sums[..., last] - sums[..., first]) / (last - first)
    return jnp.moveaxis(means, -1, axis).astype(array.dtype)


def random_grid_mask(
    key: jax.Array,
    image: jax.Array,
    *,
    ratio: float = 0.6,
    period: Sequence[float] = (0.4, 1.0),
    rotate: float = 1.0,
    invert: bool = False,
) -> jax.Array:
    """A grid of squares in the yx plane in which the image is 0 (Chen et al. 2020).

    Parameters
    ----------
    key : jax.Array
        Key of this sample.
    image : jax.Array
        (*S, C) float.
    ratio : float
        Side of the visible bars between the squares as a share of the period.
    period : pair of float
        Smallest and largest period as a share of the shorter side of the patch.
    rotate : float
        Largest rotation of the grid as a share of 360 degrees.
    invert : bool
        Show the squares and empty the bars.

    Returns
    -------
    jax.Array
        (*S, C), of the type of the image.
    """
    period_key, place_key, angle_key = jax.random.split(key, 3)
    height, width = image.shape[-3:-1]
    step = draw.uniform(period_key, tuple(period)) * min(height, width)
    angle = draw.uniform(angle_key, (0.0, 2 * math.pi * rotate))
    offset = draw.uniform(place_key, (0.0, 1.0), (2,)) * step
    y = jnp.arange(height, dtype=jnp.float32)[:, None] - (height - 1) / 2
    x = jnp.arange(width, dtype=jnp.float32)[None, :] - (width - 1) / 2
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    empty = jnp.mod(cos * y + sin * x + offset[0], step) >= ratio * step
    empty &= jnp.mod(cos * x - sin * y + offset[1], step) >= ratio * step
    hidden = ~empty if invert else empty
    return jnp.where(hidden[..., None], jnp.zeros((), image.dtype), image)


def random_missing_sections(
    key: jax.Array,
    image: jax.Array,
    *,
    sections: Sequence[int] = (1, 3),
    channel_probability: float = 1.0,
) -> jax.Array:
    """Planes of a stack that become 0.

    Parameters
    ----------
    key : jax.Array
        Key of this sample.
    image : jax.Array
        (Z, Y, X, C) float.
    sections : pair of int
        Fewest and most planes that are lost; at most all but one.
    channel_probability : float
        Probability of each channel of such a plane to be lost.

    Returns
    -------
    jax.Array
        (Z, Y, X, C), of the type of the image.
    """
    count_key, place_key, channel_key = jax.random.split(key, 3)
    depth, channels = len(image), image.shape[-1]
    count = jnp.minimum(draw.integer(count_key, sections), depth - 1)
    lost = jax.random.permutation(place_key, depth) < count
    each = lost[:, None] & jax.random.bernoulli(channel_key, channel_probability, (depth, channels))
    return jnp.where(each[:, None, None], jnp.zeros((), image.dtype), image)


def random_boxes(
    key: jax.Array, ndim: int, *, count: Sequence[int], side: Sequence[float]
) -> jax.Array:
    """Boxes in a patch of side 1, anywhere inside it.

    Parameters
    ----------
    key : jax.Array
        Random key.
    ndim : int
        Spatial axes.
    count : pair of int
        Fewest and most boxes.
    side : pair of float
        Smallest and largest side, drawn anew for each axis.

    Returns
    -------
    jax.Array
        (most, 2, ndim) lower and upper corners; boxes beyond the number drawn are empty.
    """
    count_key, side_key, place_key = jax.random.split(key, 3)
    most = count[1]
    sides = draw.uniform(side_key, tuple(side), (most, ndim))
    low = draw.uniform(place_key, (0.0, 1.0), (most, ndim)) * (1 - sides)
    used = jnp.arange(most) < draw.integer(count_key, count)
    return jnp.stack([low, jnp.where(used[:, None], low + sides, low)], axis=1)


def inside(boxes: jax.Array, shape: Sequence[int]) -> jax.Array:
    """Which voxels have their centre in one of some boxes.

    Parameters
    ----------
    boxes : jax.Array
        (N, 2, ndim) lower and upper corners as shares of the sides.
    shape : sequence of int
        (z)yx.

    Returns
    -------
    jax.Array
        (*S) bool.

    Examples
    --------
    >>> inside(jnp.array([[[0.0, 0.5], [0.5, 1.0]]]), (2, 2)).tolist()
    [[False, True], [False, False]]
    """
    found = jnp.ones((len(boxes),) + (1,) * len(shape), bool)
    for axis, length in enumerate(shape):
        centres = jnp.asarray((np.arange(length) + 0.5) / length, jnp.float32)
        here = (boxes[:, :1, axis] <= centres) & (centres < boxes[:, 1:, axis])
        found &= here.reshape(
            len(boxes), *(length if at == axis else 1 for at in range(len(shape)))
        )
    return found.any(axis=0)


def _emptied(array: jax.Array, boxes: jax.Array, ndim: int) -> jax.Array:
    """A truth array that is 0 in some boxes, whatever its resolution."""
    covered = inside(boxes, array.shape[:ndim])
    covered = covered.reshape(*covered.shape, *(1,) * (array.ndim - ndim))
    return jnp.where(covered, jnp.zeros((), array.dtype), array)
