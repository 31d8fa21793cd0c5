"""Convolution, pooling and upsampling as pure functions, in the form that each backend runs well.

XLA's own 3D and depthwise convolution, the gradient of its pooling and the gradient of its
transposed convolution are slow on a CPU. The recipe ``cpu`` computes the same numbers out of 2D
convolutions, maxima and sums of slices and matrix products; ``native`` does as ``cpu``, and calls
compiled kernels where they gain; ``plain`` is one XLA operation each, for GPU and TPU. Parameters
have the same shapes in all of them.
"""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Literal, NamedTuple, cast

import jax
import jax.numpy as jnp
from jax import lax

from jaxseg.errors import ConfigError
from jaxseg.models import native, native_addition, native_convolution
from jaxseg.models.depthwise import depthwise_cpu, depthwise_plain
from jaxseg.models.style import ACTIVATIONS

RecipeName = Literal["cpu", "plain", "native"]

# Environment variable that names the recipe, in place of the one that suits the machine.
VARIABLE = "JAXSEG_RECIPE"

# Up to this many channels, one 2D convolution over all z taps side by side beats one for each tap
# (16 to 16 channels: 1.6 times as fast; 32 to 16: 0.9 times).
FOLDED_CHANNELS = 48


class Recipe(NamedTuple):
    """How a backend computes what networks are made of; all take and return (N, *S, C)."""

    conv: Callable[..., jax.Array]
    """(image, kernel (*k, C, K), bias (K,) or None, *, strides, dilation): odd kernel, zeros around
    the image."""
    pool: Callable[[jax.Array, Sequence[int]], jax.Array]
    """(image, window): the largest value of each window; the window divides the image."""
    spread: Callable[..., jax.Array]
    """(image, kernel (*k, C, K), bias (K,) or None): each voxel becomes k voxels, a transposed
    convolution."""
    depthwise: Callable[..., jax.Array]
    """(image, kernel (*k, C), bias (C,)): each channel on its own, zeros around the image."""
    linear: Callable[..., jax.Array]
    """(values (..., C), kernel (C, K), bias (K,) or None): a matrix product over the channels."""
    add: Callable[[jax.Array, jax.Array, str], jax.Array]
    """(image, image, activation): their sum, then a non-linearity of ``ACTIVATIONS``."""


def default_recipe() -> RecipeName:
    """The recipe for the devices that JAX computes on, or the one that ``JAXSEG_RECIPE`` names.

    Raises
    ------
    ConfigError : the variable names no recipe, or one whose kernels are not there
    """
    wanted = os.environ.get(VARIABLE, "")
    if not wanted:
        if jax.default_backend() != "cpu":
            return "plain"
        return "cpu" if native.missing() else "native"
    if wanted not in RECIPES:
        raise ConfigError(
            "no such recipe", where=VARIABLE, expected=" ".join(RECIPES), found=wanted
        )
    if wanted == "native" and (reason := native.missing()):
        raise ConfigError("the compiled kernels cannot be used", where=VARIABLE, found=reason)
    return cast(RecipeName, wanted)


def describe(recipe: RecipeName) -> str:
    """A recipe in a few words, for the log: which one, and why not the compiled kernels.

    >>> describe("plain")
    'plain: one operation of XLA each'
    """
    if recipe == "plain":
        return "plain: one operation of XLA each"
    if recipe == "native":
        return "native: compiled kernels where they gain"
    return f"cpu: operations of XLA that run well on a CPU; no compiled kernels ({_why_not()})"


def _why_not() -> str:
    return native.missing() or f"{VARIABLE} says so"


def _layout(ndim: int) -> tuple[str, str, str]:
    axes = "DHW"[-ndim:]
    return f"N{axes}C", f"{axes}IO", f"N{axes}C"


def conv_plain(
    image: jax.Array,
    kernel: jax.Array,
    bias: jax.Array | None = None,
    *,
    strides: Sequence[int] | None = None,
    dilation: int = 1,
) -> jax.Array:
    """One XLA convolution."""
    ndim = image.ndim - 2
    result = lax.conv_general_dilated(
        image,
        kernel,
        strides or (1,) * ndim,
        [(dilation * (taps // 2),) * 2 for taps in kernel.shape[:ndim]],
        rhs_dilation=(dilation,) * ndim,
        dimension_numbers=_layout(ndim),
    )
    return result if bias is None else result + bias


def conv_cpu(
    image: jax.Array,
    kernel: jax.Array,
    bias: jax.Array | None = None,
    *,
    strides: Sequence[int] | None = None,
    dilation: int = 1,
) -> jax.Array:
    """A matrix product for kernels of one voxel; 3D as a sum of 2D convolutions."""
    if math.prod(kernel.shape[:-2]) == 1:
        if strides:
            image = image[(slice(None), *(slice(None, None, step) for step in strides))]
        result = image @ kernel.reshape(kernel.shape[-2:])
    elif image.ndim < 5:
        result = conv_plain(image, kernel, strides=strides, dilation=dilation)
    else:
        result = _conv_by_planes(image, kernel, strides or (1, 1, 1), dilation)
    return result if bias is None else result + bias


def conv_native(
    image: jax.Array,
    kernel: jax.Array,
    bias: jax.Array | None = None,
    *,
    strides: Sequence[int] | None = None,
    dilation: int = 1,
) -> jax.Array:
    """Compiled kernels where they gain, :func:`conv_cpu` elsewhere."""
    if native_convolution.covers(image, kernel, strides, dilation):
        return native_convolution.conv(image, kernel, bias)
    return conv_cpu(image, kernel, bias, strides=strides, dilation=dilation)


def _conv_by_planes(
    image: jax.Array, kernel: jax.Array, strides: Sequence[int], dilation: int
) -> jax.Array:
    """3D convolution as 2D convolutions of shifted planes (N * D, H, W, C)."""
    n, depth, *rest = image.shape
    taps, channels = kernel.shape[0], kernel.shape[-2]
    border = [(0, 0)] * image.ndim
    border[1] = (dilation * (taps // 2),) * 2
    padded = jnp.pad(image, border)
    shifted = [
        padded[:, tap * dilation : tap * dilation + depth : strides[0]] for tap in range(taps)
    ]
    count = shifted[0].shape[1]
    shifted = [part.reshape(n * count, *rest) for part in shifted]
    conv = functools.partial(conv_cpu, strides=strides[1:], dilation=dilation)
    if taps * channels <= FOLDED_CHANNELS:
        folded = jnp.moveaxis(kernel, 0, -3).reshape(*kernel.shape[1:3], taps * channels, -1)
        planes = conv(jnp.concatenate(shifted, axis=-1), folded)
    else:
        terms = [conv(plane, kernel[tap]) for tap, plane in enumerate(shifted)]
        planes = functools.reduce(jnp.add, terms)
    return planes.reshape(n, count, *planes.shape[1:])


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


def spread_plain(image: jax.Array, kernel: jax.Array, bias: jax.Array | None = None) -> jax.Array:
    """One XLA transposed convolution."""
    axes = tuple(range(kernel.ndim - 2))
    result = lax.conv_transpose(
        image,
        jnp.flip(kernel, axes),
        kernel.shape[:-2],
        "VALID",
        dimension_numbers=_layout(len(axes)),
    )
    return result if bias is None else result + bias


def spread_cpu(image: jax.Array, kernel: jax.Array, bias: jax.Array | None = None) -> jax.Array:
    """One matrix product, then depth to space."""
    size, width = kernel.shape[:-2], kernel.shape[-1]
    ndim = len(size)
    matrix = jnp.moveaxis(kernel, -2, 0).reshape(kernel.shape[-2], -1)
    cells = (image @ matrix).reshape(*image.shape[:-1], *size, width)
    pairs = [axis for i in range(ndim) for axis in (1 + i, 1 + ndim + i)]
    interleaved = cells.transpose(0, *pairs, 1 + 2 * ndim)
    spatial = (n * s for n, s in zip(image.shape[1:-1], size, strict=True))
    result = interleaved.reshape(image.shape[0], *spatial, width)
    return result if bias is None else result + bias


def spread_native(image: jax.Array, kernel: jax.Array, bias: jax.Array | None = None) -> jax.Array:
    """Compiled kernels for float32, :func:`spread_cpu` elsewhere."""
    if native_convolution.covers_spread(image, kernel):
        return native_convolution.spread(image, kernel, bias)
    return spread_cpu(image, kernel, bias)


def depthwise_native(image: jax.Array, kernel: jax.Array, bias: jax.Array) -> jax.Array:
    """Compiled kernels for float32, :func:`depthwise_cpu` elsewhere."""
    if native_convolution.covers_depthwise(image, kernel):
        return native_convolution.depthwise(image, kernel, bias)
    return depthwise_cpu(image, kernel) + bias


def _biased(depthwise: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    """A depthwise convolution with its bias."""
    return lambda image, kernel, bias: depthwise(image, kernel) + bias


def linear_plain(values: jax.Array, kernel: jax.Array, bias: jax.Array | None = None) -> jax.Array:
    """One matrix product of XLA."""
    result = values @ kernel
    return result if bias is None else result + bias


def linear_native(values: jax.Array, kernel: jax.Array, bias: jax.Array | None = None) -> jax.Array:
    """Compiled kernels where they gain, :func:`linear_plain` elsewhere."""
    if native_convolution.covers_linear(values, kernel):
        return native_convolution.linear(values, kernel, bias)
    return linear_plain(values, kernel, bias)


def add_plain(first: jax.Array, second: jax.Array, activation: str) -> jax.Array:
    """Operations of XLA."""
    return ACTIVATIONS[activation](first + second)


def add_native(first: jax.Array, second: jax.Array, activation: str) -> jax.Array:
    """A compiled kernel for float32 and what it knows, :func:`add_plain` elsewhere."""
    if native_addition.covers(first, second, activation):
        return native_addition.add(first, second, activation)
    return add_plain(first, second, activation)


def merge(image: jax.Array, kernel: jax.Array) -> jax.Array:
    """One matrix product for each block of voxels, the inverse of spreading.

    Parameters
    ----------
    image : (N, *S, C)
    kernel : (*k, C, K); k divides S

    Returns
    -------
    (N, *S / k, K)
    """
    size, ndim = kernel.shape[:-2], kernel.ndim - 2
    counts = [n // k for n, k in zip(image.shape[1:-1], size, strict=True)]
    pairs = [n for pair in zip(counts, size, strict=True) for n in pair]
    cells = image.reshape(image.shape[0], *pairs, image.shape[-1])
    outer, inner = range(1, 2 * ndim, 2), range(2, 2 * ndim + 1, 2)
    cells = cells.transpose(0, *outer, *inner, 2 * ndim + 1)
    return cells.reshape(image.shape[0], *counts, -1) @ kernel.reshape(-1, kernel.shape[-1])


RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "cpu": Recipe(
            conv_cpu, pool_cpu, spread_cpu, _biased(depthwise_cpu), linear_plain, add_plain
        ),
        "native": Recipe(
            conv_native, pool_cpu, spread_native, depthwise_native, linear_native, add_native
        ),
        "plain": Recipe(
            conv_plain, pool_plain, spread_plain, _biased(depthwise_plain), linear_plain, add_plain
        ),
    }
)
