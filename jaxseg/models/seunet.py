"""U-Net with squeeze-and-excitation (Hu, Shen & Sun 2018) after each convolution."""

from __future__ import annotations

from jaxseg.config import SEUNet
from jaxseg.models.blocks import Stack
from jaxseg.models.model import Model
from jaxseg.models.style import Style
from jaxseg.models.u_shape import Parts, Place, build_u_shape


def block(config: SEUNet, style: Style, place: Place, name: str) -> Stack:
    """Convolutions in a row, with weights for their channels."""
    size = (place.features, place.kernel, place.convs)
    before = config.order == "norm_act_conv"
    return Stack(*size, style, place.dropout, config.reduction, before, name=name)


def build(config: SEUNet, heads: tuple[int, ...], ndim: int, *, style: Style, remat: bool) -> Model:
    """The model; see :func:`jaxseg.models.build`."""
    parts = Parts(block)
    return build_u_shape(config, heads, ndim, parts, style=style, remat=remat, local=False)
