"""Points in tables: CSV as the documents of detection have it, and as napari writes it."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from jaxseg.errors import InputError, JaxsegWarning

COLUMN = re.compile(r"axis-(\d+)")
LARGEST_CLASS = 2**15 - 1
CLASSES = ("class", "classification", "class_id")


class PointTable(NamedTuple):
    """Points of an image.

    Parameters
    ----------
    places : (n, ndim) float64 positions in voxels, (z)yx; 0 is the centre of the first voxel
    classes : (n,) int32; 0 where the file has none
    """

    places: np.ndarray
    classes: np.ndarray


def read_points(
    path: str | Path,
    shape: Sequence[int],
    *,
    spacing: Sequence[float] | None = None,
    units: str = "voxel",
    check: bool = True,
) -> PointTable:
    """The points of a CSV file.

    The columns ``axis-0``, ``axis-1`` and in 3D ``axis-2`` are the positions, (z)yx; ``class`` is
    optional; other columns, such as the ``index`` that napari writes, are not read.

    Parameters
    ----------
    path : CSV file
    shape : sequence of int
        Voxels of the image, (z)yx.
    spacing : sequence of float, optional
        Size of a voxel, (z)yx, µm; needed for units in µm.
    units : {"voxel", "um"}
        Of the positions.
    check : bool
        Refuse points outside the image and the same point twice; else leave such rows out, with a
        warning.

    Raises
    ------
    InputError
        No such columns, values that are no numbers, points outside the image, or the same point
        twice; the first few are named.
    """
    try:
        table = pd.read_csv(path, skipinitialspace=True)
    except pd.errors.EmptyDataError:
        raise InputError("the file of points is empty: not even names of columns", where=path,
                         expected=_columns(len(shape)), found="nothing") from None  # fmt: skip
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise InputError(f"not a readable CSV file: {error}", where=path) from error
    names = {str(name).strip().lower(): name for name in table.columns}
    wanted = [f"axis-{axis}" for axis in range(len(shape))]
    given = [name for name in names if COLUMN.fullmatch(name)]
    if sorted(given) != wanted:
        raise InputError(
            "the columns of points do not fit the image",
            where=path,
            expected=_columns(len(shape)),
            found=", ".join(map(str, table.columns)),
        )
    places = _numbers(table[[names[name] for name in wanted]], path)
    if units == "um":
        places = places / np.asarray(spacing or (1.0,) * len(shape), float)
    rows = _check(places, shape, path) if check else _sound(places, shape, path)
    found = [names[name] for name in CLASSES if name in names]
    classes = np.zeros(len(table), np.int32)
    if found:
        values = _numbers(table[[found[0]]], path)[:, 0]
        wrong = (values != np.rint(values)) | (values < 0) | (values > LARGEST_CLASS)
        if wrong.any():
            raise InputError(
                f"classes are not whole numbers from 0 to {LARGEST_CLASS}",
                where=path,
                found=f"{values[wrong][0]:.10g} in line {int(np.flatnonzero(wrong)[0]) + 2}",
            )
        classes = values.astype(np.int32)
    return PointTable(places[rows], classes[rows])


def _columns(ndim: int) -> str:
    return ", ".join(f"axis-{axis}" for axis in range(ndim)) + " and perhaps class"


def _numbers(table: pd.DataFrame, path: str | Path) -> np.ndarray:
    values = table.apply(pd.to_numeric, errors="coerce").to_numpy(float)
    wrong = np.argwhere(~np.isfinite(values))
    if len(wrong):
        row, column = wrong[0]
        raise InputError("not a number", where=path, expected="finite numbers",
                         found=f"{table.iloc[row, column]!r} in line {row + 2}")  # fmt: skip
    return values


def _sound(places: np.ndarray, shape: Sequence[int], path: str | Path) -> np.ndarray:
    """The rows (n,) of points inside the image, each point once."""
    inside = np.flatnonzero(~_outside(places, shape))
    rows = inside[np.sort(np.unique(places[inside], axis=0, return_index=True)[1])]
    if left_out := len(places) - len(rows):
        warnings.warn(
            f"{path}: {left_out} of {len(places)} points are left out, which lie outside the image "
            "or are there twice",
            JaxsegWarning,
            stacklevel=2,
        )
    return rows


def _outside(places: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    high = np.asarray(shape) - 0.5
    return np.asarray(((places < -0.5) | (places >= high)).any(axis=1))


def _check(places: np.ndarray, shape: Sequence[int], path: str | Path) -> slice:
    """All rows, if no point lies outside the image and none is there twice."""
    outside = _outside(places, shape)
    if outside.any():
        row = int(np.flatnonzero(outside)[0])
        raise InputError(
            f"{outside.sum()} of {len(places)} points lie outside the image",
            where=path,
            expected=f"positions in voxels within {tuple(shape)}",
            found=f"{tuple(places[row].tolist())} in line {row + 2}",
            fix="--detection.units um if they are in µm; --detection.no-check leaves them out",
        )
    _, first, count = np.unique(places, axis=0, return_index=True, return_counts=True)
    if (count > 1).any():
        row = int(first[count > 1][0])
        raise InputError(f"{int((count - 1).sum())} points are there more than once", where=path,
                         found=f"{tuple(places[row].tolist())} in line {row + 2}",
                         fix="remove the copies, or --detection.no-check")  # fmt: skip
    return slice(None)


def point_frame(
    places: np.ndarray,
    scores: np.ndarray,
    classes: np.ndarray | None = None,
    *,
    spacing: Sequence[float],
    radii: np.ndarray | None = None,
    names: Sequence[str] = (),
) -> pd.DataFrame:
    """Points as a table that napari reads: positions in voxels, then in µm, probability and class.

    Parameters
    ----------
    places : (n, ndim) float
        Positions in voxels, (z)yx.
    scores, classes : (n,)
        Probability and class of every point; None = no classes.
    spacing : sequence of float
        Size of a voxel, (z)yx, µm.
    radii : (n,), optional
        Radius of the blob that a point is, µm; none or empty = not known.
    names : sequence of str
        Of the classes, background first; empty = their numbers alone.
    """
    axes = "zyx"[-len(spacing) :]
    columns: dict[str, np.ndarray] = {"index": np.arange(len(places))}
    columns |= {f"axis-{axis}": places[:, axis] for axis in range(len(spacing))}
    columns |= {
        f"{name}_um": places[:, axis] * size
        for axis, (name, size) in enumerate(zip(axes, spacing, strict=True))
    }
    columns["probability"] = scores
    if classes is not None:
        columns["class"] = classes
        if names:
            columns["class_name"] = np.asarray(names, object)[classes]
    if radii is not None and len(radii):
        columns["radius_um"] = radii
    return pd.DataFrame(columns)
