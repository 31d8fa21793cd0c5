"""Options of points: how they are drawn as truth, found in planes, and compared."""

from __future__ import annotations

from typing import Literal

from jaxseg.config.limits import above, at_least, at_least_values
from jaxseg.config.option import option, section


@section
class Detection:
    """Points: truth drawn as balls, peaks of the first channel as results."""

    radius: float = option(3.0, above(0), read_by=("train",))
    """Radius of the ball that stands for a point in training, in µm (voxels where no size is
    known)."""
    units: Literal["voxel", "um"] = option("voxel", read_by=("train", "evaluate"))
    """Units of the coordinates in the files of points."""
    method: Literal["maxima", "log", "dog"] = option("maxima", read_by=("create",))
    """What a point is: a peak of the plane, or of its response to blobs of blob_radius: the
    Laplacian of a Gaussian, or the difference of two Gaussians."""
    blob_radius: float = option(3.0, above(0), read_by=("create",))
    """Radius of the blobs, in µm."""
    threshold: float = option(0.5, read_by=("create",))
    """Value that a peak reaches at least, in units of the plane or of the response."""
    min_distance: float = option(1.0, at_least(0), read_by=("create",))
    """Of two peaks that are nearer to each other than this many µm, the higher one is a point."""
    exclude_border: float = option(0.0, at_least(0), read_by=("create",))
    """No points that are nearer to the border of the image than this many µm."""
    subpixel: bool = option(True, read_by=("create",))
    """Positions between voxels, at the top of a parabola through a peak and its neighbours."""
    tolerances: tuple[float, ...] = option(
        (3.0,), at_least_values(1), above(0), read_by=("evaluate",)
    )
    """Distances in µm within which a point counts as found."""
