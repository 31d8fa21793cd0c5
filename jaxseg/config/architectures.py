"""The networks: one dataclass for each, so that an option that a network lacks cannot be given.

``reductions`` is the stride along y and x of each step down; ``z_down`` holds those along z.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any, get_args

from jaxseg.config.networks.architecture import Architecture
from jaxseg.config.networks.other import UNETR, HRNet, Package, STUNet
from jaxseg.config.networks.u_shapes import (
    AttentionUNet,
    MultiResUNet,
    ResUNet,
    ResUNetPlusPlus,
    ResUNetSE,
    SEUNet,
    UNet,
    UNeXtV1,
    UNeXtV2,
)

Network = (
    UNet
    | ResUNet
    | ResUNetPlusPlus
    | AttentionUNet
    | MultiResUNet
    | SEUNet
    | ResUNetSE
    | UNETR
    | UNeXtV1
    | UNeXtV2
    | HRNet
    | STUNet
)
# A network of one's own extends Architecture and has a method ``build``.
Model = Network | Package | Architecture


def steps(model: Any, ndim: int) -> tuple[tuple[int, ...], ...]:
    """Reduction of every axis at each step down of a network, (z)yx.

    >>> steps(UNet(features=(8, 16, 32), z_down=(1, 2)), 3)
    ((1, 2, 2), (2, 2, 2))
    """
    plane = model.reductions
    z = getattr(model, "z_down", ()) or plane
    return tuple((z_step, step, step)[-ndim:] for z_step, step in zip(z, plane, strict=True))


def strides(model: Any, ndim: int) -> tuple[int, ...]:
    """How much a network reduces every axis, (z)yx.

    >>> strides(UNet(features=(8, 16, 32), z_down=(1, 2)), 3)
    (2, 4, 4)
    """
    reduced = zip(*steps(model, ndim), strict=True)
    return tuple(math.prod(axis) for axis in reduced) or (1,) * ndim


def name_of(kind: type) -> str:
    """The name of an architecture, as ``--model`` takes it and a saved configuration holds it."""
    return next(str(field.default) for field in fields(kind) if field.name == "architecture")


# Networks that can be trained, and all that --model can name.
ARCHITECTURES: Mapping[str, type] = MappingProxyType(
    {name_of(kind): kind for kind in get_args(Network)}
)
SOURCES: Mapping[str, type] = MappingProxyType({**ARCHITECTURES, name_of(Package): Package})
