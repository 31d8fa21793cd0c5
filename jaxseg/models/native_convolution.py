"""Three kinds of convolution by compiled kernels, by XLA elsewhere; decided when it is traced.

With AVX-512 the kernels reach 80 to 90 % of what a core can compute. Beside XLA a convolution takes
a third of the time for one channel, half for 16, nine tenths for 64 and more, and in 3D about half.
For XLA a transposed one is a matrix product and a transposition of the whole result, and as much
again for each gradient; the kernels write every voxel where it belongs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

from jaxseg.models import native

Shape = tuple[int, ...]

# The kernels compute sixteen channels at a time, and fewer than this are not worth it.
LEAST = 8


def covers(
    image: jax.Array, kernel: jax.Array, strides: Sequence[int] | None, dilation: int
) -> bool:
    """Whether the compiled kernels can do a convolution, and gain something in it."""
    return (
        covers_spread(image, kernel)
        and all(step == 1 for step in strides or ())
        and dilation == 1
        and all(size % 2 == 1 for size in kernel.shape[:-2])
        and kernel.shape[-1] >= LEAST
    )


def covers_depthwise(image: jax.Array, kernel: jax.Array) -> bool:
    """Whether the compiled kernels can do a convolution of single channels."""
    return covers_spread(image, kernel) and all(size % 2 == 1 for size in kernel.shape[:-1])


def covers_spread(image: jax.Array, kernel: jax.Array) -> bool:
    """Whether the compiled kernels can do a transposed convolution."""
    return image.dtype == kernel.dtype == jnp.float32 and image.ndim in (4, 5) and image.size > 0


def _operation(
    name: str, shape_of: Callable[[Shape, Shape], Shape]
) -> Callable[[jax.Array, jax.Array, jax.Array], jax.Array]:
    """A kind of convolution with its gradients: of an image (N, *S, C), a kernel and a bias.

    Inside ``shard_map`` kernel and bias must be as different between devices as the image is, since
    the gradient given here is each device's own.
    """

    @jax.custom_vjp
    def compute(image: jax.Array, kernel: jax.Array, bias: jax.Array) -> jax.Array:
        return native.call(name, shape_of(image.shape, kernel.shape), image, kernel, bias)

    def forward(image: jax.Array, kernel: jax.Array, bias: jax.Array):
        return compute(image, kernel, bias), (image, kernel)

    def backward(saved: tuple[jax.Array, jax.Array], change: jax.Array):
        image, kernel = saved
        of_image = native.call(f"{name}_of_image", image.shape, change, kernel)
        of_kernel = native.call(f"{name}_of_kernel", kernel.shape, image, change)
        flat = (1, kernel.shape[-1])
        of_bias, _ = native.call("jaxseg_moments", (flat, flat), change)
        return of_image, of_kernel, of_bias[0]

    compute.defvjp(forward, backward)
    return compute


def _spread_shape(image: Shape, kernel: Shape) -> Shape:
    sizes = (n * k for n, k in zip(image[1:-1], kernel[:-2], strict=True))
    return (image[0], *sizes, kernel[-1])


# Stride 1, zeros around the image; kernel (*k, C, K) of odd sizes, result (N, *S, K).
conv = _operation("jaxseg_conv", lambda image, kernel: (*image[:-1], kernel[-1]))
# Each channel on its own; kernel (*k, C) of odd sizes, result (N, *S, C).
depthwise = _operation("jaxseg_depthwise", lambda image, kernel: image)
# Each voxel becomes a block of voxels; kernel (*k, C, K), result (N, *S * k, K).
spread = _operation("jaxseg_spread", _spread_shape)
