"""Every network, small."""

from __future__ import annotations

from jaxseg.config import (
    UNETR,
    AttentionUNet,
    HRNet,
    MultiResUNet,
    ResUNet,
    ResUNetPlusPlus,
    ResUNetSE,
    SEUNet,
    STUNet,
    UNet,
    UNeXtV1,
    UNeXtV2,
)

WIDE = {"features": (4, 6, 8)}


TINY = (
    UNet(**WIDE),
    ResUNet(**WIDE),
    SEUNet(**WIDE, reduction=2),
    ResUNetSE(**WIDE, reduction=2),
    AttentionUNet(**WIDE),
    ResUNetPlusPlus(features=(4, 6, 8, 8), reduction=2, dilations=(1, 2)),
    MultiResUNet(**WIDE),
    UNeXtV1(**WIDE, depth=(1, 1, 1), kernel=3, layer_scale=1.0),
    UNeXtV2(**WIDE, depth=(1, 1, 1), kernel=3),
    UNETR(token=4, embed=24, depth=2, attention_heads=2, filters=4, norm="bn"),
    HRNet(width=2, modules=(1, 1, 1), blocks=1),
    STUNet(features=(2, 3, 4, 4, 4, 4), norm="bn"),
)
