"""U-Net (Ronneberger, Fischer & Brox 2015; in 3D Çiçek et al. 2016)."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxseg.config import UNet
from jaxseg.models.blocks import Conv, Stack, Style, Up, fold
from jaxseg.models.model import Model, as_model
from jaxseg.models.recipes import RECIPES


class UNetModule(nn.Module):
    """Encoder, bottleneck, one decoder for all heads or one for each, and the heads."""

    config: UNet
    heads: tuple[int, ...]
    kernels: tuple[tuple[int, ...], ...]
    """Size of the convolution kernel, for each level."""
    strides: tuple[tuple[int, ...], ...]
    """Reduction from each level to the next."""
    style: Style

    @nn.compact
    def __call__(
        self, image: jax.Array, *, train: bool = False, key: jax.Array | None = None
    ) -> jax.Array:
        """(N, *S, C) to logits (N, *S, K) float32, the heads one after the other."""
        skips, image = [], image.astype(self.style.dtype)
        bottom = len(self.strides)
        for level, stride in enumerate(self.strides):
            image = self._stack(level, f"down_{level}", image, train, key)
            skips.append(image)
            image = RECIPES[self.style.recipe].pool(image, stride)
        image = self._stack(bottom, "bottleneck", image, train, key)
        decoders = len(self.heads) if self.config.separate_decoders else 1
        decoded = [self._decode(number, image, skips, train, key) for number in range(decoders)]
        if not self.config.separate_decoders:
            decoded *= len(self.heads)
        # The last layer in full precision: its values are what losses and links see.
        one = (1,) * len(self.kernels[0])
        exact = dataclasses.replace(self.style, dtype=jnp.float32)
        logits = [
            Conv(width, one, exact, name=f"head_{number}")(features)
            for number, (width, features) in enumerate(zip(self.heads, decoded, strict=True))
        ]
        return jnp.concatenate(logits, axis=-1)

    def _decode(
        self, number: int, image: jax.Array, skips: list[jax.Array], train: bool, key: Any
    ) -> jax.Array:
        """From the bottleneck back to the size of the image."""
        config, name = self.config, f"decoder_{number}"
        for level in reversed(range(len(skips))):
            up = Up(
                config.features[level],
                self.strides[level],
                config.upsample,
                self.style,
                name=f"{name}_up_{level}",
            )
            image = up(image, train=train)
            image = jnp.concatenate([image, skips[level]], axis=-1)
            image = self._stack(level, f"{name}_{level}", image, train, key, branch=number + 1)
        return image

    def _stack(
        self, level: int, name: str, image: jax.Array, train: bool, key: Any, branch: int = 0
    ) -> jax.Array:
        config = self.config
        rate = config.dropout[level] if config.dropout else 0.0
        stack = Stack(
            config.features[level],
            self.kernels[level],
            config.convs,
            self.style,
            rate,
            name=name,
        )
        # A number of its own for each stack, so that no two drop the same channels.
        number = branch * len(self.kernels) + level
        return stack(image, train=train, key=fold(key, number) if train and rate else None)


def build(
    config: UNet, heads: tuple[int, ...], ndim: int, *, dtype: str = "float32", recipe: str
) -> Model:
    """A U-Net as a pair of pure functions.

    Parameters
    ----------
    config : see :class:`jaxseg.config.UNet`
    heads : number of output channels of each head
    ndim : 2 or 3
    dtype : element type of the arithmetic; parameters, statistics and logits are float32
    recipe : how convolutions are computed, a name in ``models.recipes.RECIPES``

    Returns
    -------
    Model
    """
    kernels, strides = geometry(config, ndim)
    style = Style(config.norm, config.activation, recipe, jnp.dtype(dtype))
    module = UNetModule(config, heads, kernels, strides, style)
    linear = config.upsample == "linear"
    per_axis = zip(zip(*kernels, strict=True), zip(*strides, strict=True), strict=True)
    halo = tuple(radius(sizes, steps, config.convs, linear) for sizes, steps in per_axis)
    stride = tuple(math.prod(steps) for steps in zip(*strides, strict=True))
    return as_model(module, halo, stride)


def geometry(
    config: UNet, ndim: int
) -> tuple[tuple[tuple[int, ...], ...], tuple[tuple[int, ...], ...]]:
    """Kernel size at each level, and reduction from each level to the next, (z)yx.

    >>> geometry(UNet(features=(8, 16, 32), z_down=(1, 2), isotropic=(False, True, True)), 3)
    (((1, 3, 3), (3, 3, 3), (3, 3, 3)), ((1, 2, 2), (2, 2, 2)))
    """
    levels, plane = len(config.features), (config.kernel, config.kernel)
    if ndim == 2:
        return (plane,) * levels, ((2, 2),) * (levels - 1)
    isotropic = config.isotropic or (True,) * levels
    z_down = config.z_down or (2,) * (levels - 1)
    kernels = tuple((config.kernel if whole else 1, *plane) for whole in isotropic)
    return kernels, tuple((step, 2, 2) for step in z_down)


def radius(kernels: tuple[int, ...], strides: tuple[int, ...], convs: int, linear: bool) -> int:
    """Farthest input voxel that an output voxel depends on, along one axis.

    Follows the interval of voxels that one output voxel needs, from the output down to the
    bottleneck and up to the input, for every position of the voxel within the total stride.
    """
    reach = [convs * (kernel // 2) for kernel in kernels]
    farthest = 0
    for start in range(math.prod(strides)):
        low = high = start
        for around, step in zip(reach, strides, strict=False):
            low, high = low - around, high + around
            if linear and step > 1:
                low, high = low - 1, high + 1
            low, high = low // step, high // step
        low, high = low - reach[-1], high + reach[-1]
        for around, step in reversed(list(zip(reach, strides, strict=False))):
            low, high = low * step - around, high * step + step - 1 + around
        farthest = max(farthest, start - low, high - start)
    return farthest
