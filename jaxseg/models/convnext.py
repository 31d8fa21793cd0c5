"""The blocks of ConvNeXt (Liu et al. 2022) and ConvNeXt V2 (Woo et al. 2023)."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxseg.models.convolutions import Depthwise, Linear
from jaxseg.models.dropping import drop_change, fold
from jaxseg.models.normalization import LayerNorm
from jaxseg.models.style import Style, gelu

EXPANSION = 4
# Of the normalisation within a block, as published.
EPSILON = 1e-6


class ConvNeXt(nn.Module):
    """Depthwise convolution, normalisation, and two layers on each voxel; added to the input."""

    kernel: tuple[int, ...]
    style: Style
    drop: float = 0.0
    """Probability that a sample skips the block in training."""
    layer_scale: float | None = None
    """Initial factor of the change, learned per channel; None = there is none."""
    response: bool = False
    """Global response normalisation between the two layers."""
    response_axes: int | None = None
    """How many spatial axes a response is taken over; None = all."""

    @nn.compact
    def __call__(
        self, image: jax.Array, *, train: bool = False, key: jax.Array | None = None
    ) -> jax.Array:
        """(N, *S, C) to the same shape."""
        channels, style = image.shape[-1], self.style
        change = Depthwise(self.kernel, style, name="depthwise")(image)
        change = LayerNorm(style, EPSILON, name="norm")(change)
        change = Linear(EXPANSION * channels, style, name="expand")(change)
        change = gelu(change)
        if self.response:
            change = Response(self.response_axes, name="response")(change)
        change = Linear(channels, style, name="reduce")(change)
        if self.layer_scale is not None:
            scale = self.param("scale", nn.initializers.constant(self.layer_scale), (channels,))
            change = change * scale.astype(change.dtype)
        if train and self.drop > 0:
            change = drop_change(fold(key, 0), change, self.drop)
        return image + change


class Response(nn.Module):
    """Global response normalisation: channels stand out that respond more than the mean channel."""

    axes: int | None = None
    """How many spatial axes, the first ones, a response is taken over; None = all."""

    @nn.compact
    def __call__(self, image: jax.Array) -> jax.Array:
        """(N, *S, C) to the same shape."""
        scale = self.param("scale", nn.initializers.zeros, (image.shape[-1],))
        bias = self.param("bias", nn.initializers.zeros, (image.shape[-1],))
        count = image.ndim - 2 if self.axes is None else self.axes
        exact = image.astype(jnp.float32)
        square = (exact * exact).sum(tuple(range(1, count + 1)), keepdims=True)
        # The gradient of the root is not finite at 0, where nothing responds.
        norm = jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1)), 0)
        part = norm / (norm.mean(-1, keepdims=True) + EPSILON)
        return image * (1 + scale * part).astype(image.dtype) + bias.astype(image.dtype)
