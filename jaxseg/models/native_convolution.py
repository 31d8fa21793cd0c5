"""Convolution by compiled kernels where they gain, by XLA elsewhere; decided when it is traced.

With AVX-512 the kernels reach 80 to 90 % of what a core can compute. Beside XLA the result takes a
third of the time for one channel, half for 16, and about the same for 64 and more, where the gain
is that no thread waits for another and no kernel is transposed.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from jaxseg.models import native

# Rows shorter than this fill no registers: with more channels than these, XLA is faster there.
SHORT, FEW = 8, 128
# The kernels compute sixteen channels at a time, and fewer than this are not worth it.
LEAST = 8


def covers(
    image: jax.Array, kernel: jax.Array, strides: Sequence[int] | None, dilation: int
) -> bool:
    """Whether the compiled kernels can do a convolution, and gain something in it."""
    sizes, features = kernel.shape[:-2], kernel.shape[-1]
    return (
        image.dtype == kernel.dtype == jnp.float32
        and image.ndim in (4, 5)
        and all(step == 1 for step in strides or ())
        and dilation == 1
        and all(size % 2 == 1 for size in sizes)
        and math.prod(sizes) > 1
        and features >= LEAST
        and image.size > 0
    )


@functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
def conv(image: jax.Array, kernel: jax.Array, bias: jax.Array, plain: object) -> jax.Array:
    """Convolution with stride 1 and zeros around the image.

    Parameters
    ----------
    image : (N, *S, C) float32
    kernel, bias : (*k, C, K) and (K,) float32, odd sizes; inside ``shard_map`` as different between
        devices as the image is, since the gradient given here is each device's own
    plain : the function of image and kernel for what the compiled kernels do not gain in

    Returns
    -------
    (N, *S, K)
    """
    return _result(image, kernel, bias, plain)


def _gains(shape: Sequence[int], channels: int) -> bool:
    """Whether the kernels are fast for rows of such an image, with so many channels to sum over."""
    return channels <= FEW or shape[-2] >= SHORT


def _result(image: jax.Array, kernel: jax.Array, bias: jax.Array, plain) -> jax.Array:
    if not _gains(image.shape, image.shape[-1]):
        return plain(image, kernel) + bias
    return native.call("jaxseg_conv", (*image.shape[:-1], kernel.shape[-1]), image, kernel, bias)


def _forward(image: jax.Array, kernel: jax.Array, bias: jax.Array, plain):
    return _result(image, kernel, bias, plain), (image, kernel)


def _backward(plain, saved, change: jax.Array):
    image, kernel = saved
    if image.shape[-1] >= LEAST and _gains(image.shape, kernel.shape[-1]):
        of_image = native.call("jaxseg_conv_of_image", image.shape, change, kernel)
    else:
        # The result is linear in the image: XLA transposes it, and drops what is not asked for.
        (of_image,) = jax.linear_transpose(lambda x: plain(x, kernel), image)(change)
    of_kernel = native.call("jaxseg_conv_of_kernel", kernel.shape, image, change)
    flat = (1, kernel.shape[-1])
    of_bias, _ = native.call("jaxseg_moments", (flat, flat), change)
    return of_image, of_kernel, of_bias[0]


conv.defvjp(_forward, _backward)
