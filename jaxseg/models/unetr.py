"""UNETR (Hatamizadeh et al. 2022)."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxseg.config import UNETR
from jaxseg.config.architectures import steps
from jaxseg.models import reach
from jaxseg.models.blocks import Stack
from jaxseg.models.convolutions import Merge, Spread
from jaxseg.models.dropping import fold
from jaxseg.models.heads import Logits, supervised
from jaxseg.models.model import Model, as_model, mark
from jaxseg.models.style import Style
from jaxseg.models.transformer import Block, waves

# Standard deviation of initial positions.
SPREAD = 0.02


class UNETRModule(nn.Module):
    """A transformer, and a decoder that brings its tokens of several depths to full size."""

    config: UNETR
    heads: tuple[int, ...]
    levels: int
    """Halvings from the image down to a token."""
    style: Style

    @nn.compact
    def __call__(
        self, image: jax.Array, *, train: bool = False, key: jax.Array | None = None
    ) -> Logits:
        """(N, *S, C) to logits (N, *S, K) float32, the heads one after the other."""
        levels: list[list[jax.Array]] = []
        deepest, skips = self._encode(image)
        up = self._up("up_bottom", self.levels - 1, deepest)
        for level in reversed(range(1, self.levels)):
            skip = self._lift(level, skips[level], train, key)
            joined = jnp.concatenate([up, skip], axis=-1)
            joined = self._stack(f"decoder_{level}", level, 2, joined, train, key)
            levels.insert(0, [joined])
            up = self._up(f"up_{level}", level - 1, joined)
        skip = self._stack("skip_0", 0, 2, image, train, key, draw=self.levels + 1)
        joined = jnp.concatenate([skip, up], axis=-1)
        levels.insert(0, [self._stack("decoder_0", 0, 2, joined, train, key)])
        deep = self.config.deep_supervision and (train or self.is_initializing())
        return supervised(levels, self.heads, self.style, deep=deep)

    def _encode(self, image: jax.Array) -> tuple[jax.Array, dict[int, jax.Array]]:
        """The last tokens, and those for each level of the decoder, (N, *S / token, embed)."""
        config, style, skips = self.config, self.style, {}
        patch = (config.token,) * (image.ndim - 2)
        tokens = Merge(config.embed, patch, style, name="tokens")(image)
        grid = tokens.shape[:-1]
        tokens = tokens + self._positions(grid[1:]).astype(tokens.dtype)
        # A token for the whole image: no place of its own, but all attend to it.
        whole = self.param("whole", nn.initializers.zeros, (config.embed,))
        whole = jnp.broadcast_to(whole.astype(tokens.dtype), (grid[0], 1, config.embed))
        tokens = jnp.concatenate([whole, tokens.reshape(grid[0], -1, config.embed)], axis=1)
        every = config.skip_every or max(1, config.depth // self.levels)
        hidden = int(config.embed * config.mlp_ratio)
        for index in range(config.depth):
            block = Block(config.attention_heads, hidden, style, name=f"block_{index}")
            tokens = mark(block(tokens))
            level, rest = divmod(index + 1, every)
            if rest == 0 and level < self.levels:
                skips[level] = tokens[:, 1:].reshape(*grid, -1)
        return tokens[:, 1:].reshape(*grid, -1), skips

    def _positions(self, grid: tuple[int, ...]) -> jax.Array:
        config = self.config
        if config.position == "none":
            return jnp.zeros(())
        if config.position == "sinusoidal":
            return waves(grid, config.embed)
        init = nn.initializers.normal(SPREAD)
        learned = self.param("positions", init, (*config.grid, config.embed))
        return jax.image.resize(learned, (*grid, config.embed), "linear")

    def _up(self, name: str, level: int, image: jax.Array) -> jax.Array:
        """Twice the size, with the feature maps of a level."""
        width, factors = self.config.filters * 2**level, (2,) * (image.ndim - 2)
        return Spread(width, factors, self.style, bias=False, name=name)(image)

    def _lift(self, level: int, tokens: jax.Array, train: bool, key: Any) -> jax.Array:
        """Tokens to the size of a level, twice at a time."""
        for step in range(self.levels - level):
            tokens = self._up(f"lift_{level}_{step}", level, tokens)
            name = f"lift_{level}_{step}_conv"
            tokens = self._stack(name, level, 1, tokens, train, key, draw=step + 1)
        return tokens

    def _stack(
        self,
        name: str,
        level: int,
        convs: int,
        image: jax.Array,
        train: bool,
        key: Any,
        draw: int = 0,
    ) -> jax.Array:
        config, image = self.config, image.astype(self.style.dtype)
        rate = config.dropout[level] if config.dropout else 0.0
        kernel = (config.kernel,) * (image.ndim - 2)
        stack = Stack(config.filters * 2**level, kernel, convs, self.style, rate, name=name)
        # A number of its own for each stack, so that no two drop the same channels.
        number = draw * self.levels + level
        return mark(stack(image, train=train, key=fold(key, number) if train and rate else None))


def build(config: UNETR, heads: tuple[int, ...], ndim: int, *, style: Style, remat: bool) -> Model:
    """The model; see :func:`jaxseg.models.build`."""
    halves = steps(config, ndim)
    module = UNETRModule(config, heads, len(halves), style)
    kernel = (config.kernel,) * ndim
    down = [reach.around(kernel, 2)] + [(0,) * ndim] * len(halves)
    up = [reach.around(kernel, 2)] + [reach.around(kernel, 3)] * (len(halves) - 1)
    halo = reach.u_shape(down, up, halves, linear=False)
    return as_model(module, halo, (config.token,) * ndim, local=False, remat=remat)
