"""Options of points: how they are drawn as truth, found in planes, grown and compared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from jaxseg.config.limits import above, at_least, at_least_values
from jaxseg.config.option import join, option, section
from jaxseg.errors import ConfigError

Threshold = float | Literal["auto"]


@section
class Grow:
    """Objects around the points: a watershed of the image whose seeds are balls around them."""

    enable: bool = option(False)
    """Grow objects from the points; they are written, measured and post-processed as instances."""
    seed_radius: float | tuple[float, ...] = option(1.0, at_least(0))
    """Radius of the seeds in µm, one for all or one per class, from class 1."""
    surface: Literal["gradient", "intensity", "plane"] = option("gradient")
    """What is flooded: the gradient of the image, low inside objects, its intensity or the first
    plane, both high inside objects."""
    threshold: Threshold = option("auto")
    """Intensity above which objects may grow, in units of the image; auto: the threshold of Otsu
    for the whole image, and nothing but seeds where it has no contrast."""
    max_radius: float = option(10.0, above(0))
    """No object reaches further from its point than this many µm."""
    image_channel: int = option(0, at_least(0))
    """Channel of the image that is looked at."""
    ring_classes: tuple[int, ...] = option((), at_least(1))
    """Classes of objects that may be bright rings around a dark middle, from 1; 1 where there are
    no classes: their seeds are widened to the ring."""
    ring_diameter: float = option(10.0, above(0))
    """Least diameter of such a ring, in µm."""
    check_files: bool = option(False)
    """Write seeds, surface and mask as pictures, for images in memory."""

    def problems(self, where: str) -> Iterator[ConfigError]:
        """Options that need another one."""
        default = Grow()
        for name in ("ring_diameter",) if not self.ring_classes else ():
            if getattr(self, name) != getattr(default, name):
                yield ConfigError(
                    "this option has no effect without ring_classes",
                    where=join(where, name), found=getattr(self, name),
                )  # fmt: skip


@section
class Detection:
    """Points: truth drawn as balls, peaks of the first channel as results."""

    radius: float | tuple[float, ...] = option(3.0, at_least(0), read_by=("train", "create"))
    """Radius of the ball that stands for a point in training, one or one per axis, (z)yx; 0 = its
    voxel alone. The class of a found point is that of half of it."""
    radius_unit: Literal["um", "voxel"] = option("um", read_by=("train", "create"))
    """Unit of the radius: µm (voxels where no size is known), or voxels."""
    units: Literal["voxel", "um"] = option("voxel", read_by=("train", "evaluate"))
    """Units of the coordinates in the files of points."""
    check: bool = option(True, read_by=("train", "evaluate"))
    """Refuse files with points outside the image or the same point twice; else such rows are left
    out, with a warning."""
    method: Literal["maxima", "log", "dog"] = option("maxima", read_by=("create",))
    """What a point is: a peak of the plane, or of its response to blobs of blob_radius: the
    Laplacian of a Gaussian, or the difference of two Gaussians."""
    blob_radius: float | tuple[float, ...] = option(3.0, above(0), read_by=("create",))
    """Radius of the blobs, in µm; of several the one that answers most, which the table has."""
    threshold: Threshold | tuple[Threshold, ...] = option(0.5, read_by=("create",))
    """Value that a peak reaches at least, in units of the plane or of the response, one for all or
    one per class, from class 1; of synapses pre and post. auto: the threshold of Otsu over the
    whole image, or over its voxels of that class; no points where it does not part objects from
    noise."""
    min_distance: float = option(1.0, at_least(0), read_by=("create",))
    """Of two peaks that are nearer to each other than this many µm, the higher one is a point."""
    remove_close: float | tuple[float, ...] = option(0.0, at_least(0), read_by=("create",))
    """Remove points within this many µm of a surer one that stays, one for all or one per class,
    from class 1; of synapses pre and post; 0 = none."""
    exclude_border: float = option(0.0, at_least(0), read_by=("create",))
    """No points that are nearer to the border of the image than this many µm."""
    subpixel: bool = option(True, read_by=("create",))
    """Positions between voxels, at the top of a parabola through a peak and its neighbours."""
    grow: Grow = option(Grow(), read_by=("create",))
    """Objects grown from the points."""
    tolerances: tuple[float, ...] = option(
        (3.0,), at_least_values(1), above(0), read_by=("evaluate",)
    )
    """Distances in µm within which a point counts as found."""


def each(value: Any, number: int) -> tuple[Any, ...]:
    """One value per class, or per axis, where one stands for all.

    >>> each(0.5, 2), each((0.3, "auto"), 2)
    ((0.5, 0.5), (0.3, 'auto'))
    """
    given = value if isinstance(value, tuple) else (value,)
    return given * number if len(given) == 1 else given


def radius_in_um(options: Detection, spacing: tuple[float, ...]) -> tuple[float, ...]:
    """The radius of a ball along every axis, (z)yx.

    >>> radius_in_um(Detection(radius=2, radius_unit="voxel"), (3.0, 0.5))
    (6.0, 1.0)
    """
    radii = each(options.radius, len(spacing))
    scale = spacing if options.radius_unit == "voxel" else (1.0,) * len(spacing)
    return tuple(float(radius * size) for radius, size in zip(radii, scale, strict=True))
