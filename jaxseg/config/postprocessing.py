"""What is done to planes before decoding and to objects after it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

import tyro

from jaxseg.config.limits import ODD, PATH, SHARE, at_least
from jaxseg.config.option import option, section
from jaxseg.config.places import WORD
from jaxseg.config.properties import NAME, Measurement

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


@section(kw_only=False)
class Median:
    """A median filter on every plane, e.g. ``Median("xy", 3)``."""

    axes: Axes
    """Axes that are filtered together; z needs three dimensions."""
    size: int = option(5, ODD)
    """Odd number of voxels along each of them."""


@section(kw_only=False)
class Refine:
    """One operation on all objects, e.g. ``Refine("dilation", (2,))``; ids never matter."""

    operation: Operation
    """Dilation into the background; erosion, from touching objects, too; fill_holes of background
    inside one object; clear_border: whole objects; remove_small_objects: of fewer voxels than the
    value; remove_large_objects, also called remove_big_objects: of more."""
    value: tuple[float, ...] = option((), at_least(0))
    """dilation, erosion: radius, one number or one per axis, (z)yx; removal: size; else none."""
    unit: Literal["voxel", "um"] = option("voxel", kw_only=True)
    """Unit of the value: voxels, or um: µm for radii, µm² or µm³ for sizes."""
    z_faces: bool = option(True, kw_only=True)
    """Clear_border in 3D: the first and the last slice are border, too."""


@section(kw_only=False)
class Reshape:
    """An operation of your own on all objects, e.g. ``Reshape("smooth", smooth)``."""

    name: str = option("own", NAME)
    """Part of the name of its stage."""
    function: Callable[..., Any] = option(len)
    """(labels (*S), spacing) to labels of the same type; ids stay, and nothing depends on them."""
    margin: tuple[int, ...] = option((), at_least(0), kw_only=True)
    """Voxels around a voxel that decide what becomes of it, (z)yx; empty = any voxel may, so that
    the whole image is looked at at once, by blocks, too."""


@section(kw_only=False)
class Condition:
    """A comparison of one measurement, e.g. ``Condition("npixels", "lt", 100)``."""

    name: str
    """Column of the table of measurements; in 3D area means volume, perimeter surface_area."""
    sign: Sign
    """lt <, le <=, gt >, ge >=."""
    value: float
    """What it is compared with, in the units of the column."""


@section
class Repair:
    """Large objects absorb small neighbours that are part of them, and their holes are filled."""

    size: int = option(0, at_least(0))
    """Voxels from which on an object is large; 0 = no repair."""
    contact: float = option(0.5, SHARE)
    """A neighbour joins if it shares at least this part of its surface with the large object,."""
    contained: float = option(0.7, SHARE)
    """Or has at least this part of its voxels within the bounding box of the large object."""


@section
class Voronoi:
    """Objects that fill a mask, so that all neighbours touch."""

    mode: Literal["none", "objects", "centroids"] = option("none")
    """objects: a voxel of the mask goes to the nearest object; centroids: to the nearest centroid.
    """
    channel: str = option("")
    """Channel that gives the mask: M, F, B or C; empty = the first of them that is learned."""
    threshold: float | Literal["rule", "auto"] = option("rule")
    """Threshold of that channel, rule = the one for growth masks, auto = Otsu."""
    islands: bool = option(False)
    """Fill parts of the mask without any object, too."""


@section
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

    median: tuple[Median, ...] = option((), read_by=("create", "evaluate"))
    """Median filters on the planes, in this order."""
    z_filtering: int = option(0, ODD.or_(0), read_by=("create", "evaluate"))
    """Size of one more median filter along z, odd; 0 = none."""
    yz_filtering: int = option(0, ODD.or_(0), read_by=("create", "evaluate"))
    """Size of one more median filter along y and z, odd; 0 = none."""
    masks: str = option("", PATH, read_by=("create", "evaluate"))
    """Folder or file of binary masks of the test images, paired by file stem: nothing grows, starts
    or stays outside; empty = none."""
    refine: tuple[Refine, ...] = option(())
    """Operations on objects, in this order, each with its own value."""
    own: Annotated[tuple[Reshape, ...], tyro.conf.Suppress] = option(())
    """Operations of your own, after these."""
    repair: Repair = option(Repair())
    """Pieces of large objects."""
    voronoi: Voronoi = option(Voronoi())
    """Objects that fill a mask."""
    properties: tuple[Annotated[str | Measurement, WORD], ...] = option(
        (), read_by=("measure", "evaluate")
    )
    """More columns in the tables of measurements: names of scikit-image's regionprops, and in
    a configuration file measurements of your own."""
    certainty: bool = option(False, read_by=("measure", "evaluate"))
    """The column certainty in the tables of decoded objects: how well the planes agree with an
    object where they agree worst, from 0 to 1; true objects rank before false ones."""
    remove: tuple[tuple[Condition, ...], ...] = option(())
    """Objects that satisfy all conditions of any group are removed."""

    @property
    def filters(self) -> tuple[Median, ...]:
        """All median filters, in their order."""
        z = (Median("z", self.z_filtering),) if self.z_filtering else ()
        yz = (Median("zy", self.yz_filtering),) if self.yz_filtering else ()
        return (*self.median, *z, *yz)

    @property
    def reshapes(self) -> bool:
        """Whether objects may change before they are judged by their measurements."""
        return bool(self.refine or self.own or self.repair.size or self.voronoi.mode != "none")

    @property
    def changes_objects(self) -> bool:
        """Whether anything is done to objects."""
        return self.reshapes or bool(self.remove)
