"""Annotated synapses: pre- and postsynaptic sites and their pairs, out of containers or tables.

The layout of containers is that of the CREMI challenge: arrays of ids, types and locations of all
sites, and of pairs of ids, in a Zarr store or an HDF5 file, perhaps beside the image.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from jaxseg.config.synapses import Synapses
from jaxseg.errors import InputError, JaxsegError, raise_all
from jaxseg.io.annotations import Annotations, read_annotations
from jaxseg.io.points import read_points

SIDES = ("pre", "post")
TYPES = {"pre": "presynaptic_site", "post": "postsynaptic_site"}
# Columns of ids in tables, and of the partner in those of postsynaptic sites.
IDS = {"pre": ("id", "pre_id", "index"), "post": ("id", "post_id", "index")}
PARTNERS = ("partner", "pre_id")
MICROMETERS = {"nm": 1e-3, "um": 1.0}
# A place that is less than this part of a voxel below the next voxel is in the next one: files have
# products of whole numbers and voxel sizes.
ROUNDING = 1e-6
WHOLE = re.compile(r"(\d+)(?:\.0*)?")


class SynapseTable(NamedTuple):
    """Synaptic sites of an image.

    Parameters
    ----------
    pre : (n, ndim) float64 positions of presynaptic sites in voxels, (z)yx; 0 is the centre of the
        first voxel
    pre_ids : (n,) int64
    post : (m, ndim) float64 positions of postsynaptic sites
    post_ids : (m,) int64
    partner : (m,) int64 row of the presynaptic site of every postsynaptic one; -1 = none
    """

    pre: np.ndarray
    pre_ids: np.ndarray
    post: np.ndarray
    post_ids: np.ndarray
    partner: np.ndarray

    @property
    def pairs(self) -> np.ndarray:
        """(pairs, 2) rows of the pre- and of the postsynaptic site."""
        rows = np.flatnonzero(self.partner >= 0)
        return np.stack([self.partner[rows], rows], axis=1)


def read_synapses(
    path: str | Path,
    shape: Sequence[int],
    *,
    spacing: Sequence[float],
    origin: Sequence[float] = (),
    options: Synapses | None = None,
) -> SynapseTable:
    """The synapses of a container of annotations.

    A location is a length: the voxel that it lies in, from its lower border on, is the site.

    Parameters
    ----------
    path : Zarr store or HDF5 file
    shape : sequence of int
        Voxels of the image, (z)yx.
    spacing : sequence of float
        Size of a voxel of the image, (z)yx, µm.
    origin : sequence of float, optional
        Where the image begins, in the unit of the locations; empty = at 0.
    options : Synapses, optional
        Names of the datasets, and the unit.

    Returns
    -------
    SynapseTable
        In the order of the file.

    Raises
    ------
    InputError
        Datasets that are missing or of another shape, unknown types, ids that are there twice,
        partners that are not there or of the wrong type, sites outside the image or at one place.
    """
    options = Synapses() if options is None else options
    given = read_annotations(path, options, len(shape))
    raise_all(_wrong_ids(given, path))
    is_pre, problems = _roles(given, options, path)
    raise_all([*problems, *_wrong_pairs(given, is_pre, path)])
    begin = np.asarray(origin if len(origin) else np.zeros(len(shape)), float)
    lengths = (given.locations + given.offset - begin) * MICROMETERS[options.units]
    places = np.floor(lengths / np.asarray(spacing, float) + ROUNDING)
    raise_all(_wrong_places(places, is_pre, given, shape, path))
    rows = {int(one): row for row, one in enumerate(given.ids[is_pre])}
    to = {int(post): rows[int(pre)] for pre, post in given.partners}
    post_ids = given.ids[~is_pre]
    partner = np.array([to.get(int(one), -1) for one in post_ids], np.int64)
    return SynapseTable(places[is_pre], given.ids[is_pre], places[~is_pre], post_ids, partner)


def read_site_tables(
    pre: str | Path,
    post: str | Path,
    shape: Sequence[int],
    *,
    spacing: Sequence[float] | None = None,
    units: str = "voxel",
) -> SynapseTable:
    """The synapses of two CSV files.

    Parameters
    ----------
    pre, post : CSV files
        Positions as :func:`jaxseg.io.points.read_points` has them, and ``id``; of postsynaptic
        sites also ``partner``, the id of the presynaptic site, empty or -1 = none.
    shape, spacing, units
        As for :func:`jaxseg.io.points.read_points`.

    Returns
    -------
    SynapseTable
        In the order of the files.

    Raises
    ------
    InputError
        As those of :func:`read_synapses`, and columns that are missing.
    """
    places, ids, problems = {}, {}, []
    for side, path in zip(SIDES, (pre, post), strict=True):
        try:
            places[side] = read_points(path, shape, spacing=spacing, units=units).places
            ids[side] = _ids_of(path, IDS[side])
        except JaxsegError as problem:
            problems.append(problem)
    raise_all(problems)
    wanted = _ids_of(post, PARTNERS, empty=True)
    rows = {one: row for row, one in enumerate(ids["pre"].tolist())}
    missing = [one for one in wanted.tolist() if one >= 0 and one not in rows]
    if missing:
        raise InputError(f"{len(missing)} partners are not among the presynaptic sites", where=post,
                         expected=f"an id of {pre}, or nothing",
                         found=_listed(missing))  # fmt: skip
    partner = np.array([rows.get(one, -1) for one in wanted.tolist()], np.int64)
    return SynapseTable(places["pre"], ids["pre"], places["post"], ids["post"], partner)


def _ids_of(path: str | Path, names: Sequence[str], *, empty: bool = False) -> np.ndarray:
    """A column of ids, (n,) int64; -1 where there may be none."""
    # As texts: floating point would round large ids beside empty cells.
    table = pd.read_csv(path, skipinitialspace=True, dtype=str, keep_default_na=False)
    columns = {str(name).strip().lower(): name for name in table.columns}
    found = [columns[name] for name in names if name in columns]
    if not found:
        raise InputError("a column is missing", where=path, expected=" or ".join(names),
                         found=", ".join(map(str, table.columns)))  # fmt: skip
    ids = np.zeros(len(table), np.int64)
    for row, text in enumerate(table[found[0]].str.strip()):
        given = WHOLE.fullmatch(text)
        if empty and text in ("", "-1", "-1.0"):
            ids[row] = -1
        elif given and int(given[1]) <= np.iinfo(np.int64).max:
            ids[row] = int(given[1])
        else:
            raise InputError("not an id", where=path, expected="whole numbers from 0",
                             found=f"{text!r} in line {row + 2}")  # fmt: skip
    if not empty:
        raise_all(_repeated(ids, path))
    return ids


def _listed(values: Sequence[object]) -> str:
    """The first few."""
    return ", ".join(map(str, list(values)[:4])) + (", ..." if len(values) > 4 else "")


def _repeated(ids: np.ndarray, path: str | Path) -> Iterator[InputError]:
    different, count = np.unique(ids, return_counts=True)
    if (count > 1).any():
        yield InputError("ids of sites are there more than once", where=path,
                         found=_listed(different[count > 1].tolist()),
                         fix="give every site an id of its own")  # fmt: skip


def _wrong_ids(given: Annotations, path: str | Path) -> Iterator[InputError]:
    """Ids that are there twice, and partners that are not there."""
    yield from _repeated(given.ids, path)
    missing = np.setdiff1d(given.partners, given.ids)
    if len(missing):
        yield InputError("partners that are no site", where=path,
                         expected="ids of sites", found=_listed(missing.tolist()))  # fmt: skip
    pairs, count = np.unique(given.partners, axis=0, return_counts=True)
    if (count > 1).any():
        yield InputError("pairs that are there more than once", where=path,
                         found=_listed([tuple(pair) for pair in pairs[count > 1].tolist()]),
                         fix="remove the copies")  # fmt: skip
    posts, count = np.unique(pairs[:, 1], return_counts=True)
    if (count > 1).any():
        yield InputError("postsynaptic sites of several presynaptic ones", where=path,
                         expected="one partner each",
                         found=_listed(posts[count > 1].tolist()))  # fmt: skip


def _roles(
    given: Annotations, options: Synapses, path: str | Path
) -> tuple[np.ndarray, list[InputError]]:
    """Which sites are presynaptic, by their types, or by the pairs where there are none."""
    if given.types is not None:
        unknown = sorted(set(given.types.tolist()) - set(TYPES.values()))
        problems = []
        if unknown:
            problems.append(
                InputError("sites of an unknown type", where=f"{path}/{options.types}",
                           expected=" or ".join(TYPES.values()),
                           found=_listed([repr(one) for one in unknown]))
            )  # fmt: skip
        return given.types == TYPES["pre"], problems
    is_pre = np.isin(given.ids, given.partners[:, 0])
    alone = given.ids[~is_pre & ~np.isin(given.ids, given.partners[:, 1])]
    if not len(alone):
        return is_pre, []
    return is_pre, [
        InputError("sites of no pair, whose types are not known", where=path,
                   expected="a partner, or a dataset of types", found=_listed(alone.tolist()),
                   fix="--synapses.types annotations/types")
    ]  # fmt: skip


def _wrong_pairs(given: Annotations, is_pre: np.ndarray, path: str | Path) -> Iterator[InputError]:
    """Pairs whose sites are of the wrong type."""
    for column, (side, wanted) in enumerate(zip(SIDES, (True, False), strict=True)):
        wrong = np.intersect1d(given.partners[:, column], given.ids[is_pre != wanted])
        if len(wrong):
            yield InputError(
                f"the {side}synaptic sites of some pairs are not {side}synaptic", where=path,
                expected=TYPES[side], found=_listed(wrong.tolist()),
                fix="pairs are (presynaptic id, postsynaptic id), in this order",
            )  # fmt: skip


def _wrong_places(
    places: np.ndarray,
    is_pre: np.ndarray,
    given: Annotations,
    shape: Sequence[int],
    path: str | Path,
) -> Iterator[InputError]:
    """Sites outside the image, and sites of one side at one place."""
    outside = ((places < 0) | (places >= np.asarray(shape))).any(1)
    if outside.any():
        row = int(np.flatnonzero(outside)[0])
        yield InputError(
            f"{outside.sum()} of {len(places)} sites lie outside the image", where=path,
            expected=f"voxels within {tuple(shape)}",
            found=f"{tuple(places[row].astype(int).tolist())}, id {given.ids[row]}",
            fix="--synapses.units um if locations are in µm; --data.spacing if the size of a voxel "
            "is wrong",
        )  # fmt: skip
    for side, mine in zip(SIDES, (is_pre, ~is_pre), strict=True):
        _, group, count = np.unique(places[mine], axis=0, return_inverse=True, return_counts=True)
        double = np.flatnonzero(count[group.ravel()] > 1)
        if len(double):
            same = given.ids[mine][group.ravel() == group.ravel()[double[0]]]
            yield InputError(
                f"{side}synaptic sites in one voxel", where=path,
                found=f"ids {_listed(same.tolist())}"
                + (" and others" if len(double) > len(same) else ""),
                fix="give the pairs one id of the site",
            )  # fmt: skip
