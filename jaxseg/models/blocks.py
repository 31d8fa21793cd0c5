"""The blocks of U-shaped networks, for any number of spatial axes.

Shapes are (N, *S, C). A module computes in the element type of its style; parameters and the
statistics of normalisation are always float32.
"""

from __future__ import annotations

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxseg.models.convolutions import Conv, Linear, Spread
from jaxseg.models.dropping import drop_channels, fold
from jaxseg.models.normalization import Norm
from jaxseg.models.resize import linear
from jaxseg.models.style import Style


class Stack(nn.Module):
    """Several times convolution, normalisation, activation and dropout, or another order."""

    features: int
    kernel: tuple[int, ...]
    convs: int
    style: Style
    dropout: float = 0.0
    reduction: int = 0
    """Of a squeeze-and-excitation after each convolution; 0 = none."""
    norm_first: bool = False
    """Normalisation and activation come before each convolution."""

    @nn.compact
    def __call__(
        self, image: jax.Array, *, train: bool = False, key: jax.Array | None = None
    ) -> jax.Array:
        """(N, *S, C) to (N, *S, features)."""
        for index in range(self.convs):
            conv = Conv(self.features, self.kernel, self.style, name=f"conv_{index}")
            norm = Norm(self.style, name=f"norm_{index}")
            before = None if self.norm_first else conv
            image = norm(image, train=train, activate=True, after=before)
            image = conv(image) if self.norm_first else image
            if train and self.dropout > 0:
                image = drop_channels(fold(key, index), image, self.dropout)
            if self.reduction:
                image = Excite(self.reduction, self.style, name=f"excite_{index}")(image)
        return image


class Residual(nn.Module):
    """The sum of a stack that normalises before it convolves and a shortcut (He et al. 2016)."""

    features: int
    kernel: tuple[int, ...]
    convs: int
    style: Style
    dropout: float = 0.0
    first: bool = False
    """The input is the image itself, which is not normalised."""
    wide_shortcut: bool = False
    """The shortcut has the kernel of the stack, and a normalisation."""

    @nn.compact
    def __call__(
        self, image: jax.Array, *, train: bool = False, key: jax.Array | None = None
    ) -> jax.Array:
        """(N, *S, C) to (N, *S, features)."""
        change = image
        if not self.first:
            change = Norm(self.style, name="norm_in")(change, train=train, activate=True)
        change = Stack(
            self.features, self.kernel, self.convs - 1, self.style, self.dropout, name="stack"
        )(change, train=train, key=key)
        change = Conv(self.features, self.kernel, self.style, name="conv_out")(change)
        shape = self.kernel if self.wide_shortcut else (1,) * len(self.kernel)
        shortcut = Conv(self.features, shape, self.style, name="shortcut")
        if not self.wide_shortcut:
            return change + shortcut(image)
        return change + Norm(self.style, name="shortcut_norm")(image, train=train, after=shortcut)


class ExcitedResidual(nn.Module):
    """A convolution, then a residual stack upon its result, then squeeze-and-excitation."""

    features: int
    kernel: tuple[int, ...]
    convs: int
    style: Style
    dropout: float = 0.0
    first: bool = False
    """The input is the image itself, which is not normalised."""
    reduction: int = 16

    @nn.compact
    def __call__(
        self, image: jax.Array, *, train: bool = False, key: jax.Array | None = None
    ) -> jax.Array:
        """(N, *S, C) to (N, *S, features)."""
        if not self.first:
            image = Norm(self.style, name="norm_in")(image, train=train, activate=True)
        own, inner = (None, None) if key is None else (fold(key, 0), fold(key, 1))
        image = Stack(self.features, self.kernel, 1, self.style, self.dropout, name="before")(
            image, train=train, key=own
        )
        change = Stack(
            self.features, self.kernel, self.convs - 1, self.style, self.dropout, name="stack"
        )(image, train=train, key=inner)
        change = Conv(self.features, self.kernel, self.style, name="conv_out")(change)
        return Excite(self.reduction, self.style, name="excite")(image + change)


class Excite(nn.Module):
    """Squeeze-and-excitation: channels weighted by what all of them are on average."""

    reduction: int
    style: Style

    @nn.compact
    def __call__(self, image: jax.Array) -> jax.Array:
        """(N, *S, C) to the same shape."""
        channels = image.shape[-1]
        # Few numbers, a mean over many voxels: in float32 whatever the rest is.
        exact = dataclasses.replace(self.style, dtype=jnp.float32)
        mean = image.astype(jnp.float32).mean(tuple(range(1, image.ndim - 1)), keepdims=True)
        few = max(1, channels // self.reduction)
        squeezed = nn.relu(Linear(few, exact, bias=False, name="squeeze")(mean))
        weights = nn.sigmoid(Linear(channels, exact, bias=False, name="excite")(squeezed))
        return image * weights.astype(image.dtype)


class Up(nn.Module):
    """Upsampling by a transposed convolution, or by linear interpolation and a 1x1 convolution."""

    features: int
    factors: tuple[int, ...]
    method: str
    style: Style

    @nn.compact
    def __call__(self, image: jax.Array, *, train: bool = False) -> jax.Array:
        """(N, *S, C) to (N, *S * factors, features)."""
        norm = Norm(self.style, name="norm")
        if self.method == "transpose":
            spread = Spread(self.features, self.factors, self.style, name="conv")
            return norm(image, train=train, activate=True, after=spread)
        # Interpolation and a 1x1 convolution commute; this order has fewer voxels to compute.
        one = (1,) * len(self.factors)
        image = Conv(self.features, one, self.style, name="conv")(image)
        return norm(linear(image, self.factors), train=train, activate=True)


class PlainUp(nn.Module):
    """Upsampling without normalisation or activation, the channels kept."""

    factors: tuple[int, ...]
    method: str
    style: Style

    @nn.compact
    def __call__(self, image: jax.Array, *, train: bool = False) -> jax.Array:
        """(N, *S, C) to (N, *S * factors, C)."""
        if self.method == "transpose":
            return Spread(image.shape[-1], self.factors, self.style, name="conv")(image)
        return linear(image, self.factors)
