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

import numpy as np

from jaxseg import blocks
from jaxseg import postprocessing as post
from jaxseg.blocks import Extents, Ledger, Work
from jaxseg.config import Config
from jaxseg.data import Sample
from jaxseg.geometry import Box
from jaxseg.runs import Run
from jaxseg.volume import Readable
from jaxseg.workflows.blocks import ledger_of, stage_folder
from jaxseg.workflows.object_tables import AFTER, ObjectStage, Stages

COUNTED, INSIDE = f"{AFTER}/contacts", f"{AFTER}/inside"
JOINED, REPAIRED = f"{AFTER}/joined", f"{AFTER}/repaired"
# How a stage that changes objects begins, and the objects before it.
Begin = Callable[..., Ledger]
Before = Callable[[Config, Run, Sample, str], Ledger]
Where = Callable[[Run, Sample, Ledger], Extents]


def repair_stages(before: Before, begin: Begin, where: Where) -> list[Stages]:
    """The stages in their order.

    Parameters
    ----------
    before : the ledger of the objects that a stage changes
    begin : begins a stage that changes objects
    where : the extents of the objects of a ledger
    """

    def begin_counting(name: str, config: Config, run: Run, sample: Sample) -> Ledger:
        objects = before(config, run, sample, JOINED)
        blocks.require(objects)
        values = {"labels": objects.digest, **_values(config)}
        folder = stage_folder(run, name, sample)
        if name == COUNTED:
            return blocks.open_tallies(folder, name, objects.grid, values)
        known = functools.partial(_pairs, config, run, sample, where(run, sample, objects))
        return blocks.open_tallies(folder, name, objects.grid, values, known=known)

    def count(config: Config, run: Run, sample: Sample) -> Work:
        source = blocks.open_data(before(config, run, sample, JOINED))
        return blocks.tally_work(ledger_of(run, COUNTED, sample), functools.partial(_faces, source))

    def count_inside(config: Config, run: Run, sample: Sample) -> Work:
        source, ledger = before(config, run, sample, JOINED), ledger_of(run, INSIDE, sample)
        read = functools.partial(_inside, blocks.open_data(source), blocks.known_of(ledger))
        return blocks.tally_work(ledger, read)

    def begin_joining(config: Config, run: Run, sample: Sample) -> Ledger:
        def known(objects: Ledger) -> Mapping[str, np.ndarray]:
            found = _joined(config, run, sample, where(run, sample, objects))
            return {"table": found.astype(blocks.open_data(objects).dtype)}

        return begin(config, run, sample, JOINED, _values(config), known)

    def join(config: Config, run: Run, sample: Sample) -> Work:
        source, ledger = before(config, run, sample, JOINED), ledger_of(run, JOINED, sample)
        table = blocks.known_of(ledger)["table"]
        return blocks.objects_work(ledger, blocks.renamed(blocks.open_data(source), table))

    def begin_filling(config: Config, run: Run, sample: Sample) -> Ledger:
        def known(objects: Ledger) -> Mapping[str, np.ndarray]:
            sizes = where(run, sample, before(config, run, sample, JOINED))
            large = sizes.ids[sizes.voxels >= config.postprocess.repair.size]
            found = where(run, sample, objects)
            rows = np.isin(found.ids, large)
            return Extents(*(column[rows] for column in found))._asdict()

        return begin(config, run, sample, REPAIRED, _values(config), known)

    def fill(config: Config, run: Run, sample: Sample) -> Work:
        source, ledger = before(config, run, sample, REPAIRED), ledger_of(run, REPAIRED, sample)
        large = Extents(**blocks.known_of(ledger))
        function = functools.partial(_filled, large.ids)
        change = blocks.around_objects(blocks.open_data(source), large, function)
        return blocks.objects_work(ledger, change)

    counting = functools.partial(begin_counting, COUNTED)
    return [
        {COUNTED: ObjectStage(counting, count)},
        {INSIDE: ObjectStage(functools.partial(begin_counting, INSIDE), count_inside)},
        {JOINED: ObjectStage(begin_joining, join)},
        {REPAIRED: ObjectStage(begin_filling, fill)},
    ]


def _values(config: Config) -> dict[str, float]:
    return {f"repair.{name}": value for name, value in asdict(config.postprocess.repair).items()}


def _faces(source: Readable, core: Box) -> tuple[np.ndarray, np.ndarray]:
    """The labels on the two sides of the faces that belong to a block."""
    wide = Box(core.start, tuple(map(min, (n + 1 for n in core.stop), source.shape)))
    sides = zip(*post.faces_of(source[wide.slices], core.shape), strict=True)
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


class _Numbers:
    """Objects by number, in the order of their first voxels, as in memory."""

    def __init__(self, config: Config, run: Run, sample: Sample, where: Extents) -> None:
        order = np.argsort(where.first)
        self.ids = np.concatenate([np.zeros(1, where.ids.dtype), where.ids[order]])
        self.sizes = np.concatenate([[0], where.voxels[order]])
        self.low, self.high = (
            np.concatenate([np.zeros_like(column[:1]), column[order]])
            for column in (where.low, where.high)
        )
        self.large = self.sizes >= config.postprocess.repair.size
        self.large[0] = False
        # From every id its number.
        self.numbers = np.zeros(int(self.ids.max()) + 1, np.int64)
        self.numbers[self.ids] = np.arange(len(self.ids))
        counts = blocks.tallied(ledger_of(run, COUNTED, sample))
        own, other = (self.numbers[column] for column in counts.columns)
        self.contacts = post.Contacts(own, other, counts.voxels)
        self.pairs = post.absorbable(self.contacts, self.sizes, self.large)


def _pairs(config: Config, run: Run, sample: Sample, where: Extents) -> Mapping[str, np.ndarray]:
    """The pairs of which it is to be found how much of the first lies in the box of the second."""
    found = _Numbers(config, run, sample, where)
    other = found.pairs.other
    return {
        "own": found.ids[found.pairs.own].astype(np.int64),
        "other": found.ids[other].astype(np.int64),
        "low": found.low[other],
        "high": found.high[other],
    }


def _joined(config: Config, run: Run, sample: Sample, where: Extents) -> np.ndarray:
    """For every id the one it becomes."""
    found, options = _Numbers(config, run, sample, where), config.postprocess.repair
    counts = blocks.tallied(ledger_of(run, INSIDE, sample))
    width = len(found.ids)
    other, own = (found.numbers[column] for column in counts.columns)
    codes, voxels = own * width + other, counts.voxels
    order = np.argsort(codes)
    codes, voxels = np.append(codes[order], width**2), np.append(voxels[order], 0)
    wanted = found.pairs.own * width + found.pairs.other
    places = np.searchsorted(codes, wanted)
    inside = np.where(codes[places] == wanted, voxels[places], 0)
    target = post.targets(
        found.contacts, found.pairs, inside, sizes=found.sizes,
        contact=options.contact, contained=options.contained,
    )  # fmt: skip
    table = np.zeros(len(found.numbers), found.ids.dtype)
    table[found.ids] = found.ids[target]
    return table


def _filled(large: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Labels with the holes of large objects filled."""
    table = np.zeros(int(max(labels.max(initial=0), large.max(initial=0))) + 1, bool)
    table[large] = True
    return post.filled_where(labels, table)
