"""U-Net out of ConvNeXt blocks: a stem that halves the image, levels of blocks, decoders."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxseg.config.architectures import steps
from jaxseg.config.networks.u_shapes import UNeXt
from jaxseg.models import reach
from jaxseg.models.convolutions import Conv, Merge, Spread
from jaxseg.models.dropping import fold
from jaxseg.models.heads import Logits, supervised
from jaxseg.models.model import Model, as_model, mark
from jaxseg.models.normalization import LayerNorm
from jaxseg.models.resize import linear
from jaxseg.models.style import Style
from jaxseg.models.u_shape import Shape, decoder_features

DEPTH = 2
MakeBlock = Callable[[Any, Style, Shape, float, str], nn.Module]


class UNeXtModule(nn.Module):
    """Stem, encoder, bottleneck, decoders, the stem in reverse, and heads."""

    config: UNeXt
    heads: tuple[int, ...]
    kernels: tuple[Shape, ...]
    """Size of the depthwise kernel, for each level."""
    strides: tuple[Shape, ...]
    """Reduction of the stem, and from each level to the next."""
    style: Style
    block: MakeBlock
    """(config, style, kernel, probability to be skipped, name)."""

    @nn.compact
    def __call__(
        self, image: jax.Array, *, train: bool = False, key: jax.Array | None = None
    ) -> Logits:
        """(N, *S, C) to logits (N, *S, K) float32, the heads one after the other."""
        config, style, skips = self.config, self.style, []
        image = Merge(config.features[0], self.strides[0], style, name="stem")(image)
        image = LayerNorm(style, name="stem_norm")(image)
        for level, stride in enumerate(self.strides[1:]):
            image = self._blocks(level, f"down_{level}", image, train, key)
            skips.append(image)
            image = LayerNorm(style, name=f"reduce_{level}_norm")(image)
            image = Merge(config.features[level + 1], stride, style, name=f"reduce_{level}")(image)
        image = self._blocks(len(skips), "bottleneck", image, train, key)
        decoders = len(self.heads) if config.separate_decoders else 1
        decoded = [self._decode(number, image, skips, train, key) for number in range(decoders)]
        deep = config.deep_supervision and (train or self.is_initializing())
        return supervised(list(zip(*decoded, strict=True)), self.heads, style, deep=deep)

    def _decode(
        self, number: int, image: jax.Array, skips: list[jax.Array], train: bool, key: Any
    ) -> list[jax.Array]:
        """Feature maps at full size and of each level, the finest first."""
        config, style, name = self.config, self.style, f"decoder_{number}"
        levels: list[jax.Array] = []
        widths, one = decoder_features(config, len(self.heads)), (1,) * (image.ndim - 2)
        for level in reversed(range(len(skips))):
            image = LayerNorm(style, name=f"{name}_up_{level}_norm")(image)
            image = self._up(f"{name}_up_{level}", widths[level], self.strides[level + 1], image)
            image = jnp.concatenate([image, skips[level]], axis=-1)
            image = Conv(widths[level], one, style, name=f"{name}_join_{level}")(image)
            image = self._blocks(level, f"{name}_{level}", image, train, key, number + 1)
            levels.insert(0, image)
        full = Spread(widths[0], self.strides[0], style, name=f"{name}_stem")(image)
        return [LayerNorm(style, name=f"{name}_stem_norm")(full), *levels]

    def _up(self, name: str, features: int, factors: Shape, image: jax.Array) -> jax.Array:
        if self.config.upsample == "transpose":
            return Spread(features, factors, self.style, name=name)(image)
        image = Conv(features, (1,) * len(factors), self.style, name=name)(image)
        return linear(image, factors)

    def _blocks(
        self, level: int, name: str, image: jax.Array, train: bool, key: Any, branch: int = 0
    ) -> jax.Array:
        depth = depths(self.config)
        first = sum(depth[:level])
        for index in range(depth[level]):
            # On the way back the blocks of a level are skipped as often, in reverse order.
            place = first + (depth[level] - 1 - index if branch else index)
            rate = self.config.stochastic_depth * place / max(sum(depth) - 1, 1)
            block = self.block(
                self.config, self.style, self.kernels[level], rate, f"{name}_{index}"
            )
            draw = branch * sum(depth) + first + index
            image = block(image, train=train, key=fold(key, draw) if train and rate else None)
        return mark(image)


def depths(config: UNeXt) -> tuple[int, ...]:
    """Blocks of each level."""
    return config.depth or (DEPTH,) * len(config.features)


def build_unext(
    config: UNeXt,
    heads: tuple[int, ...],
    ndim: int,
    block: MakeBlock,
    *,
    style: Style,
    remat: bool,
    local: bool,
) -> Model:
    """A U-Net out of ConvNeXt blocks; see :func:`jaxseg.models.build`."""
    strides = steps(config, ndim)
    kernels = reach.kernels(config.kernel, config.isotropic, len(config.features), ndim)
    module = UNeXtModule(config, heads, kernels, strides, style, block)
    levels = [
        reach.around(kernel, depth) for kernel, depth in zip(kernels, depths(config), strict=True)
    ]
    none = (0,) * ndim
    down, up = [none, *levels], [none, *levels[:-1]]
    halo = reach.u_shape(down, up, strides, linear=config.upsample == "linear")
    stride = tuple(math.prod(axis) for axis in zip(*strides, strict=True))
    return as_model(module, halo, stride, local=local, remat=remat)
