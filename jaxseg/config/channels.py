"""Channels as data: the name of a representation, its typed options and its weight in the loss.

What a channel *does* stands in one row of the table in ``jaxseg.channels``; here is only what a
configuration file or a command line may say about it. Nothing here imports JAX.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Literal

import tyro

from jaxseg.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Foreground:
    """Options of F, the foreground mask."""


@dataclass(frozen=True, kw_only=True)
class Contour:
    """Options of C, the boundary of every object."""

    # which side of the boundary is marked, as in scikit-image's find_boundaries; dense = both
    # sides of every boundary, borders between touching objects included, 8/26-connected
    mode: Literal["thick", "inner", "outer", "subpixel", "dense"] = "thick"


@dataclass(frozen=True, kw_only=True)
class BoundaryDistance:
    """Options of Db, the distance of every voxel to the boundary of its own object."""

    # divide by the largest distance of each object, so that values lie in [0, 1]; else µm
    norm: bool = True
    # count only foreground voxels in the loss
    mask_values: bool = False


@dataclass(frozen=True, kw_only=True)
class SignedDistance:
    """Options of D, positive inside objects and negative outside."""

    # scale of the tanh outside and inside objects
    alpha: float = 1.0
    beta: float = 1.0
    # divide by the largest distance, per object inside and per image outside; else µm
    norm: bool = True
    activation: Literal["tanh", "linear"] = "tanh"


@dataclass(frozen=True, kw_only=True)
class Offset:
    """Options of H, V and Z, the offset from the object's centre along one axis."""

    # scale each side of each object to 1; else µm
    norm: bool = True
    # count only foreground voxels in the loss
    mask_values: bool = True
    # sign: positive right/down/deeper of the centre (from_center), or pointing to it
    direction: Literal["from_center", "to_center"] = "from_center"


@dataclass(frozen=True, kw_only=True)
class Affinity:
    """Options of A, whether two voxels an offset apart belong to the same object."""

    # offsets in voxels, (z)yx; empty = the neighborhood's half set
    offsets: tuple[tuple[int, ...], ...] = ()
    # 0 = direct neighbours only (4 or 6); else 4, 8 in 2D and 6, 18, 26 in 3D
    neighborhood: Literal[0, 4, 6, 8, 18, 26] = 0


@dataclass(frozen=True, kw_only=True)
class Semantic:
    """Options of S, the class of every voxel."""

    # number of classes, background included; 2 gives one column and a sigmoid
    classes: int = 2
    # weight of the soft Dice term beside cross entropy
    dice: float = 1.0
    # a label value that is not counted; -1 = none
    ignore: int = -1


ChannelOptions = (
    Foreground | Contour | BoundaryDistance | SignedDistance | Offset | Affinity | Semantic
)

OPTIONS: Mapping[str, type] = MappingProxyType(
    {
        "F": Foreground,
        "C": Contour,
        "Db": BoundaryDistance,
        "D": SignedDistance,
        "H": Offset,
        "V": Offset,
        "Z": Offset,
        "A": Affinity,
        "S": Semantic,
    }
)


@dataclass(frozen=True, kw_only=True)
class Channel:
    """One channel of a representation; make it with :func:`ch`."""

    name: Annotated[str, tyro.conf.Fixed]
    options: Annotated[ChannelOptions, tyro.conf.AvoidSubcommands]
    # weight of this channel in the loss
    weight: float = 1.0


def ch(name: str, *, weight: float = 1.0, **options: object) -> Channel:
    """A channel by name, with its options checked.

    Parameters
    ----------
    name : a row of the channel table: F, C, Db, D, H, V, Z, A or S
    weight : of this channel in the loss
    **options : fields of the channel's options, e.g. ``mode="inner"`` for C

    Returns
    -------
    Channel

    Raises
    ------
    ConfigError : unknown channel or option; the message names the nearest legal one

    >>> ch("Db", norm=False).options
    BoundaryDistance(norm=False, mask_values=False)
    """
    if name not in OPTIONS:
        raise ConfigError(
            f"unknown channel {name!r}{nearest(name, OPTIONS)}",
            expected=f"one of {' '.join(OPTIONS)}",
        )
    kind = OPTIONS[name]
    legal = [field.name for field in dataclasses.fields(kind)]
    for option in options:
        if option not in legal:
            raise ConfigError(
                f"channel {name} has no option {option!r}{nearest(option, legal)}",
                expected=f"one of {', '.join([*legal, 'weight'])}",
            )
    return Channel(name=name, options=kind(**options), weight=weight)


def nearest(word: str, legal: object) -> str:
    """``'; did you mean X?'`` for the legal word nearest to a mistyped one, or an empty string."""
    match = difflib.get_close_matches(word, list(legal), n=1, cutoff=0.5)  # type: ignore[call-overload]
    return f"; did you mean {match[0]!r}?" if match else ""
