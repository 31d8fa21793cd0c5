"""What is done to planes before decoding and to objects after it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Axes = Literal["xy", "yx", "zy", "yz", "zx", "xz", "z"]
Operation = Literal[
    "dilation",
    "erosion",
    "fill_holes",
    "clear_border",
    "remove_small_objects",
    "remove_large_objects",
    "remove_big_objects",
]
Sign = Literal["lt", "le", "gt", "ge"]


@dataclass(frozen=True)
class Median:
    """A median filter on every plane, e.g. ``Median("xy", 3)``."""

    # axes that are filtered together; z needs three dimensions
    axes: Axes
    # odd number of voxels along each of them
    size: int = 5


@dataclass(frozen=True)
class Refine:
    """One operation on all objects, e.g. ``Refine("dilation", (2,))``; ids never matter."""

    # dilation into the background; erosion, from touching objects, too; fill_holes of background
    # inside one object; clear_border: whole objects; remove_small_objects: of fewer voxels than the
    # value; remove_large_objects, also called remove_big_objects: of more
    operation: Operation
    # dilation, erosion: radius, one number or one per axis, (z)yx; removal: size; else none
    value: tuple[float, ...] = ()
    # unit of the value: voxels, or um: µm for radii, µm² or µm³ for sizes
    unit: Literal["voxel", "um"] = field(default="voxel", kw_only=True)
    # clear_border in 3D: the first and the last slice are border, too
    z_faces: bool = field(default=True, kw_only=True)


@dataclass(frozen=True)
class Condition:
    """A comparison of one measurement, e.g. ``Condition("npixels", "lt", 100)``."""

    # column of the table of measurements; in 3D area means volume, perimeter surface_area
    name: str
    # lt <, le <=, gt >, ge >=
    sign: Sign
    # what it is compared with, in the units of the column
    value: float


@dataclass(frozen=True, kw_only=True)
class Repair:
    """Large objects absorb small neighbours that are part of them, and their holes are filled."""

    # voxels from which on an object is large; 0 = no repair
    size: int = 0
    # a neighbour joins if it shares at least this part of its surface with the large object,
    contact: float = 0.5
    # or has at least this part of its voxels within the bounding box of the large object
    contained: float = 0.7


@dataclass(frozen=True, kw_only=True)
class Voronoi:
    """Objects that fill a mask, so that all neighbours touch."""

    # objects: a voxel of the mask goes to the nearest object; centroids: to the nearest centroid
    mode: Literal["none", "objects", "centroids"] = "none"
    # channel that gives the mask: M, F, B or C; empty = the first of them that is learned
    channel: str = ""
    # threshold of that channel, rule = the one for growth masks, auto = Otsu
    threshold: float | Literal["rule", "auto"] = "rule"
    # fill parts of the mask without any object, too
    islands: bool = False


@dataclass(frozen=True, kw_only=True)
class PostProcess:
    """Filters on planes, then on the objects: refine, repair, voronoi, remove, in this order.

    Lists are written in the configuration file; the command line may change their values.

    >>> options = PostProcess(
    ...     refine=(Refine("fill_holes"), Refine("remove_small_objects", (10,))),
    ...     remove=((Condition("area", "gt", 500.0),),
    ...             (Condition("npixels", "lt", 100.0), Condition("circularity", "le", 0.7))),
    ... )
    >>> options.changes_objects
    True
    """

    # median filters on the planes, in this order
    median: tuple[Median, ...] = ()
    # size of one more median filter along z, odd; 0 = none
    z_filtering: int = 0
    # size of one more median filter along y and z, odd; 0 = none
    yz_filtering: int = 0
    # folder or file of binary masks of the test images, paired by file stem: nothing grows, starts
    # or stays outside; empty = none
    masks: str = ""
    # operations on objects, in this order, each with its own value
    refine: tuple[Refine, ...] = ()
    # pieces of large objects
    repair: Repair = field(default_factory=Repair)
    # objects that fill a mask
    voronoi: Voronoi = field(default_factory=Voronoi)
    # more columns in the tables of measurements: names of scikit-image's regionprops
    properties: tuple[str, ...] = ()
    # objects that satisfy all conditions of any group are removed
    remove: tuple[tuple[Condition, ...], ...] = ()

    @property
    def filters(self) -> tuple[Median, ...]:
        """All median filters, in their order."""
        z = (Median("z", self.z_filtering),) if self.z_filtering else ()
        yz = (Median("zy", self.yz_filtering),) if self.yz_filtering else ()
        return (*self.median, *z, *yz)

    @property
    def reshapes(self) -> bool:
        """Whether objects may change before they are judged by their measurements."""
        return bool(self.refine or self.repair.size or self.voronoi.mode != "none")

    @property
    def changes_objects(self) -> bool:
        """Whether anything is done to objects."""
        return self.reshapes or bool(self.remove)
