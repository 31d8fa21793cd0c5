"""Normalisation and activation as one operation with its own gradient, by compiled kernels.

What is kept for the gradient is the input and a factor and a shift per channel; everything else is
computed again, which costs less than to read it back from memory.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from jaxseg.models import native

KINDS = ("in", "gn", "bn")


class Options(NamedTuple):
    """What decides the operation beside its arrays."""

    groups: int
    """Neighbouring channels that share statistics, as a number of groups; 0 = each its own."""
    batch: bool
    """Whether the statistics are those of the whole batch, instead of each sample."""
    activation: str
    """A name in ``native.ACTIVATIONS``."""
    axis: str | None
    """Mesh axis that the batch is spread over; its statistics are those of all devices."""
    epsilon: float


def covers(image: jax.Array, kind: str, activation: str) -> bool:
    """Whether the compiled kernels can do it."""
    return (
        image.dtype == jnp.float32
        and image.size > 0
        and kind in KINDS
        and activation in native.ACTIVATIONS
    )


@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def norm_act(
    image: jax.Array, scale: jax.Array, bias: jax.Array, options: Options
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The activated image, and the statistics that were used, which have no gradient.

    Parameters
    ----------
    image : (N, *S, C) float32
    scale, bias : (C,) float32; inside ``shard_map`` as different between devices as the image is
    options : see there

    Returns
    -------
    image (N, *S, C), mean (G, C), variance (G, C); G = N, or 1 for statistics of the batch
    """
    return _result(image, scale, bias, options)[0]


def _vary(value: jax.Array, axis: str | None) -> jax.Array:
    return lax.pcast(value, axis, to="varying") if axis else value


def _shared(first: jax.Array, second: jax.Array, options: Options) -> jax.Array:
    """Means of two values over what shares statistics, given back to each channel: (2, G, C)."""
    # Both at once, since devices wait for each other whenever they exchange something.
    both = jnp.stack([first, second])
    if options.groups:
        means = both.reshape(*both.shape[:2], options.groups, -1).mean(-1)
        both = jnp.repeat(means, both.shape[-1] // options.groups, axis=-1)
    if options.batch and options.axis:
        both = _vary(lax.pmean(both, options.axis), options.axis)
    return both


def _count(image: jax.Array, options: Options) -> tuple[int, int]:
    """Groups of samples, and voxels of each of them."""
    groups = 1 if options.batch else image.shape[0]
    return groups, image.size // (groups * image.shape[-1])


def _result(image: jax.Array, scale: jax.Array, bias: jax.Array, options: Options):
    groups, voxels = _count(image, options)
    flat = (groups, image.shape[-1])
    sums, squares = native.call("jaxseg_moments", (flat, flat), image)
    mean, square = _shared(sums / voxels, squares / voxels, options)
    variance = jnp.maximum(square - mean**2, 0)
    root = lax.rsqrt(variance + options.epsilon)
    factor = scale * root
    shift = bias - mean * factor
    number = native.ACTIVATIONS[options.activation]
    result = native.call("jaxseg_norm", image.shape, image, factor, shift, activation=number)
    return (result, mean, variance), (image, scale, factor, shift, mean, root)


def _backward(options: Options, saved, changes):
    image, scale, factor, shift, mean, root = saved
    change, number = changes[0], native.ACTIVATIONS[options.activation]
    _, voxels = _count(image, options)
    flat = factor.shape
    sums, products = native.call(
        "jaxseg_norm_sums", (flat, flat), image, change, factor, shift, activation=number
    )
    # Sum of change times the normalised image.
    along = root * (products - mean * sums)
    of_scale, of_bias = along.sum(0), sums.sum(0)
    along, sums = _shared(scale * along, scale * sums, options)
    slope = -(root**2) * along / voxels
    offset = -root * sums / voxels - slope * mean
    of_image = native.call(
        "jaxseg_norm_back", image.shape, image, change, factor, shift, slope, offset,
        activation=number,
    )  # fmt: skip
    return of_image, of_scale, of_bias


norm_act.defvjp(_result, _backward)
