"""Attention U-Net (Oktay et al. 2018): the decoder decides what a skip connection lets through."""

from __future__ import annotations

import flax.linen as nn
import jax

from jaxseg.config import AttentionUNet
from jaxseg.models.convolutions import Conv
from jaxseg.models.model import Model
from jaxseg.models.normalization import Norm
from jaxseg.models.style import Style
from jaxseg.models.u_shape import Parts, build_u_shape
from jaxseg.models.unet import block


class Gate(nn.Module):
    """One weight per voxel, of the decoder's image and the skip connection together."""

    style: Style
    biapy_compatible: bool

    @nn.compact
    def __call__(self, upsampled: jax.Array, skip: jax.Array, *, train: bool = False) -> jax.Array:
        """(N, *S, C) and (N, *S, D) to (N, *S, D)."""
        one, width = (1,) * (skip.ndim - 2), max(1, upsampled.shape[-1] // 2)
        conv = Conv(width, one, self.style, name="signal")
        signal = Norm(self.style, name="signal_norm")(upsampled, train=train, after=conv)
        conv = Conv(width, one, self.style, name="skip")
        if self.biapy_compatible:
            offered = conv(skip)
        else:
            offered = Norm(self.style, name="skip_norm")(skip, train=train, after=conv)
        weight = Conv(1, one, self.style, name="weight")(nn.relu(signal + offered))
        weight = Norm(self.style, name="weight_norm")(weight, train=train)
        return skip * nn.sigmoid(weight)


def gate(config: AttentionUNet, style: Style, name: str) -> Gate:
    """The gate of a skip connection."""
    return Gate(style, config.biapy_compatible, name=name)


def build(
    config: AttentionUNet, heads: tuple[int, ...], ndim: int, *, style: Style, remat: bool
) -> Model:
    """The model; see :func:`jaxseg.models.build`."""
    parts = Parts(block, gate=gate)
    return build_u_shape(config, heads, ndim, parts, style=style, remat=remat)
