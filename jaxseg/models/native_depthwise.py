"""Convolution of each channel on its own, by compiled kernels."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxseg.models import native


def covers(image: jax.Array, kernel: jax.Array) -> bool:
    """Whether the compiled kernels can do it."""
    return (
        image.dtype == kernel.dtype == jnp.float32
        and image.ndim in (4, 5)
        and all(size % 2 == 1 for size in kernel.shape[:-1])
        and image.size > 0
    )


@jax.custom_vjp
def depthwise(image: jax.Array, kernel: jax.Array, bias: jax.Array) -> jax.Array:
    """Convolution of each channel on its own, with stride 1 and zeros around the image.

    Parameters
    ----------
    image : (N, *S, C) float32
    kernel, bias : (*k, C) and (C,) float32, odd sizes; inside ``shard_map`` as different between
        devices as the image is, since the gradient given here is each device's own

    Returns
    -------
    (N, *S, C)
    """
    return native.call("jaxseg_depthwise", image.shape, image, kernel, bias)


def _forward(image: jax.Array, kernel: jax.Array, bias: jax.Array):
    return depthwise(image, kernel, bias), (image, kernel)


def _backward(saved, change: jax.Array):
    image, kernel = saved
    of_image = native.call("jaxseg_depthwise_of_image", image.shape, change, kernel)
    of_kernel = native.call("jaxseg_depthwise_of_kernel", kernel.shape, image, change)
    flat = (1, kernel.shape[-1])
    of_bias, _ = native.call("jaxseg_moments", (flat, flat), change)
    return of_image, of_kernel, of_bias[0]


depthwise.defvjp(_forward, _backward)
