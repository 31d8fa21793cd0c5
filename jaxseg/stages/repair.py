"""Repair of large objects by blocks: who touches whom is counted, then pieces are given back.

1. ``contacts``: faces that objects share, a sum over blocks;
2. ``inside``: voxels of small neighbours within the boxes of large objects, a sum, too;
3. ``joined``: small neighbours get the ids of the objects that absorb them;
4. ``repaired``: holes of large objects are filled.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, NamedTuple

import numpy as np

from jaxseg.blocks import BlockGrid
from jaxseg.blocks.stage import Arrays, Results, Stage
from jaxseg.config import Repair
from jaxseg.geometry import Box
from jaxseg.labels.repair import Faces, absorbable, absorbing, faces_of, filled_where, repair_large
from jaxseg.labels.tally import Tally
from jaxseg.stages.changes import All, Operation, changed, operated, renamed, within
from jaxseg.stages.counting import counted, tallied
from jaxseg.stages.extents import Extents, box_of_objects, extents
from jaxseg.volume import Readable


def repaired(
    before: Stage, options: Repair, grid: BlockGrid, where: Stage, folder: str, **last: Any
) -> Stage:
    """The last of the stages that repair large objects.

    Parameters
    ----------
    before : wrote the objects
    options : of the repair
    grid : the blocks
    where : says where the objects are
    folder : beginning of the names
    last : options of the last stage
    """
    values = {f"repair.{name}": value for name, value in asdict(options).items()}
    if len(grid) == 1:

        def repair(labels: np.ndarray) -> np.ndarray:
            return repair_large(
                labels, options.size, contact=options.contact, contained=options.contained
            )

        return operated(before, Operation(repair, All(), values), grid,
                        name=f"{folder}/repaired", **last)  # fmt: skip
    phase, output = before.phase, last["output"]

    def places(results: Results) -> Extents:
        return extents(results[where], where)

    def faces(box: Box, results: Results, known: Arrays) -> tuple[np.ndarray, np.ndarray]:
        return _faces(results[before].array, box)

    contacts = counted(f"{folder}/contacts", grid, faces, phase=phase, needs=(before,), slabs=False)

    def pairs(results: Results) -> Arrays:
        return _pairs(_numbered(options, places(results), tallied(results[contacts], contacts)))

    def parts(box: Box, results: Results, known: Arrays) -> tuple[np.ndarray, np.ndarray]:
        return _inside(results[before].array, known, box)

    inside = counted(
        f"{folder}/inside", grid, parts, phase=phase, needs=(before, where, contacts),
        values=values, summarise=pairs, slabs=False,
    )  # fmt: skip

    def target(results: Results) -> Arrays:
        found = _numbered(options, places(results), tallied(results[contacts], contacts))
        table = _joined(options, found, tallied(results[inside], inside))
        return {"table": table.astype(results[before].array.dtype)}

    joined = changed(
        before, grid, renamed(before), name=f"{folder}/joined", needs=(where, contacts, inside),
        values=values, summarise=target, output=replace(output, target=None),
    )  # fmt: skip

    def large(results: Results) -> Arrays:
        sizes, found = places(results), extents(results[joined], joined)
        chosen = np.isin(found.ids, sizes.ids[sizes.voxels >= options.size])
        return found.rows(chosen)._asdict()

    def fill(box: Box, results: Results, known: Arrays) -> np.ndarray:
        sizes = Extents(**known)
        around = box_of_objects(sizes, box, grid.shape)
        return within(results[joined].array, around, box, lambda labels: _filled(sizes.ids, labels))

    return changed(joined, grid, fill, name=f"{folder}/repaired", needs=(where,), values=values,
                   summarise=large, **last)  # fmt: skip


def _faces(source: Readable, core: Box) -> tuple[np.ndarray, np.ndarray]:
    """The labels on the two sides of the faces that belong to a block."""
    wide = Box(core.start, tuple(map(min, (n + 1 for n in core.stop), source.shape)))
    sides = zip(*faces_of(source[wide.slices], core.shape), strict=True)
    own, other = (np.concatenate(side) for side in sides)
    return own, other


def _inside(
    source: Readable, pairs: Mapping[str, np.ndarray], core: Box
) -> tuple[np.ndarray, np.ndarray]:
    """The large object and the small one of every voxel that lies in the box of the large one."""
    empty = np.zeros(0, pairs["own"].dtype)
    found = [(empty, empty)]
    for row in np.unique(pairs["other"], return_index=True)[1]:
        box = Box(tuple(pairs["low"][row].tolist()), tuple(pairs["high"][row].tolist()))
        box = core.intersection(box)
        if box.size:
            other = pairs["other"][row]
            labels = source[box.slices]
            own = labels[np.isin(labels, pairs["own"][pairs["other"] == other])]
            found.append((np.full(len(own), other), own.astype(empty.dtype)))
    other, own = (np.concatenate(column) for column in zip(*found, strict=True))
    return other, own


class _Numbered(NamedTuple):
    """Objects by number, in the order of their first voxels, as in memory; 0 = background.

    Parameters
    ----------
    where : extents of every number
    numbers : of every id
    large : whether an object is large
    contacts, pairs : see :func:`jaxseg.labels.repair.absorbable`
    """

    where: Extents
    numbers: np.ndarray
    large: np.ndarray
    contacts: Faces
    pairs: Faces


def _numbered(options: Repair, where: Extents, counts: Tally) -> _Numbered:
    """What was counted, by number."""
    order = np.argsort(where.first)
    where = Extents(*(np.concatenate([np.zeros_like(c[:1], shape=(1, *c.shape[1:])), c[order]])
                      for c in where))  # fmt: skip
    numbers = np.zeros(int(where.ids.max()) + 1, np.int64)
    numbers[where.ids] = np.arange(len(where.ids))
    large = where.voxels >= options.size
    large[0] = False
    own, other = (numbers[column] for column in counts.columns)
    contacts = Faces(own, other, counts.voxels)
    pairs = absorbable(contacts, where.voxels, large)
    return _Numbered(where, numbers, large, contacts, pairs)


def _pairs(found: _Numbered) -> Arrays:
    """The pairs of which it is to be found how much of the first lies in the box of the second."""
    own, other = (found.where.rows(rows) for rows in (found.pairs.own, found.pairs.other))
    ids = {"own": own.ids.astype(np.int64), "other": other.ids.astype(np.int64)}
    return ids | {"low": other.low, "high": other.high}


def _joined(options: Repair, found: _Numbered, counts: Tally) -> np.ndarray:
    """For every id the one it becomes."""
    target = absorbing(
        found.contacts,
        found.pairs,
        _voxels_inside(found, counts),
        sizes=found.where.voxels,
        contact=options.contact,
        contained=options.contained,
    )
    table = np.zeros(len(found.numbers), found.where.ids.dtype)
    table[found.where.ids] = found.where.ids[target]
    return table


def _voxels_inside(found: _Numbered, counts: Tally) -> np.ndarray:
    """Of every pair, voxels of the first in the box of the second; (pairs,) int64."""
    width = len(found.where.ids)
    other, own = (found.numbers[column] for column in counts.columns)
    codes = own * width + other
    order = np.argsort(codes)
    # One more at the end, for pairs beyond all that were counted.
    codes, voxels = np.append(codes[order], width**2), np.append(counts.voxels[order], 0)
    wanted = found.pairs.own * width + found.pairs.other
    places = np.searchsorted(codes, wanted)
    return np.where(codes[places] == wanted, voxels[places], 0)


def _filled(large: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Labels with the holes of large objects filled."""
    table = np.zeros(int(max(labels.max(initial=0), large.max(initial=0))) + 1, bool)
    table[large] = True
    return filled_where(labels, table)
