"""Options of the channels, and what rules between channels need to know of each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from jaxseg.config.limits import ODD, above, at_least, between
from jaxseg.config.option import join, option, section
from jaxseg.errors import ConfigError

# In voxels: one number for all axes, or one per axis, (z)yx.
Radius = int | tuple[int, ...]


LossName = Literal["default", "bce", "ce", "mse", "mae"]
# Losses whose minimum is where the linked value is the true one: cross entropy needs values between
# 0 and 1 and their link.
PROBABILITY: tuple[LossName, ...] = ("bce", "mse", "mae")
NUMBER: tuple[LossName, ...] = ("mse", "mae")


@section
class ChannelOptions:
    """What all options of channels have in common; those of a channel of your own extend this."""

    losses: ClassVar[tuple[LossName, ...]] = ()
    """Losses to choose from beside the channel's own."""
    exclusive: ClassVar[bool] = False
    """Of several columns exactly one applies: classes, not objects."""
    joint: ClassVar[bool] = False
    """Columns are compared with whole objects, so that only classes may be learned beside them."""
    family: ClassVar[str] = ""
    """Components of one vector have the name of their family, and belong together."""
    tells_objects: ClassVar[bool] = False
    """Values tell objects from the background, whatever the options."""
    truth: ClassVar[str] = "objects"
    """The array of the truth that true values are made from: objects, classes, or sites, which are
    four planes of numbers; where there is only one array, that one whatever its name."""


@section
class Foreground(ChannelOptions):
    """Options of F, the foreground mask."""

    tells_objects: ClassVar[bool] = True
    losses: ClassVar[tuple[LossName, ...]] = PROBABILITY

    dilation: Radius = option(0, at_least(0))
    """Radius in voxels, one or one per axis, by which every object grows."""
    erosion: Radius = option(0, at_least(0))
    """Radius in voxels, one or one per axis, by which every object then shrinks."""


@section
class Background(ChannelOptions):
    """Options of B, the background mask."""

    tells_objects: ClassVar[bool] = True
    losses: ClassVar[tuple[LossName, ...]] = PROBABILITY

    dilation: Radius = option(0, at_least(0))
    """Radius in voxels, one or one per axis, by which every object shrinks."""
    erosion: Radius = option(0, at_least(0))
    """Radius in voxels, one or one per axis, by which every object then grows."""


@section
class Contour(ChannelOptions):
    """Options of C, the boundary of every object."""

    losses: ClassVar[tuple[LossName, ...]] = PROBABILITY

    mode: Literal["thick", "inner", "outer", "subpixel", "dense"] = option("thick")
    """Which side of the boundary is marked: thick both, inner, outer, as in scikit-image's
    find_boundaries; dense both sides, 8/26-connected; subpixel one voxel thin, between voxels."""


@section
class Marker(ChannelOptions):
    """Options of P, a mark in the middle of every object."""

    losses: ClassVar[tuple[LossName, ...]] = PROBABILITY

    type: Literal["centroid", "skeleton"] = option("centroid")
    """The voxel nearest to the centroid, or the skeleton."""
    dilation: Radius = option(1, at_least(0))
    """Radius in voxels, one or one per axis, by which the mark grows inside its object."""
    erosion: Radius = option(0, at_least(0))
    """Radius in voxels, one or one per axis, by which it then shrinks."""
    skeleton_mode: Literal["full", "main"] = option("full")
    """All of the skeleton, or its longest line without branches."""

    def problems(self, where: str) -> Iterator[ConfigError]:
        """The mode of a skeleton needs a skeleton."""
        if self.skeleton_mode != "full" and self.type != "skeleton":
            yield ConfigError(
                'this has no effect without type="skeleton"',
                where=join(where, "skeleton_mode"),
                found=self.skeleton_mode,
            )


@section
class Touching(ChannelOptions):
    """Options of T, where objects touch."""

    losses: ClassVar[tuple[LossName, ...]] = PROBABILITY

    thickness: int = option(2, at_least(1))
    """Of the band in voxels, half of it in either object, rounded up."""


@section
class ContourOrForeground(ChannelOptions):
    """Options of M, whatever F or C marks; only together with these two."""

    losses: ClassVar[tuple[LossName, ...]] = PROBABILITY

    mode: Literal["thick", "inner", "outer", "dense"] = option("thick")
    """As for C."""


@section
class BoundaryDistance(ChannelOptions):
    """Options of Db, the distance of every voxel to the boundary of its own object."""

    tells_objects: ClassVar[bool] = True

    norm: bool = option(True)
    """Scale each object to [0, 1]: 0 at its boundary, 1 at its centre and in thin objects; else µm.
    """
    mask_values: bool = option(False)
    """Count only foreground voxels in the loss."""

    @property
    def losses(self) -> tuple[LossName, ...]:  # type: ignore[override]
        """Cross entropy for values between 0 and 1 only."""
        return PROBABILITY if self.norm else NUMBER


@section
class CentreDistance(ChannelOptions):
    """Options of Dc, the distance of every voxel to the middle of its own object."""

    type: Literal["centroid", "skeleton"] = option("centroid")
    """From the centroid, or from the skeleton."""
    norm: bool = option(True)
    """Scale each object to [0, 1], 0 in its middle, 1 in the background; else µm, and only
    foreground voxels count."""
    mask_values: bool = option(False)
    """Count only foreground voxels in the loss."""

    @property
    def losses(self) -> tuple[LossName, ...]:  # type: ignore[override]
        """Cross entropy for values between 0 and 1 only."""
        return PROBABILITY if self.norm else NUMBER


@section
class CentreGaussian(ChannelOptions):
    """Options of G, a Gaussian around the centroid of every object, 0 outside of objects."""

    losses: ClassVar[tuple[LossName, ...]] = PROBABILITY

    sigma: float = option(0.0, at_least(0))
    """Standard deviation in µm; 0 = half the distance from the centroid to the voxel of the object
    farthest from it."""


@section
class NeighbourCloseness(ChannelOptions):
    """Options of Dn, high where an object comes close to another one."""

    closing_size: int = option(3, ODD.or_(0))
    """Edge in voxels of the box by which narrow gaps are closed; odd, 0 = none."""
    norm: bool = option(True)
    """Scale each object to [0, 1], 0 where it is farthest from any other; else µm."""
    mask_values: bool = option(True)
    """Count only foreground voxels in the loss."""
    decline_power: float = option(3.0, above(0))
    """exponent: the higher, the faster it declines."""

    @property
    def losses(self) -> tuple[LossName, ...]:  # type: ignore[override]
        """Cross entropy for values between 0 and 1 only."""
        return PROBABILITY if self.norm else NUMBER


@section
class SignedDistance(ChannelOptions):
    """Options of D, positive inside objects and negative outside."""

    tells_objects: ClassVar[bool] = True
    losses: ClassVar[tuple[LossName, ...]] = NUMBER

    alpha: float = option(1.0, above(0))
    """Factor of the distance outside objects."""
    beta: float = option(1.0, above(0))
    """Factor of the distance inside objects."""
    norm: bool = option(True)
    """Divide by the largest distance, per object inside and per image outside; else µm."""
    activation: Literal["tanh", "linear"] = option("tanh")
    """Tanh of the distance times its factor, or no more than that."""


@section
class Offset(ChannelOptions):
    """Options of H, V and Z, the offset from the object's centre along one axis."""

    family: ClassVar[str] = "centre"
    losses: ClassVar[tuple[LossName, ...]] = NUMBER

    norm: bool = option(True)
    """Scale each side of each object to 1; else µm."""
    mask_values: bool = option(True)
    """Count only foreground voxels in the loss."""
    direction: Literal["from_center", "to_center"] = option("from_center")
    """sign: positive right/down/deeper of the centre (from_center), or pointing to it."""


@section
class Affinity(ChannelOptions):
    """Options of A, whether two voxels an offset apart belong to the same object."""

    tells_objects: ClassVar[bool] = True
    losses: ClassVar[tuple[LossName, ...]] = PROBABILITY

    neighborhood: Literal[0, 4, 6, 8, 18, 26] = option(0)
    """Number of neighbours (4, 8 in 2D, 6, 18, 26 in 3D), one offset per opposite pair; 0: only the
    offsets listed, or direct neighbours if there are none."""
    offsets: tuple[tuple[int, ...], ...] = option(())
    """Offsets in voxels, (z)yx, after those of the neighborhood."""
    widen: int = option(0, at_least(0))
    """Voxels so near to another object, in the yx plane, become background first: wide boundaries
    between objects that fill the image are easier to learn; 0 = none."""


@section
class Flow(ChannelOptions):
    """Options of Gv, Gh and Gz, the way to the object's centre along one axis."""

    family: ClassVar[str] = "flow"
    losses: ClassVar[tuple[LossName, ...]] = NUMBER

    max_distance: int = option(64, between(1, 100_000))
    """Longest way through an object from its centre, in voxels; voxels much further have no flow.
    """


@section
class Embedding(ChannelOptions):
    """Options of E: offset to the centre of the object, sigma (bandwidth) and seediness."""

    joint: ClassVar[bool] = True
    losses: ClassVar[tuple[LossName, ...]] = ()

    center: Literal["centroid", "medoid"] = option("centroid")
    """Centre of an object: the mean place of its voxels, or the voxel nearest to that, which is
    always inside."""
    grid_size: float = option(64.0, above(0))
    """The longest offset along an axis, in voxels of the finest spacing; at least the radius of the
    largest objects."""
    foreground_weight: float = option(10.0, at_least(0))
    """Weight of the voxels of objects in the term of the seediness; those of the background have 1.
    """
    instance_weight: float = option(1.0, above(0))
    """Weight of the Lovász hinge of every object."""
    variance_weight: float = option(10.0, at_least(0))
    """Weight of the variance of sigma within objects."""
    seed_weight: float = option(1.0, above(0))
    """Weight of the term of the seediness."""


@section
class Semantic(ChannelOptions):
    """Options of S, the class of every voxel."""

    exclusive: ClassVar[bool] = True
    truth: ClassVar[str] = "classes"
    losses: ClassVar[tuple[LossName, ...]] = ("ce",)

    classes: int = option(2, at_least(2))
    """Number of classes, background included; 2 gives one column and a sigmoid."""
    cross_entropy: float = option(1.0, at_least(0))
    """Weight of cross entropy; 0 = the loss of overlap alone."""
    focal: float = option(0.0, at_least(1).or_(0))
    """Exponent by which voxels that are right count less in cross entropy (Lin et al. 2017, who
    take 2); 0 = all count the same."""
    dice: float = option(1.0, at_least(0))
    """Weight of the loss of overlap, soft Dice, beside cross entropy; 0 = none."""
    tversky: tuple[float, float] = option((0.5, 0.5), above(0))
    """Weights of false positives and false negatives in the loss of overlap (Salehi et al. 2017);
    0.5 0.5 is Dice, 0.3 0.7 finds more of rare classes."""
    ignore: int = option(-1, at_least(0).or_(-1))
    """A label value that is not counted; -1 = none."""
    class_weights: tuple[float, ...] = option((), at_least(0))
    """Weight of the voxels of every class in cross entropy, background first; empty = 1 each."""

    def problems(self, where: str) -> Iterator[ConfigError]:
        """Weights of classes, one each, and losses that are there."""
        weights = self.class_weights
        if weights and len(weights) != self.classes:
            yield ConfigError(
                "wrong number of values",
                where=join(where, "class_weights"),
                expected=f"{self.classes}, one per class, background included",
                found=weights,
            )
        if weights and not any(weights):
            yield ConfigError(
                "all weights are 0",
                where=join(where, "class_weights"),
                expected="one of them above 0",
                found=weights,
            )
        if not self.cross_entropy and not self.dice:
            yield ConfigError(
                "no loss is left",
                where=join(where, "cross_entropy"),
                fix="cross_entropy or dice above 0",
            )
        unused = {
            "focal": self.focal and not self.cross_entropy,
            "tversky": self.tversky != (0.5, 0.5) and not self.dice,
        }
        for field, other in (("focal", "cross_entropy"), ("tversky", "dice")):
            if unused[field]:
                yield ConfigError(
                    f"this option has no effect unless {other} is above 0",
                    where=join(where, field),
                    found=getattr(self, field),
                )


@section
class Radial(ChannelOptions):
    """Options of R, the distances from a voxel to the end of its object along many directions."""

    losses: ClassVar[tuple[LossName, ...]] = NUMBER

    nrays: int = option(0, at_least(6).or_(0))
    """Number of directions; 0 = 32 in 2D, 96 in 3D."""
    norm: bool = option(True)
    """In units of ten of the finest voxels, about 0 to 1 in most objects; else µm."""
    mask_values: bool = option(True)
    """Count only foreground voxels in the loss."""


@section
class Site(ChannelOptions):
    """Options of F_pre and F_post, the pre- and the postsynaptic sites."""

    truth: ClassVar[str] = "sites"
    losses: ClassVar[tuple[LossName, ...]] = PROBABILITY

    shape: Literal["cone", "ball"] = option("cone")
    """Values in the ball around a site: cone, 1 at the site and less towards the border of the
    ball, so that its peak is the site; ball, 1 everywhere."""


@section
class Partner(ChannelOptions):
    """Options of H_pre, V_pre and Z_pre, the way from postsynaptic voxels to their partner."""

    truth: ClassVar[str] = "sites"
    family: ClassVar[str] = "partner"
    losses: ClassVar[tuple[LossName, ...]] = NUMBER

    unit: float = option(0.1, above(0))
    """Length in µm that has the value 1 (in voxels where no size is known); about the distance of
    partners."""
