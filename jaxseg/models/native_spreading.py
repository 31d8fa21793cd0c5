"""Transposed convolution whose kernel equals its stride, by compiled kernels.

XLA has a matrix product and a transposition of the whole result for it, and as much again for each
gradient; the kernels write every voxel where it belongs.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxseg.models import native


def covers(image: jax.Array, kernel: jax.Array) -> bool:
    """Whether the compiled kernels can do it."""
    return image.dtype == kernel.dtype == jnp.float32 and image.ndim in (4, 5) and image.size > 0


@jax.custom_vjp
def spread(image: jax.Array, kernel: jax.Array, bias: jax.Array) -> jax.Array:
    """Each voxel becomes a block of voxels.

    Parameters
    ----------
    image : (N, *S, C) float32
    kernel, bias : (*k, C, K) and (K,) float32; inside ``shard_map`` as different between devices as
        the image is, since the gradient given here is each device's own

    Returns
    -------
    (N, *S * k, K)
    """
    sizes = (n * k for n, k in zip(image.shape[1:-1], kernel.shape[:-2], strict=True))
    shape = (image.shape[0], *sizes, kernel.shape[-1])
    return native.call("jaxseg_spread", shape, image, kernel, bias)


def _forward(image: jax.Array, kernel: jax.Array, bias: jax.Array):
    return spread(image, kernel, bias), (image, kernel)


def _backward(saved, change: jax.Array):
    image, kernel = saved
    of_image = native.call("jaxseg_spread_of_image", image.shape, change, kernel)
    of_kernel = native.call("jaxseg_spread_of_kernel", kernel.shape, image, change)
    flat = (1, kernel.shape[-1])
    of_bias, _ = native.call("jaxseg_moments", (flat, flat), change)
    return of_image, of_kernel, of_bias[0]


spread.defvjp(_forward, _backward)
