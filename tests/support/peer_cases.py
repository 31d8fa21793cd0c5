"""Small networks with weights that everybody can make again from the names of their tensors.

``peer_outputs.json`` holds what BiaPy 3.7.1 (torch 2 on a CPU) gives for these weights and this
image: every 97th value of the output, in PyTorch's order of axes.
"""

from __future__ import annotations

import math
import zlib
from typing import NamedTuple

import numpy as np

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

EVERY = 97
CHANNELS = 2


class Case(NamedTuple):
    """A network, its heads and the size of an image."""

    config: object
    heads: tuple[int, ...]
    size: tuple[int, ...]


WIDE = {"features": (16, 18, 20, 24), "norm": "in"}
FLAT = {"isotropic": (False, True, True, True), "z_down": (1, 2, 2)}
OTHER = {"norm": "bn", "upsample": "linear", "larger_io": True, "convs": 3, "activation": "silu"}
CASES = {
    "unet 2d": Case(UNet(**WIDE), (1,), (32, 32)),
    "unet 3d": Case(UNet(**WIDE, **FLAT, separate_decoders=True), (1, 2), (8, 16, 16)),
    "unet other": Case(UNet(**WIDE | OTHER, dropout=(0.1,) * 4), (3,), (32, 32)),
    "unet order": Case(
        UNet(**WIDE, order="norm_act_conv", level_convs=(2, 3, 1, 2)), (1,), (32, 32)
    ),
    "seunet order": Case(
        SEUNet(**WIDE, order="norm_act_conv", level_convs=(1, 2, 2, 3)), (1,), (32, 32)
    ),
    "attention_unet order": Case(
        AttentionUNet(**WIDE, order="norm_act_conv", biapy_compatible=True), (1,), (32, 32)
    ),
    "resunet levels 2d": Case(ResUNet(**WIDE, level_convs=(2, 3, 2, 4)), (1,), (32, 32)),
    "resunet 2d": Case(ResUNet(**WIDE), (1,), (32, 32)),
    "resunet 3d": Case(ResUNet(**WIDE, **FLAT), (1,), (8, 16, 16)),
    "resunet other": Case(ResUNet(**WIDE | OTHER), (1, 2), (32, 32)),
    "attention_unet 2d": Case(AttentionUNet(**WIDE, biapy_compatible=True), (1,), (32, 32)),
    "attention_unet 3d": Case(
        AttentionUNet(**WIDE, **FLAT, biapy_compatible=True), (1,), (8, 16, 16)
    ),
    "seunet 2d": Case(SEUNet(**WIDE, dropout=(0.1,) * 4), (1,), (32, 32)),
    "seunet 3d": Case(SEUNet(**WIDE, **FLAT), (1,), (8, 16, 16)),
    "resunet_se 2d": Case(ResUNetSE(**WIDE), (1,), (32, 32)),
    "resunet_se 3d": Case(ResUNetSE(**WIDE, **FLAT), (1,), (8, 16, 16)),
    "resunet++ 2d": Case(ResUNetPlusPlus(**WIDE), (1,), (32, 32)),
    "resunet++ 3d": Case(
        ResUNetPlusPlus(**WIDE, isotropic=(False, True, True), z_down=(2, 2)), (1,), (8, 16, 16)
    ),
    "multiresunet 2d": Case(MultiResUNet(biapy_compatible=True), (1,), (32, 32)),
    "multiresunet 3d": Case(
        MultiResUNet(biapy_compatible=True, z_down=(1, 2, 1, 1)), (1,), (4, 16, 16)
    ),
    "unext_v1 2d": Case(UNeXtV1(features=(4, 6, 8), depth=(1, 2, 1)), (1,), (32, 32)),
    "unext_v1 3d": Case(
        UNeXtV1(features=(4, 6, 8), isotropic=(False,) * 3, z_down=(2, 1, 2), upsample="linear"),
        (1, 2),
        (8, 16, 16),
    ),
    "unext_v2 2d": Case(
        UNeXtV2(features=(4, 6, 8), depth=(1, 2, 1), biapy_compatible=True), (1,), (32, 32)
    ),
    "unext_v2 3d": Case(
        UNeXtV2(features=(4, 6, 8), separate_decoders=True, biapy_compatible=True),
        (1, 2),
        (16, 16, 16),
    ),
    "unetr 2d": Case(
        UNETR(token=8, embed=24, depth=4, attention_heads=3, filters=4, norm="in", position="none"),
        (1,),
        (32, 32),
    ),
    "unetr 3d": Case(
        UNETR(token=4, embed=24, depth=4, attention_heads=3, filters=4, position="none"),
        (1, 2),
        (16, 16, 16),
    ),
    "hrnet 2d": Case(
        HRNet(width=6, modules=(1, 2, 1), blocks=2, biapy_compatible=True), (1, 2), (64, 64)
    ),
    "hrnet 3d": Case(
        HRNet(width=6, modules=(1, 1, 1), blocks=1, biapy_compatible=True, z_down=(1, 1, 1, 2, 2)),
        (1,),
        (16, 64, 64),
    ),
    "stunet 2d": Case(
        STUNet(features=(4, 6, 8, 8, 10, 10), depth=2, biapy_compatible=True), (2,), (32, 32)
    ),
    "stunet 3d": Case(
        STUNet(features=(4, 6, 8, 8, 10, 10), biapy_compatible=True), (1,), (32, 32, 32)
    ),
}


def made_up(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """A tensor of the peer, float32, that depends on its name and shape alone."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    count = math.prod(shape)
    if name.endswith("running_var"):
        values = rng.uniform(0.5, 1.5, count)
    elif name.endswith("weight") and count == shape[0]:
        values = 1 + 0.2 * rng.normal(size=count)
    elif name.endswith("weight"):
        values = 1.5 * rng.normal(size=count) / math.sqrt(count / shape[0])
    else:
        values = 0.3 * rng.normal(size=count)
    return values.reshape(shape).astype(np.float32)


def image(size: tuple[int, ...]) -> np.ndarray:
    """An image (1, C, *S) of the peer."""
    return np.random.default_rng(0).normal(size=(1, CHANNELS, *size)).astype(np.float32)
