"""Convolution by compiled kernels where they gain, by XLA elsewhere; decided when it is traced.

With AVX-512 the kernels reach 80 to 90 % of what a core can compute. Beside XLA the result takes a
third of the time for one channel, half for 16, nine tenths for 64 and more; in 3D half and less.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from jaxseg.models import native

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
        and features >= LEAST
        and image.size > 0
    )


@jax.custom_vjp
def conv(image: jax.Array, kernel: jax.Array, bias: jax.Array) -> jax.Array:
    """Convolution with stride 1 and zeros around the image.

    Parameters
    ----------
    image : (N, *S, C) float32
    kernel, bias : (*k, C, K) and (K,) float32, odd sizes; inside ``shard_map`` as different between
        devices as the image is, since the gradient given here is each device's own

    Returns
    -------
    (N, *S, K)
    """
    return native.call("jaxseg_conv", (*image.shape[:-1], kernel.shape[-1]), image, kernel, bias)


def _forward(image: jax.Array, kernel: jax.Array, bias: jax.Array):
    return conv(image, kernel, bias), (image, kernel)


def _backward(saved, change: jax.Array):
    image, kernel = saved
    of_image = native.call("jaxseg_conv_of_image", image.shape, change, kernel)
    of_kernel = native.call("jaxseg_conv_of_kernel", kernel.shape, image, change)
    flat = (1, kernel.shape[-1])
    of_bias, _ = native.call("jaxseg_moments", (flat, flat), change)
    return of_image, of_kernel, of_bias[0]


conv.defvjp(_forward, _backward)
