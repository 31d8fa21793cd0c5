"""Blocks of the vision transformer (Dosovitskiy et al. 2021), and positions for its tokens."""

from __future__ import annotations

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxseg.models.convolutions import Linear
from jaxseg.models.normalization import LayerNorm
from jaxseg.models.style import Style, gelu

# Longest wave of a position, in tokens over 2 pi (Vaswani et al. 2017).
LONGEST = 10000.0


class Block(nn.Module):
    """Attention between all tokens, then two layers on each; both normalise first and add up."""

    heads: int
    hidden: int
    style: Style

    @nn.compact
    def __call__(self, tokens: jax.Array) -> jax.Array:
        """(N, T, C) to the same shape."""
        channels, style = tokens.shape[-1], self.style
        inner = LayerNorm(style, name="norm_0")(tokens)
        qkv = Linear(3 * channels, style, name="qkv")(inner)
        split = qkv.reshape(*qkv.shape[:2], 3, self.heads, channels // self.heads)
        mixed = jax.nn.dot_product_attention(*(split[:, :, part] for part in range(3)))
        tokens = tokens + Linear(channels, style, name="project")(mixed.reshape(tokens.shape))
        inner = LayerNorm(style, name="norm_1")(tokens)
        inner = gelu(Linear(self.hidden, style, name="expand")(inner))
        return tokens + Linear(channels, style, name="reduce")(inner)


def waves(grid: Sequence[int], channels: int) -> jax.Array:
    """Positions on a grid as sines and cosines of many lengths, the same share for each axis.

    Parameters
    ----------
    grid : tokens along each axis
    channels : a multiple of twice the number of axes

    Returns
    -------
    (*grid, channels) float32

    >>> waves((2, 3), 8).shape
    (2, 3, 8)
    """
    share = channels // (2 * len(grid))
    rates = LONGEST ** (-jnp.arange(share) / share)
    parts = []
    for axis, size in enumerate(grid):
        phase = jnp.arange(size)[:, None] * rates
        wave = jnp.concatenate([jnp.sin(phase), jnp.cos(phase)], axis=-1)
        shape = [size if at == axis else 1 for at in range(len(grid))]
        parts.append(jnp.broadcast_to(wave.reshape(*shape, -1), (*grid, 2 * share)))
    return jnp.concatenate(parts, axis=-1)
