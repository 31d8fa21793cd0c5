"""What U-Nets have in common: encoder, bottleneck, decoders with skip connections, heads."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxseg.config.architectures import steps
from jaxseg.config.networks.u_shapes import UShape
from jaxseg.models import reach
from jaxseg.models.blocks import Stack, Up
from jaxseg.models.dropping import fold
from jaxseg.models.heads import Logits, supervised
from jaxseg.models.model import Model, as_model, is_local, mark
from jaxseg.models.recipes import RECIPES
from jaxseg.models.style import Style

Shape = tuple[int, ...]


class Place(NamedTuple):
    """What a block must know of where it stands."""

    features: int
    kernel: Shape
    convs: int
    dropout: float
    first: bool
    """It is the first of the encoder."""


def usual_up(config: Any, style: Style, features: int, factors: Shape, name: str) -> nn.Module:
    """Upsampling to the feature maps of the level above, normalised and activated."""
    return Up(features, factors, config.upsample, style, name=name)


class Parts(NamedTuple):
    """What makes one U-Net differ from another: functions that make Flax modules."""

    block: Callable[[Any, Style, Place, str], nn.Module]
    """(config, style, place, name), called with ``(image, train=, key=)``."""
    up: Callable[[Any, Style, int, Shape, str], nn.Module] = usual_up
    """(config, style, features, factors, name), called with ``(image, train=)``."""
    gate: Callable[[Any, Style, str], nn.Module] | None = None
    """(config, style, name), called with ``(upsampled, skip, train=)``; gives the skip."""


class UShapeModule(nn.Module):
    """Encoder, bottleneck, one decoder for all heads or one for each, and the heads."""

    config: UShape
    heads: tuple[int, ...]
    kernels: tuple[Shape, ...]
    """Size of the convolution kernel, for each level."""
    strides: tuple[Shape, ...]
    """Reduction from each level to the next."""
    style: Style
    parts: Parts

    @nn.compact
    def __call__(
        self, image: jax.Array, *, train: bool = False, key: jax.Array | None = None
    ) -> Logits:
        """(N, *S, C) to logits (N, *S, K) float32, the heads one after the other."""
        config, skips, image = self.config, [], image.astype(self.style.dtype)
        if config.larger_io:
            image = self._wide("wide_in", config.features[0], image, train)
        for level, stride in enumerate(self.strides):
            image = self._block(level, f"down_{level}", image, train, key)
            skips.append(image)
            image = RECIPES[self.style.recipe].pool(image, stride)
        image = self._block(len(self.strides), "bottleneck", image, train, key)
        decoders = len(self.heads) if config.separate_decoders else 1
        decoded = [self._decode(number, image, skips, train, key) for number in range(decoders)]
        deep = config.deep_supervision and (train or self.is_initializing())
        return supervised(list(zip(*decoded, strict=True)), self.heads, self.style, deep=deep)

    def _decode(
        self, number: int, image: jax.Array, skips: list[jax.Array], train: bool, key: Any
    ) -> list[jax.Array]:
        """Feature maps of each level on the way back to the size of the image, the finest first."""
        config, name = self.config, f"decoder_{number}"
        levels: list[jax.Array] = []
        widths = decoder_features(config, len(self.heads))
        for level in reversed(range(len(skips))):
            stride, skip = self.strides[level], skips[level]
            up = self.parts.up(config, self.style, widths[level], stride, f"{name}_up_{level}")
            image = up(image, train=train)
            if self.parts.gate:
                gate = self.parts.gate(config, self.style, f"{name}_gate_{level}")
                skip = gate(image, skip, train=train)
            image = jnp.concatenate([image, skip], axis=-1)
            place = (widths[level], number + 1)
            image = self._block(level, f"{name}_{level}", image, train, key, *place)
            levels.insert(0, image)
        if config.larger_io:
            levels[0] = self._wide(f"{name}_wide_out", widths[0], levels[0], train)
        return levels

    def _block(
        self,
        level: int,
        name: str,
        image: jax.Array,
        train: bool,
        key: Any,
        features: int = 0,
        branch: int = 0,
    ) -> jax.Array:
        config = self.config
        rate = config.dropout[level] if config.dropout else 0.0
        features = features or config.features[level]
        convs = config.convs_of(level)
        place = Place(features, self.kernels[level], convs, rate, level == branch == 0)
        block = self.parts.block(config, self.style, place, name)
        # A number of its own for each block, so that no two drop the same channels.
        number = branch * len(self.kernels) + level
        return mark(block(image, train=train, key=fold(key, number) if train and rate else None))

    def _wide(self, name: str, features: int, image: jax.Array, train: bool) -> jax.Array:
        before = getattr(self.config, "order", "") == "norm_act_conv"
        kernel = wider(self.kernels[0])
        return Stack(features, kernel, 1, self.style, norm_first=before, name=name)(
            image, train=train
        )


def decoder_features(config: Any, heads: int) -> tuple[int, ...]:
    """Feature maps of each level of a decoder.

    >>> from jaxseg.config import UNet
    >>> decoder_features(UNet(features=(8, 16), separate_decoders=True, divide_decoders=True), 2)
    (4, 8)
    """
    parts = heads if config.separate_decoders and config.divide_decoders else 1
    return tuple(max(1, width // parts) for width in config.features)


def wider(kernel: Shape) -> Shape:
    """The kernel of the first and the last convolution: larger by 2 where it is larger than 1.

    >>> wider((1, 3, 3))
    (1, 5, 5)
    """
    return tuple(size + 2 if size > 1 or kernel[-1] == 1 else size for size in kernel)


def build_u_shape(
    config: UShape,
    heads: tuple[int, ...],
    ndim: int,
    parts: Parts,
    *,
    style: Style,
    remat: bool,
    more: int = 0,
    local: bool = True,
) -> Model:
    """A U-Net as a pair of pure functions.

    Parameters
    ----------
    config : see :class:`jaxseg.config.UNet`
    heads : number of output channels of each head
    ndim : 2 or 3
    parts : its blocks
    style : common to all blocks
    remat : see :func:`jaxseg.models.build`
    more : convolutions of a block in a row beside those of ``config``
    local : whether its blocks see nothing beyond their kernels

    Returns
    -------
    Model
    """
    strides = steps(config, ndim)
    kernels = reach.kernels(config.kernel, config.isotropic, len(config.features), ndim)
    module = UShapeModule(config, heads, kernels, strides, style, parts)
    down = [
        reach.around(kernel, config.convs_of(level) + more) for level, kernel in enumerate(kernels)
    ]
    up = down[:-1]
    if config.larger_io:
        wide = reach.around(wider(kernels[0]))
        down, up = [reach.plus(down[0], wide), *down[1:]], [reach.plus(up[0], wide), *up[1:]]
    halo = reach.u_shape(down, up, strides, linear=config.upsample == "linear")
    stride = tuple(math.prod(axis) for axis in zip(*strides, strict=True))
    return as_model(module, halo, stride, local=local and is_local(style), remat=remat)
