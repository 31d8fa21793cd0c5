"""STU-Net (Huang et al. 2023)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxseg.config import STUNet
from jaxseg.config.architectures import steps
from jaxseg.models import reach
from jaxseg.models.convolutions import Conv
from jaxseg.models.heads import Logits, logits_of, supervised
from jaxseg.models.model import Model, as_model, is_local, mark
from jaxseg.models.normalization import Norm
from jaxseg.models.resize import nearest
from jaxseg.models.style import Style
from jaxseg.models.u_shape import Shape

KERNEL = 3


class Size(NamedTuple):
    """Feature maps of each stage, and residual blocks in each."""

    features: tuple[int, ...]
    depths: tuple[int, ...]


VARIANTS: Mapping[str, Size] = MappingProxyType(
    {
        "small": Size((16, 32, 64, 128, 256, 256), (1,) * 6),
        "base": Size((32, 64, 128, 256, 512, 512), (1,) * 6),
        "large": Size((64, 128, 256, 512, 1024, 1024), (2,) * 6),
    }
)


class Block(nn.Module):
    """Two convolutions and a shortcut; the first convolution may reduce the image."""

    features: int
    kernel: Shape
    style: Style
    strides: Shape | None = None
    project: bool = False
    """The shortcut is a convolution of one voxel."""

    @nn.compact
    def __call__(self, image: jax.Array, *, train: bool = False) -> jax.Array:
        """(N, *S, C) to (N, *S / strides, features)."""
        style, strides, one = self.style, self.strides, (1,) * len(self.kernel)
        conv = Conv(self.features, self.kernel, style, strides, name="conv_0")
        change = Norm(style, name="norm_0")(image, train=train, activate=True, after=conv)
        conv = Conv(self.features, self.kernel, style, name="conv_1")
        change = Norm(style, name="norm_1")(change, train=train, after=conv)
        if self.project:
            image = Conv(self.features, one, style, strides, name="shortcut")(image)
        return style.activate(change + image)


class STUNetModule(nn.Module):
    """Stages down, one fewer up, and heads."""

    config: STUNet
    heads: tuple[int, ...]
    size: Size
    kernels: tuple[Shape, ...]
    """Size of the convolution kernel, for each stage."""
    strides: tuple[Shape, ...]
    """Reduction from each stage to the next."""
    style: Style

    @nn.compact
    def __call__(
        self, image: jax.Array, *, train: bool = False, key: jax.Array | None = None
    ) -> Logits:
        """(N, *S, C) to logits (N, *S, K) float32, the heads one after the other."""
        style, skips, one = self.style, [], (1,) * (image.ndim - 2)
        levels: list[list[jax.Array]] = []
        image = self._stage(0, "down_0", image, None, train)
        for stage, stride in enumerate(self.strides, start=1):
            skips.append(image)
            image = self._stage(stage, f"down_{stage}", image, stride, train)
        for stage in reversed(range(len(self.strides))):
            width = self.size.features[stage]
            # A 1x1 convolution and repetition commute; this order has fewer voxels to compute.
            image = Conv(width, one, style, name=f"up_{stage}")(image)
            image = jnp.concatenate([nearest(image, self.strides[stage]), skips[stage]], axis=-1)
            image = self._stage(stage, f"decoder_{stage}", image, None, train)
            levels.insert(0, [image])
        deep = self.config.deep_supervision and (train or self.is_initializing())
        if self.config.biapy_compatible:
            narrow = Conv(self.heads[0], one, style, name="narrow")
            levels[0] = [narrow(levels[0][0])]
            return logits_of(levels[0], self.heads, style)
        return supervised(levels, self.heads, style, deep=deep)

    def _stage(
        self, stage: int, name: str, image: jax.Array, strides: Shape | None, train: bool
    ) -> jax.Array:
        for index in range(self.size.depths[stage]):
            first = index == 0
            place = (self.size.features[stage], self.kernels[stage], self.style)
            block = Block(*place, strides if first else None, first, name=f"{name}_{index}")
            image = block(image, train=train)
        return mark(image)


def build(config: STUNet, heads: tuple[int, ...], ndim: int, *, style: Style, remat: bool) -> Model:
    """The model; see :func:`jaxseg.models.build`."""
    strides, usual = steps(config, ndim), VARIANTS[config.variant]
    count = config.stages
    depth = (config.depth or usual.depths[0],) * count
    size = Size(config.features or usual.features, config.depths or depth)
    sides = config.kernels or (KERNEL,) * count
    flat = config.isotropic or (True,) * count
    kernels = tuple(
        reach.kernels(side, (whole,), 1, ndim)[0] for side, whole in zip(sides, flat, strict=True)
    )
    module = STUNetModule(config, heads, size, kernels, strides, style)
    stages = [
        reach.around(kernel, 2 * blocks)
        for kernel, blocks in zip(kernels, size.depths, strict=True)
    ]
    # The convolution that reduces looks one voxel further than the block that it reduces.
    farther = [reach.around((side,) * ndim) for side in sides[1:]]
    down = [*(reach.plus(*pair) for pair in zip(stages[:-1], farther, strict=True)), stages[-1]]
    halo = reach.u_shape(down, stages[:-1], strides, linear=False)
    stride = tuple(math.prod(axis) for axis in zip(*strides, strict=True))
    return as_model(module, halo, stride, local=is_local(style), remat=remat)
