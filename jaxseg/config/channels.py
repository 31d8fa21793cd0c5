"""Channels as data: the name of a representation, its typed options and its weight in the loss.

What a channel *does* stands in one row of the table in ``jaxseg.channels``; here is only what a
configuration file or a command line may say about it. Nothing here imports JAX.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, Literal

import tyro

from jaxseg.errors import ConfigError, raise_all

# In voxels: one number for all axes, or one per axis, (z)yx.
Radius = int | tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Foreground:
    """Options of F, the foreground mask."""

    # radius in voxels, one or one per axis, by which every object grows
    dilation: Radius = 0
    # radius in voxels, one or one per axis, by which every object then shrinks
    erosion: Radius = 0


@dataclass(frozen=True, kw_only=True)
class Background:
    """Options of B, the background mask."""

    # radius in voxels, one or one per axis, by which every object shrinks
    dilation: Radius = 0
    # radius in voxels, one or one per axis, by which every object then grows
    erosion: Radius = 0


@dataclass(frozen=True, kw_only=True)
class Contour:
    """Options of C, the boundary of every object."""

    # which side of the boundary is marked: thick both, inner, outer, as in scikit-image's
    # find_boundaries; dense both sides, 8/26-connected; subpixel one voxel thin, between voxels
    mode: Literal["thick", "inner", "outer", "subpixel", "dense"] = "thick"


@dataclass(frozen=True, kw_only=True)
class Marker:
    """Options of P, a mark in the middle of every object."""

    # the voxel nearest to the centroid, or the skeleton
    type: Literal["centroid", "skeleton"] = "centroid"
    # radius in voxels, one or one per axis, by which the mark grows inside its object
    dilation: Radius = 1
    # radius in voxels, one or one per axis, by which it then shrinks
    erosion: Radius = 0
    # all of the skeleton, or its longest line without branches
    skeleton_mode: Literal["full", "main"] = "full"


@dataclass(frozen=True, kw_only=True)
class Touching:
    """Options of T, where objects touch."""

    # of the band in voxels, half of it in either object, rounded up
    thickness: int = 2


@dataclass(frozen=True, kw_only=True)
class ContourOrForeground:
    """Options of M, whatever F or C marks; only together with these two."""

    # as for C
    mode: Literal["thick", "inner", "outer", "dense"] = "thick"


@dataclass(frozen=True, kw_only=True)
class BoundaryDistance:
    """Options of Db, the distance of every voxel to the boundary of its own object."""

    # scale each object to [0, 1]: 0 at its boundary, 1 at its centre and in thin objects; else µm
    norm: bool = True
    # count only foreground voxels in the loss
    mask_values: bool = False


@dataclass(frozen=True, kw_only=True)
class CentreDistance:
    """Options of Dc, the distance of every voxel to the middle of its own object."""

    # from the centroid, or from the skeleton
    type: Literal["centroid", "skeleton"] = "centroid"
    # scale each object to [0, 1], 0 in its middle, 1 in the background; else µm, and only
    # foreground voxels count
    norm: bool = True
    # count only foreground voxels in the loss
    mask_values: bool = False


@dataclass(frozen=True, kw_only=True)
class NeighbourCloseness:
    """Options of Dn, high where an object comes close to another one."""

    # edge in voxels of the box by which narrow gaps are closed; odd, 0 = none
    closing_size: int = 3
    # scale each object to [0, 1], 0 where it is farthest from any other; else µm
    norm: bool = True
    # count only foreground voxels in the loss
    mask_values: bool = True
    # exponent: the higher, the faster it declines
    decline_power: float = 3.0


@dataclass(frozen=True, kw_only=True)
class SignedDistance:
    """Options of D, positive inside objects and negative outside."""

    # factor of the distance outside objects
    alpha: float = 1.0
    # factor of the distance inside objects
    beta: float = 1.0
    # divide by the largest distance, per object inside and per image outside; else µm
    norm: bool = True
    # tanh of the distance times its factor, or no more than that
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

    # number of neighbours (4, 8 in 2D, 6, 18, 26 in 3D), one offset per opposite pair; 0: only
    # the offsets listed, or direct neighbours if there are none
    neighborhood: Literal[0, 4, 6, 8, 18, 26] = 0
    # offsets in voxels, (z)yx, after those of the neighborhood
    offsets: tuple[tuple[int, ...], ...] = ()
    # voxels so near to another object, in the yx plane, become background first: wide boundaries
    # between objects that fill the image are easier to learn; 0 = none
    widen: int = 0


@dataclass(frozen=True, kw_only=True)
class Flow:
    """Options of Gv, Gh and Gz, the way to the object's centre along one axis."""

    # longest way through an object from its centre, in voxels; voxels much further have no flow
    reach: int = 64


@dataclass(frozen=True, kw_only=True)
class Embedding:
    """Options of E: offset to the centre of the object, sigma (bandwidth) and seediness."""

    # centre of an object: the mean place of its voxels, or the voxel nearest to that, which is
    # always inside
    center: Literal["centroid", "medoid"] = "centroid"
    # the longest offset along an axis, in voxels of the finest spacing; at least the radius of the
    # largest objects
    grid_size: float = 64.0
    # weight of the voxels of objects in the term of the seediness; those of the background have 1
    foreground_weight: float = 10.0
    # weight of the Lovász hinge of every object
    instance_weight: float = 1.0
    # weight of the variance of sigma within objects
    variance_weight: float = 10.0
    # weight of the term of the seediness
    seed_weight: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Semantic:
    """Options of S, the class of every voxel."""

    # number of classes, background included; 2 gives one column and a sigmoid
    classes: int = 2
    # weight of cross entropy; 0 = the loss of overlap alone
    cross_entropy: float = 1.0
    # exponent by which voxels that are right count less in cross entropy (Lin et al. 2017, who
    # take 2); 0 = all count the same
    focal: float = 0.0
    # weight of the loss of overlap, soft Dice, beside cross entropy; 0 = none
    dice: float = 1.0
    # weights of false positives and false negatives in the loss of overlap (Salehi et al. 2017);
    # 0.5 0.5 is Dice, 0.3 0.7 finds more of rare classes
    tversky: tuple[float, float] = (0.5, 0.5)
    # a label value that is not counted; -1 = none
    ignore: int = -1
    # weight of the voxels of every class in cross entropy, background first; empty = 1 each
    class_weights: tuple[float, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Radial:
    """Options of R, the distances from a voxel to the end of its object along many directions."""

    # number of directions; 0 = 32 in 2D, 96 in 3D
    nrays: int = 0
    # in units of ten of the finest voxels, about 0 to 1 in most objects; else µm
    norm: bool = True
    # count only foreground voxels in the loss
    mask_values: bool = True


ChannelOptions = (
    Foreground
    | Background
    | Contour
    | Marker
    | Touching
    | ContourOrForeground
    | BoundaryDistance
    | CentreDistance
    | NeighbourCloseness
    | SignedDistance
    | Offset
    | Affinity
    | Flow
    | Radial
    | Embedding
    | Semantic
)

OPTIONS: Mapping[str, type] = MappingProxyType(
    {
        "F": Foreground,
        "B": Background,
        "P": Marker,
        "C": Contour,
        "T": Touching,
        "M": ContourOrForeground,
        "Db": BoundaryDistance,
        "Dc": CentreDistance,
        "Dn": NeighbourCloseness,
        "D": SignedDistance,
        "H": Offset,
        "V": Offset,
        "Z": Offset,
        "A": Affinity,
        "E": Embedding,
        "Gv": Flow,
        "Gh": Flow,
        "Gz": Flow,
        "S": Semantic,
        "R": Radial,
    }
)


LossName = Literal["default", "bce", "ce", "mse", "mae"]


@dataclass(frozen=True, kw_only=True)
class Channel:
    """One channel of a representation; make it with :func:`ch`."""

    name: Annotated[str, tyro.conf.Fixed]
    options: Annotated[ChannelOptions, tyro.conf.AvoidSubcommands]
    # weight of this channel in the loss
    weight: float = 1.0
    # error of a voxel, by default the channel's own; bce and ce are cross entropy, mse the squared
    # and mae the absolute error: those of them that the channel can be learned with
    loss: LossName = "default"


def ch(name: str, *, weight: float = 1.0, loss: LossName = "default", **options: Any) -> Channel:
    """A channel by name, with its options checked.

    Parameters
    ----------
    name : a row of the channel table, e.g. F, C, Db, D, H, V, Z, A or S
    weight : of this channel in the loss
    loss : error of a voxel, see :data:`jaxseg.config.channel_limits.LOSSES`
    **options : fields of the channel's options, e.g. ``mode="inner"`` for C

    Returns
    -------
    Channel

    Raises
    ------
    ConfigError : unknown channel or option, with the nearest legal one, or an illegal value

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
                expected=f"one of {', '.join([*legal, 'weight', 'loss'])}",
            )
    channel = Channel(name=name, options=kind(**options), weight=weight, loss=loss)
    # That module reads the dataclasses above.
    from jaxseg.config.channel_limits import channel_mistakes

    raise_all(channel_mistakes(channel, f"channel {name}"))
    return channel


def nearest(word: str, legal: Iterable[str]) -> str:
    """``'; did you mean X?'`` for the legal word nearest to a mistyped one, or an empty string."""
    match = difflib.get_close_matches(word, list(legal), n=1, cutoff=0.5)
    return f"; did you mean {match[0]!r}?" if match else ""
