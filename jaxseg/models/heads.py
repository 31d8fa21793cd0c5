"""The last layer: from feature maps to logits."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp

from jaxseg.models.convolutions import Conv
from jaxseg.models.style import Style

Logits = jax.Array | list[jax.Array]


def logits_of(
    decoded: Sequence[jax.Array], heads: tuple[int, ...], style: Style, level: int = 0
) -> jax.Array:
    """A 1x1 convolution for each head, made inside the module that calls this.

    Parameters
    ----------
    decoded : feature maps (N, *S, C), of one decoder for all heads or of one for each
    heads : number of output channels of each
    style : of the network; the layer itself computes in full precision, since its values are what
        losses and links see
    level : 0 for the full size, else the level of a head of deep supervision

    Returns
    -------
    (N, *S, K) float32, one head after the other
    """
    exact = dataclasses.replace(style, dtype=jnp.float32)
    one = (1,) * (decoded[0].ndim - 2)
    each = list(decoded) * len(heads) if len(decoded) == 1 else decoded
    suffix = f"_level_{level}" if level else ""
    logits = [
        Conv(width, one, exact, name=f"head_{number}{suffix}")(features)
        for number, (width, features) in enumerate(zip(heads, each, strict=True))
    ]
    return jnp.concatenate(logits, axis=-1)


def supervised(
    levels: Sequence[Sequence[jax.Array]],
    heads: tuple[int, ...],
    style: Style,
    *,
    deep: bool,
) -> Logits:
    """Logits of the finest level, or of all of them.

    Parameters
    ----------
    levels : feature maps of each decoder, for each level, the finest first
    heads, style : see :func:`logits_of`
    deep : logits of all levels are wanted

    Returns
    -------
    (N, *S, K) float32, or a list of them, the finest first
    """
    if not deep:
        return logits_of(levels[0], heads, style)
    return [logits_of(decoded, heads, style, level) for level, decoded in enumerate(levels)]
