"""Convolution, pooling and upsampling as pure functions, in the form that each backend runs well.

XLA's own 3D convolution, the gradient of its pooling and the gradient of its transposed convolution
are slow on a CPU. The recipe ``cpu`` computes the same numbers out of 2D convolutions, maxima of
slices and matrix products; ``plain`` is one XLA operation each, for GPU and TPU. Kernels have the
same shapes in both, so parameters serve either.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

RecipeName = Literal["cpu", "plain"]

# Up to this many channels, one 2D convolution over all z taps side by side beats one for each tap
# (16 to 16 channels: 1.6 times as fast; 32 to 16: 0.9 times).
FOLDED_CHANNELS = 48


class Recipe(NamedTuple):
    """How a backend computes what networks are made of; all take and return (N, *S, C)."""

    conv: Callable[[jax.Array, jax.Array], jax.Array]
    """(image, kernel (*k, C, K)): stride 1, odd kernel, zeros around the image."""
    pool: Callable[[jax.Array, Sequence[int]], jax.Array]
    """(image, window): the largest value of each window; the window divides the image."""
    spread: Callable[[jax.Array, jax.Array], jax.Array]
    """(image, kernel (*k, C, K)): each voxel becomes k voxels, a transposed convolution."""


def default_recipe() -> RecipeName:
    """The recipe for the devices that JAX computes on."""
    return "cpu" if jax.default_backend() == "cpu" else "plain"


def _layout(ndim: int) -> tuple[str, str, str]:
    axes = "DHW"[-ndim:]
    return f"N{axes}C", f"{axes}IO", f"N{axes}C"


def conv_plain(image: jax.Array, kernel: jax.Array) -> jax.Array:
    """One XLA convolution."""
    ndim = image.ndim - 2
    return lax.conv_general_dilated(
        image, kernel, (1,) * ndim, "SAME", dimension_numbers=_layout(ndim)
    )


def conv_cpu(image: jax.Array, kernel: jax.Array) -> jax.Array:
    """A matrix product for kernels of one voxel; 3D as a sum of 2D convolutions."""
    if math.prod(kernel.shape[:-2]) == 1:
        return image @ kernel.reshape(kernel.shape[-2:])
    return conv_plain(image, kernel) if image.ndim < 5 else _conv_by_planes(image, kernel)


def _conv_by_planes(image: jax.Array, kernel: jax.Array) -> jax.Array:
    """3D convolution as 2D convolutions of shifted planes (N * D, H, W, C)."""
    n, depth, *rest = image.shape
    taps, channels = kernel.shape[0], kernel.shape[-2]
    border = [(0, 0)] * image.ndim
    border[1] = (taps // 2, taps // 2)
    padded = jnp.pad(image, border)
    shifted = [
        lax.slice_in_dim(padded, tap, tap + depth, axis=1).reshape(n * depth, *rest)
        for tap in range(taps)
    ]
    if taps * channels <= FOLDED_CHANNELS:
        folded = jnp.moveaxis(kernel, 0, -3).reshape(*kernel.shape[1:3], taps * channels, -1)
        planes = conv_cpu(jnp.concatenate(shifted, axis=-1), folded)
    else:
        terms = [conv_cpu(plane, kernel[tap]) for tap, plane in enumerate(shifted)]
        planes = functools.reduce(jnp.add, terms)
    return planes.reshape(n, depth, *planes.shape[1:])


def pool_plain(image: jax.Array, window: Sequence[int]) -> jax.Array:
    """One XLA window reduction."""
    sizes = (1, *window, 1)
    return lax.reduce_window(image, -jnp.inf, lax.max, sizes, sizes, "VALID")


def pool_cpu(image: jax.Array, window: Sequence[int]) -> jax.Array:
    """Maxima of slices, axis by axis; where values are equal the gradient is shared."""
    for axis, size in enumerate(window, start=1):
        shape = (*image.shape[:axis], image.shape[axis] // size, size, *image.shape[axis + 1 :])
        cells = image.reshape(shape)
        slices = [lax.index_in_dim(cells, at, axis + 1, keepdims=False) for at in range(size)]
        image = functools.reduce(jnp.maximum, slices)
    return image


def spread_plain(image: jax.Array, kernel: jax.Array) -> jax.Array:
    """One XLA transposed convolution."""
    axes = tuple(range(kernel.ndim - 2))
    return lax.conv_transpose(
        image,
        jnp.flip(kernel, axes),
        kernel.shape[:-2],
        "VALID",
        dimension_numbers=_layout(len(axes)),
    )


def spread_cpu(image: jax.Array, kernel: jax.Array) -> jax.Array:
    """One matrix product, then depth to space."""
    size, width = kernel.shape[:-2], kernel.shape[-1]
    ndim = len(size)
    matrix = jnp.moveaxis(kernel, -2, 0).reshape(kernel.shape[-2], -1)
    cells = (image @ matrix).reshape(*image.shape[:-1], *size, width)
    pairs = [axis for i in range(ndim) for axis in (1 + i, 1 + ndim + i)]
    interleaved = cells.transpose(0, *pairs, 1 + 2 * ndim)
    spatial = (n * s for n, s in zip(image.shape[1:-1], size, strict=True))
    return interleaved.reshape(image.shape[0], *spatial, width)


def double_linear(image: jax.Array, factors: Sequence[int]) -> jax.Array:
    """Linear interpolation to 1 or 2 times the size along each axis.

    Voxels are boxes of unit size: new values lie at a quarter and three quarters of a box; beyond
    the outermost centres the value is constant.

    Parameters
    ----------
    image : (N, *S, C)
    factors : 1 or 2 for each axis of S

    Returns
    -------
    (N, *S * factors, C)

    >>> double_linear(jnp.array([0.0, 4.0])[None, :, None], (2,))[0, :, 0].tolist()
    [0.0, 1.0, 3.0, 4.0]
    """
    for axis, factor in enumerate(factors, start=1):
        if factor == 1:
            continue
        size = image.shape[axis]
        border = [(0, 0)] * image.ndim
        border[axis] = (1, 1)
        padded = jnp.pad(image, border, mode="edge")
        near = 0.75 * image
        before = near + 0.25 * lax.slice_in_dim(padded, 0, size, axis=axis)
        after = near + 0.25 * lax.slice_in_dim(padded, 2, size + 2, axis=axis)
        shape = (*image.shape[:axis], 2 * size, *image.shape[axis + 1 :])
        image = jnp.stack([before, after], axis=axis + 1).reshape(shape)
    return image


RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "cpu": Recipe(conv_cpu, pool_cpu, spread_cpu),
        "plain": Recipe(conv_plain, pool_plain, spread_plain),
    }
)
