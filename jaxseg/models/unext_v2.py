"""U-Net out of ConvNeXt V2 blocks (Woo et al. 2023)."""

from __future__ import annotations

from jaxseg.config import UNeXtV2
from jaxseg.models.convnext import ConvNeXt
from jaxseg.models.model import Model
from jaxseg.models.style import Style
from jaxseg.models.u_shape import Shape
from jaxseg.models.unext import build_unext


def block(config: UNeXtV2, style: Style, kernel: Shape, drop: float, name: str) -> ConvNeXt:
    """A block with global response normalisation."""
    axes = 2 if config.biapy_compatible else None
    return ConvNeXt(kernel, style, drop, response=True, response_axes=axes, name=name)


def build(
    config: UNeXtV2, heads: tuple[int, ...], ndim: int, *, style: Style, remat: bool
) -> Model:
    """The model; see :func:`jaxseg.models.build`."""
    return build_unext(config, heads, ndim, block, style=style, remat=remat, local=False)
