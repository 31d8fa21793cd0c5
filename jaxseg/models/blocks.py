"""The blocks that every architecture is made of, for any number of spatial axes.

Shapes are (N, *S, C). A module computes in the element type of its style; parameters and the
statistics of normalisation are always float32.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from jaxseg.models.recipes import RECIPES, double_linear

ACTIVATIONS: Mapping[str, Callable[[jax.Array], jax.Array]] = MappingProxyType(
    {
        "elu": nn.elu,
        "relu": nn.relu,
        "leaky_relu": nn.leaky_relu,
        "gelu": nn.gelu,
        "silu": nn.silu,
    }
)

EPSILON = 1e-5
MOMENTUM = 0.9
# Group normalisation: channels are split into this many groups as far as they divide.
GROUPS = 8

# Glorot & Bengio (2010). In a transposed convolution whose kernel equals its stride, every new
# voxel sees one position of the kernel only, so the positions do not count as inputs.
KERNEL_INIT = nn.initializers.xavier_uniform()


def spread_init(key: jax.Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
    """Initial kernel (*k, C, K) of a transposed convolution."""
    positions = tuple(range(len(shape) - 2))
    return nn.initializers.xavier_uniform(batch_axis=positions)(key, shape, dtype)


@dataclasses.dataclass(frozen=True)
class Style:
    """What all blocks of a network have in common."""

    norm: str = "none"
    """A kind of :class:`Norm`."""
    activation: str = "elu"
    recipe: str = "plain"
    """How convolutions are computed, a name in ``RECIPES``."""
    dtype: Any = jnp.float32
    """Element type of the arithmetic."""
    axis: str | None = None
    """Mesh axis over which ``shard_map`` spreads the batch; None = it is not spread."""


class Conv(nn.Module):
    """Convolution with bias, stride 1, as large as its input."""

    features: int
    kernel: tuple[int, ...]
    style: Style

    @nn.compact
    def __call__(self, image: jax.Array) -> jax.Array:
        """(N, *S, C) to (N, *S, features)."""
        shape, dtype = (*self.kernel, image.shape[-1], self.features), self.style.dtype
        kernel = self.param("kernel", KERNEL_INIT, shape)
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        conv = RECIPES[self.style.recipe].conv
        return conv(image.astype(dtype), kernel.astype(dtype)) + bias.astype(dtype)


class Spread(nn.Module):
    """Transposed convolution with bias whose kernel equals its stride: each voxel becomes many."""

    features: int
    factors: tuple[int, ...]
    style: Style

    @nn.compact
    def __call__(self, image: jax.Array) -> jax.Array:
        """(N, *S, C) to (N, *S * factors, features)."""
        shape, dtype = (*self.factors, image.shape[-1], self.features), self.style.dtype
        kernel = self.param("kernel", spread_init, shape)
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        spread = RECIPES[self.style.recipe].spread
        return spread(image.astype(dtype), kernel.astype(dtype)) + bias.astype(dtype)


class Norm(nn.Module):
    """Normalisation to mean 0 and variance 1, then a scale and a shift per channel.

    ``in`` over the space of each sample and channel (Ulyanov et al. 2016), ``gn`` over groups of
    channels as well (Wu & He 2018), ``bn`` over the whole batch (Ioffe & Szegedy 2015), with
    running statistics when not training. ``none`` does nothing and has no parameters.

    With a batch spread over devices the statistics of ``bn`` are those of the batch on all of
    them, so that the number of devices does not change the result.
    """

    style: Style

    @nn.compact
    def __call__(self, image: jax.Array, *, train: bool = False) -> jax.Array:
        """(N, *S, C) to the same shape."""
        kind, dtype, channels = self.style.norm, self.style.dtype, image.shape[-1]
        if kind == "none":
            return image
        scale = self.param("scale", nn.initializers.ones, (channels,))
        bias = self.param("bias", nn.initializers.zeros, (channels,))
        if kind == "bn":
            mean, variance = self._batch_statistics(image, train)
        else:
            mean, square = moments(image, tuple(range(1, image.ndim - 1)))
            if kind == "gn":
                mean, square = over_groups(mean), over_groups(square)
            variance = jnp.maximum(square - mean**2, 0)
        # One multiplication and one addition per voxel, however many statistics there are.
        factor = scale * lax.rsqrt(variance + EPSILON)
        shift = bias - mean * factor
        return image * factor.astype(dtype) + shift.astype(dtype)

    def _batch_statistics(self, image: jax.Array, train: bool) -> tuple[jax.Array, jax.Array]:
        """Mean and variance per channel (C,), the running ones when not training."""
        shape = (image.shape[-1],)
        old_mean = self.variable("batch_stats", "mean", jnp.zeros, shape)
        old_variance = self.variable("batch_stats", "var", jnp.ones, shape)
        if not train:
            return old_mean.value, old_variance.value
        both = jnp.stack(moments(image, tuple(range(image.ndim - 1))))
        mean, square = (lax.pmean(both, self.style.axis) if self.style.axis else both).reshape(
            2, *shape
        )
        variance = jnp.maximum(square - mean**2, 0)
        old_mean.value = MOMENTUM * old_mean.value + (1 - MOMENTUM) * mean
        old_variance.value = MOMENTUM * old_variance.value + (1 - MOMENTUM) * variance
        return mean, variance


def moments(image: jax.Array, axes: tuple[int, ...]) -> tuple[jax.Array, jax.Array]:
    """Mean and mean square over some axes, which stay with size 1; one pass, in float32."""
    image = image.astype(jnp.float32)
    return image.mean(axes, keepdims=True), (image * image).mean(axes, keepdims=True)


def over_groups(value: jax.Array) -> jax.Array:
    """The mean over groups of channels (..., C), given back to each channel."""
    channels = value.shape[-1]
    groups = math.gcd(GROUPS, channels)
    means = value.reshape(*value.shape[:-1], groups, -1).mean(-1)
    return jnp.repeat(means, channels // groups, axis=-1)


def drop_channels(key: jax.Array, image: jax.Array, rate: float) -> jax.Array:
    """Whole channels set to 0 at random, the others scaled up (Tompson et al. 2015).

    Parameters
    ----------
    key : (N,) keys, one per sample, so that a sample's mask does not depend on its neighbours
    image : (N, *S, C)
    rate : probability of a channel to be dropped
    """
    kept = jax.vmap(lambda key: jax.random.bernoulli(key, 1 - rate, image.shape[-1:]))(key)
    factor = kept.astype(image.dtype) / jnp.asarray(1 - rate, image.dtype)
    return image * jnp.expand_dims(factor, tuple(range(1, image.ndim - 1)))


class Stack(nn.Module):
    """Several times convolution, normalisation, activation and dropout."""

    features: int
    kernel: tuple[int, ...]
    convs: int
    style: Style
    dropout: float = 0.0

    @nn.compact
    def __call__(
        self, image: jax.Array, *, train: bool = False, key: jax.Array | None = None
    ) -> jax.Array:
        """(N, *S, C) to (N, *S, features)."""
        for index in range(self.convs):
            image = Conv(self.features, self.kernel, self.style, name=f"conv_{index}")(image)
            image = Norm(self.style, name=f"norm_{index}")(image, train=train)
            image = ACTIVATIONS[self.style.activation](image)
            if train and self.dropout > 0:
                image = drop_channels(fold(key, index), image, self.dropout)
        return image


class Up(nn.Module):
    """Upsampling by a transposed convolution, or by linear interpolation and a 1x1 convolution."""

    features: int
    factors: tuple[int, ...]
    method: str
    style: Style

    @nn.compact
    def __call__(self, image: jax.Array, *, train: bool = False) -> jax.Array:
        """(N, *S, C) to (N, *S * factors, features)."""
        if self.method == "transpose":
            image = Spread(self.features, self.factors, self.style, name="conv")(image)
        else:
            # Interpolation and a 1x1 convolution commute; this order has fewer voxels to compute.
            one = (1,) * len(self.factors)
            image = Conv(self.features, one, self.style, name="conv")(image)
            image = double_linear(image, self.factors)
        image = Norm(self.style, name="norm")(image, train=train)
        return ACTIVATIONS[self.style.activation](image)


def fold(key: jax.Array | None, number: int) -> jax.Array:
    """Keys (N,) for one of several random decisions.

    Raises
    ------
    ValueError : no key, though something is random
    """
    if key is None:
        raise ValueError("training with dropout needs key, one per sample")
    return jax.vmap(jax.random.fold_in, in_axes=(0, None))(key, number)
