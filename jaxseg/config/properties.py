"""What can be measured of objects: the columns of the table, by name and dimension."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any

from jaxseg.config.limits import at_least, matches, one_of
from jaxseg.config.option import option, section

SPACE = {2: ("area",), 3: ("volume",)}
LENGTH = ("diameter", "diameter_voxels")
SHAPE = {2: ("perimeter", "circularity", "elongation"), 3: ("surface_area", "sphericity")}
INTENSITY = ("intensity_mean", "intensity_min", "intensity_max", "intensity_std")
# In 3D these names of conditions mean those columns.
ALIASES = {"area": "volume", "perimeter": "surface_area"}

# More measurements of scikit-image's regionprops: the shape of one, where "d" is the number of
# dimensions. Left out are those that no table can hold and those that are measured anyway.
EXTRA: Mapping[str, tuple[int | str, ...]] = MappingProxyType(
    {
        "area_bbox": (),
        "area_convex": (),
        "area_filled": (),
        "axis_major_length": (),
        "axis_minor_length": (),
        "centroid_local": ("d",),
        "centroid_weighted": ("d",),
        "centroid_weighted_local": ("d",),
        "eccentricity": (),
        "equivalent_diameter_area": (),
        "euler_number": (),
        "extent": (),
        "feret_diameter_max": (),
        "inertia_tensor": ("d", "d"),
        "inertia_tensor_eigvals": ("d",),
        "intensity_median": (),
        "moments": (4,),
        "moments_central": (4,),
        "moments_hu": (7,),
        "moments_normalized": (4,),
        "moments_weighted": (4,),
        "moments_weighted_central": (4,),
        "moments_weighted_hu": (7,),
        "moments_weighted_normalized": (4,),
        "orientation": (),
        "perimeter_crofton": (),
        "solidity": (),
    }
)
# Defined for areas only; the largest Feret diameter fails for flat objects in 3D.
ONLY_2D = frozenset(
    {
        "eccentricity",
        "feret_diameter_max",
        "moments_hu",
        "moments_weighted_hu",
        "orientation",
        "perimeter_crofton",
    }
)
# Defined only for voxels of equal sides.
ISOTROPIC = frozenset({"moments_hu", "moments_weighted_hu", "perimeter_crofton"})


NAME = matches(r"[A-Za-z_][A-Za-z0-9_]*", "a name of letters, digits and '_'")


@section(kw_only=False)
class Measurement:
    """A measurement of your own, e.g. ``Measurement("thickness", thickness)``."""

    name: str = option("own", NAME)
    """The name of its column; several columns are followed by -0, -1, ..."""
    function: Callable[..., Any] = option(len)
    """(mask, spacing), or (mask, spacing, image) for intensities, of one object in its box, to a
    number or ``size`` of them: mask (*S) bool, spacing in µm, (z)yx, image (*S, C) float64."""
    intensity: bool = option(False, kw_only=True)
    """Measures the image inside the object."""
    size: int = option(1, at_least(1), kw_only=True)
    """How many numbers it gives."""
    ndims: tuple[int, ...] = option((2, 3), one_of(2, 3), kw_only=True)
    """Dimensions in which it is defined."""


# A measurement by name, of scikit-image's regionprops, or one's own.
Measured = str | Measurement


def name_of(measured: Measured) -> str:
    """The name of the column, or of the first part of several."""
    return measured if isinstance(measured, str) else measured.name


def is_extra(measured: Measured, ndim: int) -> bool:
    """Whether a further measurement is defined in so many dimensions."""
    if isinstance(measured, str):
        return measured in extra_names(ndim)
    return ndim in measured.ndims


def extra_names(ndim: int) -> list[str]:
    """Names of further measurements that are defined in so many dimensions."""
    return [name for name in EXTRA if ndim == 2 or name not in ONLY_2D]


def needs_intensity(name: Measured) -> bool:
    """Whether a further measurement is one of the image inside the object."""
    if not isinstance(name, str):
        return name.intensity
    return "weighted" in name or name.startswith("intensity")


def table_columns(ndim: int, *, channels: int = 1, extra: Collection[Measured] = ()) -> list[str]:
    """Columns of the table of measurements, in their order.

    Parameters
    ----------
    ndim : 2 or 3
    channels : of the image that is measured inside objects; 0 = no image
    extra : names of further measurements

    Returns
    -------
    list of names; vectors are followed by ``-0``, ``-1``, ...; then channels, if there are several

    >>> table_columns(2, channels=2)[-2:], table_columns(3, extra=["inertia_tensor_eigvals"])[-1:]
    (['intensity_std-0', 'intensity_std-1'], ['inertia_tensor_eigvals-2'])
    """
    axes, several = range(ndim), channels > 1
    names = ["label", "npixels", *SPACE[ndim]]
    names += [f"centroid-{axis}" for axis in axes] + [f"centroid_um-{axis}" for axis in axes]
    names += [f"bbox-{place}" for place in range(2 * ndim)] + [*LENGTH, *SHAPE[ndim]]
    for name in INTENSITY if channels else ():
        names += [f"{name}-{c}" for c in range(channels)] if several else [name]
    for one in extra:
        sizes = _shape(one, ndim)
        sizes += (channels,) if several and isinstance(one, str) and needs_intensity(one) else ()
        for place in itertools.product(*(range(size) for size in sizes)):
            names.append("-".join([name_of(one), *map(str, place)]))
    return names


def _shape(name: Measured, ndim: int) -> tuple[int, ...]:
    """Shape of one value of a further measurement; moments have a power per axis."""
    if not isinstance(name, str):
        return (name.size,) if name.size > 1 else ()
    sizes = tuple(ndim if size == "d" else int(size) for size in EXTRA[name])
    return sizes * ndim if sizes == (4,) else sizes


def column_of(name: str, columns: Collection[str]) -> str:
    """The column that a condition means: the name itself, or in 3D what stands for it there.

    >>> column_of("area", ["npixels", "volume"])
    'volume'
    """
    return name if name in columns else ALIASES.get(name, name)
