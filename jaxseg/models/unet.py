"""U-Net (Ronneberger, Fischer & Brox 2015; in 3D Çiçek et al. 2016)."""

from __future__ import annotations

from jaxseg.config import UNet
from jaxseg.config.networks.u_shapes import Plain
from jaxseg.models.blocks import Stack
from jaxseg.models.model import Model
from jaxseg.models.style import Style
from jaxseg.models.u_shape import Parts, Place, build_u_shape


def block(config: Plain, style: Style, place: Place, name: str) -> Stack:
    """Convolutions in a row."""
    size = (place.features, place.kernel, place.convs)
    before = config.order == "norm_act_conv"
    return Stack(*size, style, place.dropout, norm_first=before, name=name)


def build(config: UNet, heads: tuple[int, ...], ndim: int, *, style: Style, remat: bool) -> Model:
    """The model; see :func:`jaxseg.models.build`."""
    return build_u_shape(config, heads, ndim, Parts(block), style=style, remat=remat)
