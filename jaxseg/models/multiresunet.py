"""MultiResUNet (Ibtehaz & Rahman 2020)."""

from __future__ import annotations

import math

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxseg.config import MultiResUNet
from jaxseg.config.architectures import steps
from jaxseg.models import reach
from jaxseg.models.convolutions import Conv, Spread
from jaxseg.models.heads import Logits, supervised
from jaxseg.models.model import Model, as_model, is_local, mark
from jaxseg.models.normalization import Norm
from jaxseg.models.recipes import RECIPES
from jaxseg.models.style import Style
from jaxseg.models.u_shape import Shape

# Of the nominal feature maps of a block, what its three successive convolutions have, as published.
WIDTH = 1.67
SHARES = (0.167, 0.333, 0.5)


def branches(features: int) -> tuple[int, ...]:
    """Feature maps of the three convolutions of a block.

    >>> branches(32)
    (8, 17, 26)
    """
    return tuple(max(1, int(features * WIDTH * share)) for share in SHARES)


class NormConv(nn.Module):
    """Convolution and normalisation, then the activation where it is wanted."""

    features: int
    size: int
    style: Style
    active: bool = True

    @nn.compact
    def __call__(self, image: jax.Array, *, train: bool = False) -> jax.Array:
        """(N, *S, C) to (N, *S, features)."""
        kernel = (self.size,) * (image.ndim - 2)
        conv = Conv(self.features, kernel, self.style, name="conv")
        norm = Norm(self.style, name="norm")
        return norm(image, train=train, activate=self.active, after=conv)


class MultiRes(nn.Module):
    """Three convolutions in a row whose results stand side by side, and a shortcut."""

    features: int
    style: Style

    @nn.compact
    def __call__(self, image: jax.Array, *, train: bool = False) -> jax.Array:
        """(N, *S, C) to (N, *S, sum of the branches)."""
        widths, views, style = branches(self.features), [], self.style
        same = NormConv(sum(widths), 1, style, False, name="shortcut")(image, train=train)
        for index, width in enumerate(widths):
            image = NormConv(width, 3, style, name=f"conv_{index}")(image, train=train)
            views.append(image)
        joined = Norm(style, name="norm_in")(jnp.concatenate(views, axis=-1), train=train)
        norm = Norm(style, name="norm_out")
        return mark(norm(joined + same, train=train, activate=True))


class Path(nn.Module):
    """A skip connection through residual convolutions, fewer the coarser the level."""

    features: int
    length: int
    style: Style
    biapy_compatible: bool

    @nn.compact
    def __call__(self, image: jax.Array, *, train: bool = False) -> jax.Array:
        """(N, *S, C) to (N, *S, features)."""
        style = self.style
        for index in range(self.length):
            shortcut = NormConv(self.features, 1, style, False, name=f"shortcut_{index}")
            conv = NormConv(self.features, 3, style, name=f"conv_{index}")
            norm = Norm(style, name=f"norm_{index}")
            same, image = shortcut(image, train=train), conv(image, train=train)
            if self.biapy_compatible:
                image = norm(image, train=train, activate=True)
            image = norm(image + same, train=train, activate=True)
        return mark(image)


class MultiResUNetModule(nn.Module):
    """Encoder, skip paths, decoder and heads."""

    config: MultiResUNet
    heads: tuple[int, ...]
    strides: tuple[Shape, ...]
    """Reduction from each level to the next."""
    style: Style

    @nn.compact
    def __call__(
        self, image: jax.Array, *, train: bool = False, key: jax.Array | None = None
    ) -> Logits:
        """(N, *S, C) to logits (N, *S, K) float32, the heads one after the other."""
        config, style, skips = self.config, self.style, []
        levels: list[list[jax.Array]] = []
        image, down = image.astype(style.dtype), len(self.strides)
        for level, stride in enumerate(self.strides):
            width = config.features[level]
            image = MultiRes(width, style, name=f"down_{level}")(image, train=train)
            path = Path(width, down - level, style, config.biapy_compatible, name=f"path_{level}")
            skips.append(path(image, train=train))
            image = RECIPES[style.recipe].pool(image, stride)
        image = MultiRes(config.features[-1], style, name="bottleneck")(image, train=train)
        for level in reversed(range(down)):
            width = config.features[level]
            image = Spread(width, self.strides[level], style, name=f"up_{level}")(image)
            image = jnp.concatenate([image, skips[level]], axis=-1)
            image = MultiRes(width, style, name=f"decoder_{level}")(image, train=train)
            levels.insert(0, [image])
        deep = config.deep_supervision and (train or self.is_initializing())
        return supervised(levels, self.heads, style, deep=deep)


def build(
    config: MultiResUNet, heads: tuple[int, ...], ndim: int, *, style: Style, remat: bool
) -> Model:
    """The model; see :func:`jaxseg.models.build`."""
    strides = steps(config, ndim)
    module = MultiResUNetModule(config, heads, strides, style)
    block = reach.around((3,) * ndim, len(SHARES))
    paths = [reach.around((3,) * ndim, len(strides) - level) for level in range(len(strides))]
    down = [reach.plus(block, path) for path in paths] + [block]
    halo = reach.u_shape(down, [block] * len(strides), strides, linear=False)
    stride = tuple(math.prod(axis) for axis in zip(*strides, strict=True))
    return as_model(module, halo, stride, local=is_local(style), remat=remat)
