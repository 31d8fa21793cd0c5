"""Three kinds of convolution by compiled kernels, by XLA elsewhere; decided when it is traced.

With AVX-512 the kernels reach 80 to 90 % of what a core can compute, and with AVX2, too, they need
two thirds of the products where they are three wide and channels a multiple of sixteen
(native/pairs.cc). Beside XLA a convolution takes an eighth of the time for one channel, a third for
16, two thirds for 64 and more, and in 3D a sixth or less. For XLA a transposed one is a matrix
product and a transposition of the whole result, and as much again for each gradient; the kernels
write every voxel where it belongs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp

from jaxseg.models import native

Shape = tuple[int, ...]
Kernel: TypeAlias = jax.Array | jax.ShapeDtypeStruct

# The kernels compute sixteen channels at a time, and fewer than this are not worth it.
LEAST = 8
# A matrix product with more channels than this on both sides takes XLA no longer; with 16 to 64 it
# takes up to three times as long.
NARROW = 64


def covers(image: jax.Array, kernel: Kernel, strides: Sequence[int] | None, dilation: int) -> bool:
    """Whether the compiled kernels can do a convolution, and gain something in it."""
    return (
        covers_spread(image, kernel)
        and all(step == 1 for step in strides or ())
        and dilation == 1
        and all(size % 2 == 1 for size in kernel.shape[:-2])
        and kernel.shape[-1] >= LEAST
    )


def covers_linear(image: jax.Array, kernel: Kernel) -> bool:
    """Whether the compiled kernels can do a product with (C, K) at each voxel, and gain by it."""
    taps = jax.ShapeDtypeStruct((1,) * (image.ndim - 2) + kernel.shape, kernel.dtype)
    return min(kernel.shape) <= NARROW and covers(image, taps, None, 1)


def covers_depthwise(image: jax.Array, kernel: jax.Array) -> bool:
    """Whether the compiled kernels can do a convolution of single channels."""
    return covers_spread(image, kernel) and all(size % 2 == 1 for size in kernel.shape[:-1])


def covers_spread(image: jax.Array, kernel: Kernel) -> bool:
    """Whether the compiled kernels can do a transposed convolution."""
    return image.dtype == kernel.dtype == jnp.float32 and image.ndim in (4, 5) and image.size > 0


class Fixed(NamedTuple):
    """What follows a convolution and does not depend on its result."""

    factor: jax.Array
    """(K,) of a normalisation by running statistics."""
    shift: jax.Array
    """(K,)"""
    activation: str
    """A name in ``native.ACTIVATIONS``."""


def _operation(name: str, shape_of: Callable[[Shape, Shape], Shape]) -> Callable[..., jax.Array]:
    """A kind of convolution with its gradients: of an image (N, *S, C), a kernel and a bias.

    Inside ``shard_map`` kernel and bias must be as different between devices as the image is, since
    the gradient given here is each device's own.

    What is ``fixed`` is computed with it: the factor goes into the kernel, and every pixel is
    activated before it leaves the cache, so that one pass over the result takes the place of three.
    """

    @functools.partial(jax.custom_vjp, nondiff_argnums=(3,))
    def compute(image: jax.Array, kernel: jax.Array, bias: jax.Array, activation: str) -> jax.Array:
        shape = shape_of(image.shape, kernel.shape)
        if activation == "none":
            return native.call(name, shape, image, kernel, bias)
        number = native.ACTIVATIONS[activation]
        return native.call(f"{name}_activated", shape, image, kernel, bias, activation=number)

    def forward(image: jax.Array, kernel: jax.Array, bias: jax.Array, activation: str):
        result = compute(image, kernel, bias, activation)
        return result, (image, kernel, None if activation == "none" else result)

    def backward(activation: str, saved: tuple[Any, ...], change: jax.Array):
        image, kernel, result = saved
        # Where the result is negative, ELU has the slope result + 1, and ReLU none.
        if activation == "elu":
            change = change * (jnp.minimum(result, 0) + 1)
        elif activation == "relu":
            change = change * (result > 0)
        of_image = native.call(f"{name}_of_image", image.shape, change, kernel)
        of_kernel = native.call(f"{name}_of_kernel", kernel.shape, image, change)
        flat = (1, kernel.shape[-1])
        of_bias, _ = native.call("jaxseg_moments", (flat, flat), change)
        return of_image, of_kernel, of_bias[0]

    compute.defvjp(forward, backward)

    def convolve(
        image: jax.Array, kernel: jax.Array, bias: jax.Array | None, fixed: Fixed | None = None
    ) -> jax.Array:
        if bias is None:
            bias = jnp.zeros_like(kernel, shape=kernel.shape[-1:])
        if fixed is None:
            return compute(image, kernel, bias, "none")
        kernel, bias = kernel * fixed.factor, bias * fixed.factor + fixed.shift
        return compute(image, kernel, bias, fixed.activation)

    return convolve


def linear(image: jax.Array, kernel: jax.Array, bias: jax.Array | None) -> jax.Array:
    """A matrix product (C, K) over the channels of an image (N, *S, C)."""
    return conv(image, kernel[(None,) * (image.ndim - 2)], bias)


def _spread_shape(image: Shape, kernel: Shape) -> Shape:
    sizes = (n * k for n, k in zip(image[1:-1], kernel[:-2], strict=True))
    return (image[0], *sizes, kernel[-1])


# Stride 1, zeros around the image; kernel (*k, C, K) of odd sizes, result (N, *S, K).
conv = _operation("jaxseg_conv", lambda image, kernel: (*image[:-1], kernel[-1]))
# Each channel on its own; kernel (*k, C) of odd sizes, result (N, *S, C); takes nothing fixed.
depthwise = _operation("jaxseg_depthwise", lambda image, kernel: image)
# Each voxel becomes a block of voxels; kernel (*k, C, K), result (N, *S * k, K).
spread = _operation("jaxseg_spread", _spread_shape)
