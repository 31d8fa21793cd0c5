"""Residual U-Net with a convolution before each residual block, and squeeze-and-excitation."""

from __future__ import annotations

from jaxseg.config import ResUNetSE
from jaxseg.models.blocks import ExcitedResidual, PlainUp
from jaxseg.models.model import Model
from jaxseg.models.style import Style
from jaxseg.models.u_shape import Parts, Place, Shape, build_u_shape


def block(config: ResUNetSE, style: Style, place: Place, name: str) -> ExcitedResidual:
    """A convolution, a residual block, and weights for its channels."""
    size = (place.features, place.kernel, place.convs)
    options = (place.dropout, place.first, config.reduction)
    return ExcitedResidual(*size, style, *options, name=name)


def up(config: ResUNetSE, style: Style, features: int, factors: Shape, name: str) -> PlainUp:
    """Upsampling that leaves the feature maps to the block that follows."""
    return PlainUp(factors, config.upsample, style, name=name)


def build(
    config: ResUNetSE, heads: tuple[int, ...], ndim: int, *, style: Style, remat: bool
) -> Model:
    """The model; see :func:`jaxseg.models.build`."""
    return build_u_shape(
        config,
        heads,
        ndim,
        Parts(block, up),
        style=style,
        remat=remat,
        more=1,
        local=False,
    )
