"""Residual U-Net (Zhang, Liu & Wang 2018)."""

from __future__ import annotations

from jaxseg.config import ResUNet
from jaxseg.models.blocks import PlainUp, Residual
from jaxseg.models.model import Model
from jaxseg.models.style import Style
from jaxseg.models.u_shape import Parts, Place, Shape, build_u_shape


def block(config: ResUNet, style: Style, place: Place, name: str) -> Residual:
    """A residual block."""
    return Residual(
        place.features, place.kernel, place.convs, style, place.dropout, place.first, name=name
    )


def up(config: ResUNet, style: Style, features: int, factors: Shape, name: str) -> PlainUp:
    """Upsampling that leaves the feature maps to the block that follows."""
    return PlainUp(factors, config.upsample, style, name=name)


def build(
    config: ResUNet, heads: tuple[int, ...], ndim: int, *, style: Style, remat: bool
) -> Model:
    """The model; see :func:`jaxseg.models.build`."""
    return build_u_shape(config, heads, ndim, Parts(block, up), style=style, remat=remat)
