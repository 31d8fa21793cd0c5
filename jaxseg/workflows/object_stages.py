"""What is done to merged objects by blocks: which stages, and how each begins and does a block.

Objects are measured, get classes, are refined one operation after the other, and removed; each step
is a stage with a ledger that reads finished stages before it. What comes out is what
:mod:`jaxseg.workflows.postprocessing` makes of a whole image.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import asdict

import numpy as np

from jaxseg import blocks
from jaxseg.blocks import Extents, Ledger, Work
from jaxseg.channels import has_both
from jaxseg.config import Config, Refine
from jaxseg.data import Sample
from jaxseg.decoding import class_type
from jaxseg.geometry import Box
from jaxseg.labels.conditions import removed_ids
from jaxseg.labels.extents import reach_of, removed_by
from jaxseg.labels.objects import fill_holes
from jaxseg.labels.refine import refine
from jaxseg.labels.votes import painted
from jaxseg.runs.manifest import Run
from jaxseg.volume import Readable
from jaxseg.workflows.blocks import ledger_of, stage_folder
from jaxseg.workflows.decoding import labels_path
from jaxseg.workflows.object_classes import classes_path
from jaxseg.workflows.object_tables import (
    AFTER,
    MERGED,
    ObjectStage,
    Stages,
    judged,
    measuring,
    object_table,
    object_votes,
    stage_about,
)
from jaxseg.workflows.postprocessing import confined, post_path
from jaxseg.workflows.regions import open_region, region_version
from jaxseg.workflows.repair_stages import JOINED, REPAIRED, Chain, repair_stages

CONFINED, REMOVED = f"{AFTER}/confined", f"{AFTER}/removed"


def object_stages(config: Config) -> list[Stages]:
    """All stages after the objects are merged, by name; a group needs only the groups before it.

    Parameters
    ----------
    config : of a run by blocks
    """
    chain, both = _chain(config), has_both(config.channels)
    first, then = measuring(config, MERGED) if config.blocks.measure else ({}, {})
    groups = [first, then | (_painting(MERGED, MERGED) if both else {})]
    repair = repair_stages(Chain(_before, _begin, _extents)) if JOINED in chain else []
    for name in chain:
        groups += repair if name == JOINED else []
        groups += [{name: _changing(name)}] * (name not in (JOINED, REPAIRED, REMOVED))
    if judged_labels(config) != MERGED:
        groups += measuring(config, judged_labels(config))
    groups += [{REMOVED: ObjectStage(_begin_removal, _remove)}] * (REMOVED in chain)
    if both and chain:
        groups.append(_painting(judged_labels(config), chain[-1]))
    return [group for group in groups if group]


def _chain(config: Config) -> list[str]:
    """The stages that change objects, in their order; none where nothing is asked for."""
    options = config.postprocess
    names = [f"{AFTER}/{place}_{one.operation}" for place, one in enumerate(options.refine)]
    names += [JOINED, REPAIRED] * bool(options.repair.size)
    names += [CONFINED] * bool(options.masks and options.reshapes)
    return names + [REMOVED] * bool(options.remove)


def judged_labels(config: Config) -> str:
    """The stage that wrote the objects whose measurements are judged."""
    return [MERGED, *(name for name in _chain(config) if name != REMOVED)][-1]


def _before(config: Config, run: Run, sample: Sample, name: str) -> Ledger:
    """The stage whose objects a stage changes."""
    chain = [MERGED, *_chain(config)]
    return ledger_of(run, chain[chain.index(name) - 1], sample)


def _source(config: Config, run: Run, sample: Sample, name: str) -> Readable:
    """The objects that a stage changes."""
    return blocks.open_data(_before(config, run, sample, name))


def _begin(
    config: Config,
    run: Run,
    sample: Sample,
    name: str,
    values: Mapping[str, object],
    known: Callable[[Ledger], Mapping[str, np.ndarray]],
) -> Ledger:
    """Begin a stage that changes objects; the last one of them gives the result."""
    before, last = _before(config, run, sample, name), _chain(config)[-1] == name
    return blocks.open_objects(
        stage_folder(run, name, sample),
        name,
        before,
        values,
        functools.partial(known, before),
        spacing=sample.image.spacing,
        target=post_path(config, run, sample) if last else None,
    )


# --------------------------------------------------------------------------------- refinement


def _changing(name: str) -> ObjectStage:
    """A stage of refinement by its name."""
    if name == CONFINED:
        return ObjectStage(_begin_confining, _confine)
    return ObjectStage(functools.partial(_begin_refining, name), functools.partial(_refine, name))


def _operation(config: Config, name: str) -> Refine:
    place = name.removeprefix(f"{AFTER}/").partition("_")[0]
    return config.postprocess.refine[int(place)]


def _begin_refining(name: str, config: Config, run: Run, sample: Sample) -> Ledger:
    one, spacing = _operation(config, name), sample.image.spacing

    def known(before: Ledger) -> Mapping[str, np.ndarray]:
        if reach_of(one, spacing) is not None:
            return {}
        found = _extents(run, sample, before)
        sizes = found.voxels, found.low, found.high
        gone = removed_by(one, *sizes, shape=before.grid.shape, spacing=spacing)
        return found._asdict() if gone is None else {"table": _without(found.ids, found.ids[gone])}

    values = {f"refine.{field}": value for field, value in asdict(one).items()}
    return _begin(config, run, sample, name, values | {"spacing": spacing}, known)


def _extents(run: Run, sample: Sample, objects: Ledger) -> Extents:
    """Where the objects of a stage are; of the merged ones the measurements say it."""
    merged = objects.stage == MERGED
    return blocks.extents(ledger_of(run, "measurements", sample) if merged else objects)


def _without(ids: np.ndarray, gone: np.ndarray) -> np.ndarray:
    """For every id up to the largest what it becomes."""
    table = np.arange(int(ids.max(initial=0)) + 1).astype(ids.dtype)
    table[gone] = 0
    return table


def _refine(name: str, config: Config, run: Run, sample: Sample) -> Work:
    one, spacing = _operation(config, name), sample.image.spacing
    source, ledger = _source(config, run, sample, name), ledger_of(run, name, sample)
    reach, known = reach_of(one, spacing), blocks.known_of(ledger)
    if reach is not None:
        change = functools.partial(refine, operations=(one,), spacing=spacing)
        return blocks.objects_work(ledger, blocks.nearby(source, reach, change))
    if "table" in known:
        return blocks.objects_work(ledger, blocks.renamed(source, known["table"]))
    around = blocks.around_objects(source, Extents(**known), fill_holes)
    return blocks.objects_work(ledger, around)


def _begin_confining(config: Config, run: Run, sample: Sample) -> Ledger:
    version = region_version(config, sample)
    return _begin(config, run, sample, CONFINED, version, lambda before: {})


def _confine(config: Config, run: Run, sample: Sample) -> Work:
    source = _source(config, run, sample, CONFINED)
    region = open_region(config, sample)

    def change(box: Box) -> np.ndarray:
        inside = region.read(box.start, box.stop) > 0 if region else None
        return confined(source[box.slices], inside)

    return blocks.objects_work(ledger_of(run, CONFINED, sample), change)


# ------------------------------------------------------------------------ removal and classes


def _begin_removal(config: Config, run: Run, sample: Sample) -> Ledger:
    def known(before: Ledger) -> Mapping[str, np.ndarray]:
        table = judged(config, object_table(config, run, sample, before.stage))
        return {"table": _without(table.label.to_numpy(), removed_ids(table))}

    groups = [[asdict(one) for one in group] for group in config.postprocess.remove]
    return _begin(config, run, sample, REMOVED, {"remove": groups}, known)


def _remove(config: Config, run: Run, sample: Sample) -> Work:
    return _renaming(ledger_of(run, REMOVED, sample), _before(config, run, sample, REMOVED))


def _renaming(ledger: Ledger, before: Ledger) -> Work:
    table = blocks.known_of(ledger)["table"]
    return blocks.objects_work(ledger, blocks.renamed(blocks.open_data(before), table))


def _painting(voted: str, labels: str) -> Stages:
    """The image of the classes of objects.

    Parameters
    ----------
    voted, labels : the stages that wrote the objects that got classes, and those to be shown
    """
    name = stage_about(labels, "classes")

    def begin(config: Config, run: Run, sample: Sample) -> Ledger:
        def known() -> Mapping[str, np.ndarray]:
            votes = object_votes(run, sample, voted)
            return {"table": painted(np.arange(int(votes.ids.max(initial=0)) + 1), votes)}

        path = labels_path(config, run, sample)
        path = path if labels == MERGED else post_path(config, run, sample) or path
        return blocks.open_objects(
            stage_folder(run, name, sample),
            name,
            ledger_of(run, labels, sample),
            {"voted": ledger_of(run, stage_about(voted, "votes"), sample).digest},
            known,
            dtype=class_type(config.channels),
            spacing=sample.image.spacing,
            target=classes_path(path),
        )

    def work(config: Config, run: Run, sample: Sample) -> Work:
        return _renaming(ledger_of(run, name, sample), ledger_of(run, labels, sample))

    return {name: ObjectStage(begin, work)}
