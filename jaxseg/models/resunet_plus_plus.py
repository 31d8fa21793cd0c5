"""ResUNet++ (Jha et al. 2019)."""

from __future__ import annotations

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxseg.config import ResUNetPlusPlus
from jaxseg.config.architectures import steps
from jaxseg.models import reach
from jaxseg.models.atrous import AtrousPyramid
from jaxseg.models.blocks import Excite, PlainUp, Residual, Stack
from jaxseg.models.convolutions import Conv
from jaxseg.models.dropping import fold
from jaxseg.models.heads import Logits, supervised
from jaxseg.models.model import Model, as_model, mark
from jaxseg.models.normalization import Norm
from jaxseg.models.recipes import RECIPES
from jaxseg.models.style import Style
from jaxseg.models.u_shape import Shape, decoder_features, wider


class Attention(nn.Module):
    """Weights for the decoder's image out of itself and a skip connection of the finer level."""

    factors: Shape
    style: Style

    @nn.compact
    def __call__(self, skip: jax.Array, image: jax.Array, *, train: bool = False) -> jax.Array:
        """(N, *S * factors, D) and (N, *S, C) to (N, *S, C)."""
        ndim, width = image.ndim - 2, image.shape[-1]

        def view(name: str, source: jax.Array) -> jax.Array:
            source = nn.relu(Norm(self.style, name=f"{name}_norm")(source, train=train))
            return Conv(width, (3,) * ndim, self.style, name=name)(source)

        both = RECIPES[self.style.recipe].pool(view("skip", skip), self.factors)
        both = both + view("image", image)
        both = nn.relu(Norm(self.style, name="weight_norm")(both, train=train))
        return image * Conv(1, (1,) * ndim, self.style, name="weight")(both)


class ResUNetPlusPlusModule(nn.Module):
    """Two blocks at full size, one more for each coarser resolution, a bridge, and decoders."""

    config: ResUNetPlusPlus
    heads: tuple[int, ...]
    kernels: tuple[Shape, ...]
    """Size of the convolution kernel, for each resolution."""
    strides: tuple[Shape, ...]
    """Reduction from each resolution to the next."""
    style: Style

    @nn.compact
    def __call__(
        self, image: jax.Array, *, train: bool = False, key: jax.Array | None = None
    ) -> Logits:
        """(N, *S, C) to logits (N, *S, K) float32, the heads one after the other."""
        config, style, image = self.config, self.style, image.astype(self.style.dtype)
        if config.larger_io:
            image = self._wide("wide_in", config.features[0], image, train)
        image = self._block(0, "down_0", config.features[0], image, train, key, first=True)
        image = Excite(config.reduction, style, name="excite_0")(image)
        skips = [image]
        for level, stride in enumerate(self.strides):
            number, width = level + 1, config.features[level + 1]
            image = self._block(level, f"down_{number}", width, image, train, key, number)
            if number < len(self.strides):
                image = Excite(config.reduction, style, name=f"excite_{number}")(image)
            image = RECIPES[style.recipe].pool(image, stride)
            skips.append(image)
        image = AtrousPyramid(config.features[-1], config.dilations, style, name="bridge")(
            image, train=train
        )
        decoders = len(self.heads) if config.separate_decoders else 1
        decoded = [self._decode(number, image, skips, train, key) for number in range(decoders)]
        deep = config.deep_supervision and (train or self.is_initializing())
        return supervised(list(zip(*decoded, strict=True)), self.heads, style, deep=deep)

    def _decode(
        self, number: int, image: jax.Array, skips: list[jax.Array], train: bool, key: Any
    ) -> list[jax.Array]:
        """Feature maps of each resolution on the way back, the finest first."""
        config, style, name = self.config, self.style, f"decoder_{number}"
        levels: list[jax.Array] = []
        widths = decoder_features(config, len(self.heads))
        for level in reversed(range(len(self.strides))):
            stride, skip = self.strides[level], skips[level]
            attend = Attention(stride, style, name=f"{name}_attention_{level}")
            image = attend(skip, image, train=train)
            image = PlainUp(stride, config.upsample, style, name=f"{name}_up_{level}")(image)
            image = jnp.concatenate([image, skip], axis=-1)
            draw = (number + 1) * len(config.features) + level
            at = (level, f"{name}_{level}", widths[level + 1])
            image = self._block(*at, image, train, key, draw)
            levels.insert(0, image)
        pyramid = AtrousPyramid(widths[0], config.dilations, style, name=f"{name}_out")
        levels[0] = pyramid(levels[0], train=train)
        if config.larger_io:
            levels[0] = self._wide(f"{name}_wide_out", widths[0], levels[0], train)
        return levels

    def _block(
        self,
        level: int,
        name: str,
        features: int,
        image: jax.Array,
        train: bool,
        key: Any,
        number: int = 0,
        *,
        first: bool = False,
    ) -> jax.Array:
        config = self.config
        rate = config.dropout[level] if config.dropout else 0.0
        block = Residual(
            features, self.kernels[level], config.convs, self.style, rate, first, True, name=name
        )
        return mark(block(image, train=train, key=fold(key, number) if train and rate else None))

    def _wide(self, name: str, features: int, image: jax.Array, train: bool) -> jax.Array:
        return Stack(features, wider(self.kernels[0]), 1, self.style, name=name)(image, train=train)


def build(
    config: ResUNetPlusPlus, heads: tuple[int, ...], ndim: int, *, style: Style, remat: bool
) -> Model:
    """The model; see :func:`jaxseg.models.build`."""
    strides = steps(config, ndim)
    kernels = reach.kernels(config.kernel, config.isotropic, len(strides) + 1, ndim)
    module = ResUNetPlusPlusModule(config, heads, kernels, strides, style)
    one = reach.around((3,) * ndim)
    atrous = tuple(max(config.dilations) for _ in range(ndim))
    # The attention looks one voxel further around the skip connection and the decoder's image.
    blocks = [reach.plus(reach.around(kernel, config.convs), one) for kernel in kernels[:-1]]
    wide = reach.around(wider(kernels[0])) if config.larger_io else (0,) * ndim
    double = reach.plus(blocks[0], reach.around(kernels[0], config.convs), wide)
    down = [double, *blocks[1:], reach.plus(atrous, one)]
    up = [reach.plus(blocks[0], atrous, wide), *blocks[1:]]
    halo = reach.u_shape(down, up, strides, linear=config.upsample == "linear")
    stride = tuple(math.prod(axis) for axis in zip(*strides, strict=True))
    return as_model(module, halo, stride, local=False, remat=remat)
