"""U-Net out of ConvNeXt blocks (Liu et al. 2022)."""

from __future__ import annotations

from jaxseg.config import UNeXtV1
from jaxseg.models.convnext import ConvNeXt
from jaxseg.models.model import Model
from jaxseg.models.style import Style
from jaxseg.models.u_shape import Shape
from jaxseg.models.unext import build_unext


def block(config: UNeXtV1, style: Style, kernel: Shape, drop: float, name: str) -> ConvNeXt:
    """A block whose change has a learned scale."""
    return ConvNeXt(kernel, style, drop, config.layer_scale, name=name)


def build(
    config: UNeXtV1, heads: tuple[int, ...], ndim: int, *, style: Style, remat: bool
) -> Model:
    """The model; see :func:`jaxseg.models.build`."""
    return build_unext(config, heads, ndim, block, style=style, remat=remat, local=True)
