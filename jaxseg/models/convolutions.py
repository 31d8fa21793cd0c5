"""Layers with a kernel: convolution, its transposed and its depthwise form.

Shapes are (N, *S, C). Parameters are float32; a layer computes in the element type of its style.
"""

from __future__ import annotations

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxseg.models import native_convolution
from jaxseg.models.native_convolution import Fixed
from jaxseg.models.recipes import RECIPES, merge
from jaxseg.models.style import Style

# Glorot & Bengio (2010). In a transposed convolution whose kernel equals its stride, every new
# voxel sees one position of the kernel only, so the positions do not count as inputs.
KERNEL_INIT = nn.initializers.xavier_uniform()


def spread_init(key: jax.Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
    """Initial kernel (*k, C, K) of a transposed convolution."""
    positions = tuple(range(len(shape) - 2))
    return nn.initializers.xavier_uniform(batch_axis=positions)(key, shape, dtype)


def depthwise_init(key: jax.Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
    """Initial kernel (*k, C): each value has as many inputs as the kernel has positions."""
    bound = math.sqrt(3 / math.prod(shape[:-1]))
    return jax.random.uniform(key, shape, dtype, -bound, bound)


def _abstract(
    sizes: tuple[int, ...], image: jax.Array, features: int, style: Style
) -> jax.ShapeDtypeStruct:
    """Shape and type that a kernel will have."""
    return jax.ShapeDtypeStruct((*sizes, image.shape[-1], features), style.dtype)


class Conv(nn.Module):
    """Convolution; without strides as large as its input."""

    features: int
    kernel: tuple[int, ...]
    style: Style
    strides: tuple[int, ...] | None = None
    dilation: int = 1
    bias: bool = True

    def takes_fixed(self, image: jax.Array) -> bool:
        """Whether it can be called with ``fixed``."""
        kernel = _abstract(self.kernel, image, self.features, self.style)
        return self.style.recipe == "native" and native_convolution.covers(
            image, kernel, self.strides, self.dilation
        )

    @nn.compact
    def __call__(self, image: jax.Array, fixed: Fixed | None = None) -> jax.Array:
        """(N, *S, C) to (N, *S / strides, features); ``fixed`` is what follows."""
        shape, dtype = (*self.kernel, image.shape[-1], self.features), self.style.dtype
        kernel = self.param("kernel", KERNEL_INIT, shape).astype(dtype)
        bias = None
        if self.bias:
            bias = self.param("bias", nn.initializers.zeros, (self.features,)).astype(dtype)
        if self.style.recipe == "native":
            kernel, bias = jax.tree.map(self.style.varying, (kernel, bias))
        image = image.astype(dtype)
        if fixed is not None:
            return native_convolution.conv(image, kernel, bias, fixed)
        conv = RECIPES[self.style.recipe].conv
        return conv(image, kernel, bias, strides=self.strides, dilation=self.dilation)


class Merge(nn.Module):
    """Convolution with bias whose kernel equals its stride: a block of voxels becomes one."""

    features: int
    factors: tuple[int, ...]
    style: Style

    @nn.compact
    def __call__(self, image: jax.Array) -> jax.Array:
        """(N, *S, C) to (N, *S / factors, features)."""
        shape, dtype = (*self.factors, image.shape[-1], self.features), self.style.dtype
        kernel = self.param("kernel", KERNEL_INIT, shape)
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        return merge(image.astype(dtype), kernel.astype(dtype)) + bias.astype(dtype)


class Spread(nn.Module):
    """Transposed convolution whose kernel equals its stride: each voxel becomes many."""

    features: int
    factors: tuple[int, ...]
    style: Style
    bias: bool = True

    def takes_fixed(self, image: jax.Array) -> bool:
        """Whether it can be called with ``fixed``."""
        kernel = _abstract(self.factors, image, self.features, self.style)
        return self.style.recipe == "native" and native_convolution.covers_spread(image, kernel)

    @nn.compact
    def __call__(self, image: jax.Array, fixed: Fixed | None = None) -> jax.Array:
        """(N, *S, C) to (N, *S * factors, features); ``fixed`` is what follows."""
        shape, dtype = (*self.factors, image.shape[-1], self.features), self.style.dtype
        kernel = self.param("kernel", spread_init, shape).astype(dtype)
        bias = None
        if self.bias:
            bias = self.param("bias", nn.initializers.zeros, (self.features,)).astype(dtype)
        if self.style.recipe == "native":
            kernel, bias = jax.tree.map(self.style.varying, (kernel, bias))
        image = image.astype(dtype)
        if fixed is not None:
            return native_convolution.spread(image, kernel, bias, fixed)
        return RECIPES[self.style.recipe].spread(image, kernel, bias)


class Depthwise(nn.Module):
    """Convolution with bias of each channel on its own."""

    kernel: tuple[int, ...]
    style: Style

    @nn.compact
    def __call__(self, image: jax.Array) -> jax.Array:
        """(N, *S, C) to the same shape."""
        channels, dtype = image.shape[-1], self.style.dtype
        kernel = self.param("kernel", depthwise_init, (*self.kernel, channels))
        bias = self.param("bias", nn.initializers.zeros, (channels,))
        depthwise = RECIPES[self.style.recipe].depthwise
        kernel, bias = self.style.varying(kernel), self.style.varying(bias)
        return depthwise(image.astype(dtype), kernel.astype(dtype), bias.astype(dtype))


class Linear(nn.Module):
    """A matrix product over the channels."""

    features: int
    style: Style
    bias: bool = True

    @nn.compact
    def __call__(self, values: jax.Array) -> jax.Array:
        """(..., C) to (..., features)."""
        shape, dtype = (values.shape[-1], self.features), self.style.dtype
        kernel, bias = self.param("kernel", KERNEL_INIT, shape).astype(dtype), None
        if self.bias:
            bias = self.param("bias", nn.initializers.zeros, (self.features,)).astype(dtype)
        if self.style.recipe == "native":
            kernel, bias = jax.tree.map(self.style.varying, (kernel, bias))
        return RECIPES[self.style.recipe].linear(values.astype(dtype), kernel, bias)
