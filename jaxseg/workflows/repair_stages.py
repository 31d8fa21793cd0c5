"""Repair of large objects by blocks: who touches whom is counted, then pieces are given back.

1. ``contacts``: faces that objects share, a sum over blocks;
2. ``inside``: voxels of small neighbours within the boxes of large objects, a sum, too;
3. ``joined``: small neighbours get the ids of the objects that absorb them;
4. ``repaired``: holes of large objects are filled.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np

from jaxseg import blocks
from jaxseg.blocks import Extents, Ledger, Work
from jaxseg.config import Config
from jaxseg.data import Sample
from jaxseg.geometry import Box
from jaxseg.labels.repair import Faces, absorbable, absorbing, faces_of, filled_where
from jaxseg.labels.tally import Tally
from jaxseg.runs.manifest import Run
from jaxseg.volume import Readable
from jaxseg.workflows.blocks import ledger_of, stage_folder
from jaxseg.workflows.object_tables import AFTER, ObjectStage, Stages

COUNTED, INSIDE = f"{AFTER}/contacts", f"{AFTER}/inside"
JOINED, REPAIRED = f"{AFTER}/joined", f"{AFTER}/repaired"


class Chain(NamedTuple):
    """The stages that change objects, one after the other.

    Parameters
    ----------
    before : the ledger of the objects that a stage changes
    begin : begins such a stage
    where : the extents of the objects of a ledger
    """

    before: Callable[[Config, Run, Sample, str], Ledger]
    begin: Callable[..., Ledger]
    where: Callable[[Run, Sample, Ledger], Extents]

    def source(self, config: Config, run: Run, sample: Sample, name: str) -> Readable:
        """The objects that a stage changes."""
        return blocks.open_data(self.before(config, run, sample, name))


def repair_stages(chain: Chain) -> list[Stages]:
    """The stages in their order, each of which needs those before it."""
    stages = {
        COUNTED: (_begin_counting, _count),
        INSIDE: (_begin_inside, _count_inside),
        JOINED: (_begin_joining, _join),
        REPAIRED: (_begin_filling, _fill),
    }
    return [
        {name: ObjectStage(functools.partial(begin, chain), functools.partial(work, chain))}
        for name, (begin, work) in stages.items()
    ]


def _begin_counting(chain: Chain, config: Config, run: Run, sample: Sample) -> Ledger:
    objects = chain.before(config, run, sample, JOINED)
    blocks.require(objects)
    folder, values = stage_folder(run, COUNTED, sample), {"labels": objects.digest}
    return blocks.open_tallies(folder, COUNTED, objects.grid, values)


def _count(chain: Chain, config: Config, run: Run, sample: Sample) -> Work:
    read = functools.partial(_faces, chain.source(config, run, sample, JOINED))
    return blocks.tally_work(ledger_of(run, COUNTED, sample), read)


def _begin_inside(chain: Chain, config: Config, run: Run, sample: Sample) -> Ledger:
    objects = chain.before(config, run, sample, JOINED)
    folder, values = stage_folder(run, INSIDE, sample), {"labels": objects.digest}

    def known() -> Mapping[str, np.ndarray]:
        return _pairs(config, run, sample, chain.where(run, sample, objects))

    values |= _values(config)
    return blocks.open_tallies(folder, INSIDE, objects.grid, values, known=known)


def _count_inside(chain: Chain, config: Config, run: Run, sample: Sample) -> Work:
    source, ledger = chain.source(config, run, sample, JOINED), ledger_of(run, INSIDE, sample)
    read = functools.partial(_inside, source, blocks.known_of(ledger))
    return blocks.tally_work(ledger, read)


def _begin_joining(chain: Chain, config: Config, run: Run, sample: Sample) -> Ledger:
    def known(objects: Ledger) -> Mapping[str, np.ndarray]:
        found = _joined(config, run, sample, chain.where(run, sample, objects))
        return {"table": found.astype(blocks.open_data(objects).dtype)}

    return chain.begin(config, run, sample, JOINED, _values(config), known)


def _join(chain: Chain, config: Config, run: Run, sample: Sample) -> Work:
    source, ledger = chain.source(config, run, sample, JOINED), ledger_of(run, JOINED, sample)
    change = blocks.renamed(source, blocks.known_of(ledger)["table"])
    return blocks.objects_work(ledger, change)


def _begin_filling(chain: Chain, config: Config, run: Run, sample: Sample) -> Ledger:
    def known(objects: Ledger) -> Mapping[str, np.ndarray]:
        sizes = chain.where(run, sample, chain.before(config, run, sample, JOINED))
        large = sizes.ids[sizes.voxels >= config.postprocess.repair.size]
        found = chain.where(run, sample, objects)
        rows = np.isin(found.ids, large)
        return Extents(*(column[rows] for column in found))._asdict()

    return chain.begin(config, run, sample, REPAIRED, _values(config), known)


def _fill(chain: Chain, config: Config, run: Run, sample: Sample) -> Work:
    source, ledger = chain.source(config, run, sample, REPAIRED), ledger_of(run, REPAIRED, sample)
    large = Extents(**blocks.known_of(ledger))
    change = blocks.around_objects(source, large, functools.partial(_filled, large.ids))
    return blocks.objects_work(ledger, change)


def _values(config: Config) -> dict[str, Any]:
    return {f"repair.{name}": value for name, value in asdict(config.postprocess.repair).items()}


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


def _numbered(config: Config, run: Run, sample: Sample, where: Extents) -> _Numbered:
    """What was counted, by number."""
    order = np.argsort(where.first)
    where = Extents(*(np.concatenate([np.zeros_like(c[:1], shape=(1, *c.shape[1:])), c[order]])
                      for c in where))  # fmt: skip
    numbers = np.zeros(int(where.ids.max()) + 1, np.int64)
    numbers[where.ids] = np.arange(len(where.ids))
    large = where.voxels >= config.postprocess.repair.size
    large[0] = False
    counts = blocks.tallied(ledger_of(run, COUNTED, sample))
    own, other = (numbers[column] for column in counts.columns)
    contacts = Faces(own, other, counts.voxels)
    pairs = absorbable(contacts, where.voxels, large)
    return _Numbered(where, numbers, large, contacts, pairs)


def _pairs(config: Config, run: Run, sample: Sample, where: Extents) -> Mapping[str, np.ndarray]:
    """The pairs of which it is to be found how much of the first lies in the box of the second."""
    found = _numbered(config, run, sample, where)
    own, other = (
        Extents(*(column[rows] for column in found.where))
        for rows in (found.pairs.own, found.pairs.other)
    )
    ids = {"own": own.ids.astype(np.int64), "other": other.ids.astype(np.int64)}
    return ids | {"low": other.low, "high": other.high}


def _joined(config: Config, run: Run, sample: Sample, where: Extents) -> np.ndarray:
    """For every id the one it becomes."""
    found, options = _numbered(config, run, sample, where), config.postprocess.repair
    target = absorbing(
        found.contacts,
        found.pairs,
        _voxels_inside(found, blocks.tallied(ledger_of(run, INSIDE, sample))),
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
