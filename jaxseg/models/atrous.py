"""Atrous spatial pyramid pooling (Chen et al. 2017)."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxseg.models.convolutions import Conv
from jaxseg.models.normalization import Norm
from jaxseg.models.style import Style


class AtrousPyramid(nn.Module):
    """Convolutions with holes of several widths side by side, joined by a 1x1 convolution."""

    features: int
    dilations: tuple[int, ...]
    style: Style

    @nn.compact
    def __call__(self, image: jax.Array, *, train: bool = False) -> jax.Array:
        """(N, *S, C) to (N, *S, features)."""
        ndim, views = image.ndim - 2, []
        for index, dilation in enumerate(self.dilations):
            name = f"conv_{index}"
            conv = Conv(self.features, (3,) * ndim, self.style, dilation=dilation, name=name)
            norm = Norm(self.style, name=f"norm_{index}")
            views.append(norm(nn.relu(conv(image)), train=train))
        join = Conv(self.features, (1,) * ndim, self.style, name="join")
        return join(jnp.concatenate(views, axis=-1))
