"""More measurements, one object after another: those of scikit-image's regionprops."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from skimage.measure import regionprops, regionprops_table

from jaxseg.config.option import nearest
from jaxseg.config.properties import (
    ISOTROPIC,
    Measured,
    Measurement,
    extra_names,
    is_extra,
    name_of,
    needs_intensity,
    table_columns,
)
from jaxseg.errors import ConfigError, JaxsegError, raise_all

Columns = dict[str, np.ndarray]


def extra_columns(
    numbers: np.ndarray,
    names: Sequence[Measured],
    *,
    spacing: Sequence[float],
    intensity: np.ndarray | None = None,
) -> Columns:
    """Columns of further measurements.

    Parameters
    ----------
    numbers : (*S) non-negative integers below 2**31
    names : of scikit-image's regionprops, see :data:`jaxseg.config.properties.EXTRA`, or
        measurements of your own
    spacing : size of a voxel, (z)yx, µm
    intensity : (*S) or (*S, C) image, for what is measured of it

    Returns
    -------
    float64 columns, a row per object by ascending number; nan where an object is too flat or small
    for a measurement

    Raises
    ------
    ConfigError : see :func:`extra_problems`
    """
    channels = 0 if intensity is None else math.prod(intensity.shape[numbers.ndim :])
    raise_all(extra_problems(names, spacing=spacing, intensity=channels > 0))
    wanted = extra_column_names(numbers.ndim, names, channels=channels)
    if not numbers.any():
        return {name: np.zeros(0) for name in wanted}
    words = [name for name in names if isinstance(name, str)]
    found = _table(numbers, [name for name in words if name not in ISOTROPIC], intensity, spacing)
    found |= _table(numbers, [name for name in words if name in ISOTROPIC], intensity, None)
    for one in names:
        if isinstance(one, Measurement):
            found |= _own(numbers, one, intensity, spacing)
    if "perimeter_crofton" in found:
        found["perimeter_crofton"] = found["perimeter_crofton"] * spacing[-1]
    # The hull of a flat object in 3D has no volume; scikit-image writes 0 and divides by it.
    if "area_convex" in found:
        found["area_convex"] = np.where(found["area_convex"] > 0, found["area_convex"], np.nan)
    return {name: np.where(np.isinf(found[name]), np.nan, found[name]) for name in wanted}


def extra_column_names(ndim: int, names: Sequence[Measured], *, channels: int) -> list[str]:
    """Columns of further measurements, in their order.

    Parameters
    ----------
    ndim : spatial dimensions
    names : of the measurements
    channels : number of channels of the image

    Returns
    -------
    list of str

    >>> extra_column_names(2, ["solidity", "centroid_local"], channels=1)
    ['solidity', 'centroid_local-0', 'centroid_local-1']
    """
    fixed = len(table_columns(ndim, channels=channels))
    return table_columns(ndim, channels=channels, extra=names)[fixed:]


def extra_problems(
    names: Sequence[Measured], *, spacing: Sequence[float], intensity: bool = True
) -> list[JaxsegError]:
    """What is wrong with the names of further measurements, for voxels of this size.

    Parameters
    ----------
    names : of the measurements
    spacing : size of a voxel, (z)yx, µm
    intensity : whether there is an image to measure inside objects

    Returns
    -------
    list of JaxsegError
    """
    ndim, problems = len(spacing), []
    legal = extra_names(ndim)
    for one in names:
        name = name_of(one)
        if not is_extra(one, ndim):
            problems.append(
                ConfigError(
                    f"{name!r} is no further measurement in {ndim}D{nearest(name, legal)}",
                    expected=f"some of {', '.join(legal)}",
                )
            )
        elif one in ISOTROPIC and max(spacing) > 1.001 * min(spacing):
            problems.append(
                ConfigError(f"{name} needs voxels of equal sides", found=f"spacing {spacing}")
            )
        elif needs_intensity(one) and not intensity:
            problems.append(ConfigError(f"{name} needs an image to measure"))
    return list(problems)


def _table(
    numbers: np.ndarray,
    names: Sequence[str],
    intensity: np.ndarray | None,
    spacing: Sequence[float] | None,
) -> Columns:
    """One call of scikit-image."""
    if not names:
        return {}
    image = None if intensity is None else _squeezed(intensity, numbers.ndim)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.filterwarnings("ignore", "Failed to get convex hull")
        found = regionprops_table(
            numbers.astype(np.int32), image, properties=tuple(names), spacing=spacing
        )
    return {name: np.asarray(values, np.float64) for name, values in found.items()}


def _own(
    numbers: np.ndarray,
    one: Measurement,
    intensity: np.ndarray | None,
    spacing: Sequence[float],
) -> Columns:
    """A measurement of a user's own, object after object."""
    rows = []
    for region in regionprops(numbers.astype(np.int32)):
        given: list[Any] = [region.image, tuple(map(float, spacing))]
        if one.intensity:
            assert intensity is not None  # told by extra_problems
            box = np.asarray(intensity[region.slice], np.float64)
            given.append(box[..., None] if box.ndim == numbers.ndim else box)
        try:
            row = np.asarray(one.function(*given), np.float64).reshape(-1)
        except Exception as error:  # whatever a user's own function raises is theirs to mend
            raise ConfigError(
                f"the measurement {one.name} failed: {type(error).__name__}: {error}",
                found=f"object {region.label} of {region.image.shape} voxels",
            ) from error
        if len(row) != one.size:
            raise ConfigError(
                f"the measurement {one.name} gives another number of values",
                expected=one.size,
                found=len(row),
            )
        rows.append(row)
    table = np.stack(rows)
    names = [one.name] if one.size == 1 else [f"{one.name}-{i}" for i in range(one.size)]
    return dict(zip(names, table.T, strict=True))


def _squeezed(image: np.ndarray, ndim: int) -> np.ndarray:
    """The image as float64, without a channel axis where there is one channel."""
    image = np.asarray(image, np.float64)
    return image[..., 0] if image.ndim > ndim and image.shape[-1] == 1 else image
