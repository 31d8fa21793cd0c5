"""Normalisation to mean 0 and variance 1 over various parts of a batch (N, *S, C)."""

from __future__ import annotations

import math
from collections.abc import Iterable

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from jaxseg.models import native, native_normalization
from jaxseg.models.convolutions import Conv, Spread
from jaxseg.models.native_convolution import Fixed
from jaxseg.models.style import Style

EPSILON = 1e-5
MOMENTUM = 0.9
# Group normalisation: channels are split into this many groups as far as they divide.
GROUPS = 8


class Norm(nn.Module):
    """Normalisation to mean 0 and variance 1, then a scale and a shift per channel.

    ``in`` over the space of each sample and channel (Ulyanov et al. 2016), ``gn`` over groups of
    channels as well (Wu & He 2018), ``bn`` over the whole batch (Ioffe & Szegedy 2015), with
    running statistics when not training, ``ln`` over the channels of each voxel (Ba et al. 2016).
    ``none`` does nothing and has no parameters.

    With a batch spread over devices the statistics of ``bn`` are those of the batch on all of
    them, so that the number of devices does not change the result.
    """

    style: Style

    @nn.compact
    def __call__(
        self,
        image: jax.Array,
        *,
        train: bool = False,
        activate: bool = False,
        after: Conv | Spread | None = None,
    ) -> jax.Array:
        """(N, *S, C) to the same shape, or to that of a convolution that it comes after.

        With ``activate``, followed by the non-linearity.
        """
        if after is not None:
            if not train and self._is_fixed(activate) and after.takes_fixed(image):
                return after(image, self._fixed(after.features, activate))
            image = after(image)
        if self._is_native(image, train, activate):
            return self._native(image, activate)
        result = self._normalized(image, train)
        return self.style.activate(result) if activate else result

    def _is_native(self, image: jax.Array, train: bool, activate: bool) -> bool:
        """Whether the compiled kernels do it; fixed statistics need none of their passes."""
        style = self.style
        return (
            style.recipe == "native"
            and style.dtype == jnp.float32
            and (style.norm != "bn" or train)
            and native_normalization.covers(
                image, style.norm, style.activation if activate else "none"
            )
        )

    def _is_fixed(self, activate: bool) -> bool:
        """Whether a compiled convolution can do it at once, when not training."""
        style = self.style
        known = not activate or style.activation in native.ACTIVATIONS
        return style.recipe == "native" and style.norm == "bn" and known

    def _fixed(self, channels: int, activate: bool) -> Fixed:
        factor = self.param("scale", nn.initializers.ones, (channels,))
        bias = self.param("bias", nn.initializers.zeros, (channels,))
        mean, variance = (old.value for old in self._running(channels))
        factor = factor * lax.rsqrt(variance + EPSILON)
        activation = self.style.activation if activate else "none"
        return Fixed(factor, bias - mean * factor, activation)

    def _native(self, image: jax.Array, activate: bool) -> jax.Array:
        style, channels = self.style, image.shape[-1]
        options = native_normalization.Options(
            groups=math.gcd(GROUPS, channels) if style.norm == "gn" else 0,
            batch=style.norm == "bn",
            activation=style.activation if activate else "none",
            axis=style.axis,
            epsilon=EPSILON,
        )
        scale = style.varying(self.param("scale", nn.initializers.ones, (channels,)))
        bias = style.varying(self.param("bias", nn.initializers.zeros, (channels,)))
        result, mean, variance = native_normalization.norm_act(image, scale, bias, options)
        if style.norm == "bn":
            both = lax.stop_gradient(jnp.stack([mean[0], variance[0]]))
            _keep(self._running(channels), lax.pmean(both, style.axis) if style.axis else both)
        return result

    def _normalized(self, image: jax.Array, train: bool) -> jax.Array:
        kind, dtype, channels = self.style.norm, self.style.dtype, image.shape[-1]
        if kind == "none":
            return image
        scale = self.param("scale", nn.initializers.ones, (channels,))
        bias = self.param("bias", nn.initializers.zeros, (channels,))
        if kind == "ln":
            return per_voxel(image, scale, bias, EPSILON).astype(dtype)
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
        old_mean, old_variance = self._running(*shape)
        if not train:
            return old_mean.value, old_variance.value
        both = jnp.stack(moments(image, tuple(range(image.ndim - 1))))
        mean, square = (lax.pmean(both, self.style.axis) if self.style.axis else both).reshape(
            2, *shape
        )
        variance = jnp.maximum(square - mean**2, 0)
        _keep((old_mean, old_variance), (mean, variance))
        return mean, variance

    def _running(self, channels: int) -> tuple[nn.Variable, nn.Variable]:
        """The running statistics, each (C,)."""
        mean = self.variable("batch_stats", "mean", jnp.zeros, (channels,))
        return mean, self.variable("batch_stats", "var", jnp.ones, (channels,))


def _keep(running: Iterable[nn.Variable], statistics: Iterable[jax.Array]) -> None:
    """Move the running statistics towards those of a batch, each (C,)."""
    for old, new in zip(running, statistics, strict=True):
        old.value = MOMENTUM * old.value + (1 - MOMENTUM) * new


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


class LayerNorm(nn.Module):
    """Normalisation over the channels of each voxel (Ba et al. 2016), a scale and a shift."""

    style: Style
    epsilon: float = EPSILON

    @nn.compact
    def __call__(self, image: jax.Array) -> jax.Array:
        """(..., C) to the same shape."""
        scale = self.param("scale", nn.initializers.ones, (image.shape[-1],))
        bias = self.param("bias", nn.initializers.zeros, (image.shape[-1],))
        return per_voxel(image, scale, bias, self.epsilon).astype(self.style.dtype)


def per_voxel(image: jax.Array, scale: jax.Array, bias: jax.Array, epsilon: float) -> jax.Array:
    """Layer normalisation in float32, over the last axis."""
    exact = image.astype(jnp.float32)
    # In two passes, for the mean of a token may be large beside its deviations.
    centred = exact - exact.mean(-1, keepdims=True)
    variance = (centred * centred).mean(-1, keepdims=True)
    return centred * lax.rsqrt(variance + epsilon) * scale + bias
