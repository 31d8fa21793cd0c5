"""What is measured of objects by blocks: the stages, and the tables out of them.

``labels`` is everywhere the name of the stage that wrote the objects.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from jaxseg import blocks, io
from jaxseg.blocks import Ledger, Work
from jaxseg.channels import has_both
from jaxseg.config import Config
from jaxseg.data import Sample
from jaxseg.decoding import class_type, class_votes
from jaxseg.geometry import Box
from jaxseg.labels.conditions import judge
from jaxseg.labels.votes import Votes, majority
from jaxseg.runs import manifest as runs
from jaxseg.runs.manifest import Run
from jaxseg.workflows.blocks import ledger_of, stage_folder, version_of
from jaxseg.workflows.planes import smooth_planes
from jaxseg.workflows.prediction import planes_path

# The stage that wrote the merged objects, and the folder of the stages after it that change them.
MERGED, AFTER = "instance_merging", "post_processing"


class ObjectStage(NamedTuple):
    """One stage of what is done to objects.

    Parameters
    ----------
    begin : begins it, or goes on with it; the stages that it reads are complete
    work : how it does one block
    """

    begin: Callable[[Config, Run, Sample], Ledger]
    work: Callable[[Config, Run, Sample], Work]


Stages = dict[str, ObjectStage]


def stage_about(labels: str, what: str) -> str:
    """The name of a stage that measures the objects of another one.

    >>> stage_about(MERGED, "votes"), stage_about("post_processing/0_erosion", "votes")
    ('votes', 'post_processing/votes')
    """
    return what if labels == MERGED else f"{AFTER}/{what}"


def measuring(config: Config, labels: str) -> tuple[Stages, Stages]:
    """The stages that measure objects, and those that need them.

    Parameters
    ----------
    config : of a run by blocks
    labels : the stage that wrote them
    """

    def stage(what: str, begin: Callable, work: Callable) -> Stages:
        both = functools.partial(begin, labels), functools.partial(work, labels)
        return {stage_about(labels, what): ObjectStage(*both)}

    first = stage("measurements", _begin_measuring, _measure)
    if has_both(config.channels):
        first |= stage("votes", _begin_votes, _vote)
    if not config.postprocess.properties:
        return first, {}
    return first, stage("properties", _begin_properties, _find_properties)


def object_table(config: Config, run: Run, sample: Sample, labels: str) -> pd.DataFrame:
    """The table of :func:`jaxseg.workflows.postprocessing.measured`, once all blocks are done."""
    channels, names = sample.image.channels, config.postprocess.properties
    ledger = ledger_of(run, stage_about(labels, "measurements"), sample)
    table = blocks.measurements(ledger, channels=channels, spacing=sample.image.spacing)
    if has_both(config.channels):
        votes = object_votes(run, sample, labels)
        table.insert(1, "class", votes.classes.astype(class_type(config.channels)))
    if names:
        ledger = ledger_of(run, stage_about(labels, "properties"), sample)
        table = table.assign(**blocks.properties(ledger, names, channels=channels))
    return table


def judged(config: Config, table: pd.DataFrame) -> pd.DataFrame:
    """The table with what is to be removed, where that is asked for."""
    groups = config.postprocess.remove
    return judge(table, groups) if groups else table


def object_votes(run: Run, sample: Sample, labels: str) -> Votes:
    """The class of every object, once all blocks have voted."""
    found = blocks.tallied(ledger_of(run, stage_about(labels, "votes"), sample))
    return majority(*found.columns, voxels=found.voxels)


# ------------------------------------------------------------------------------- measurements


def _begin_measuring(labels: str, config: Config, run: Run, sample: Sample) -> Ledger:
    folder = stage_folder(run, stage_about(labels, "measurements"), sample)
    return blocks.open_measurements(folder, ledger_of(run, labels, sample), _measured(sample))


def _measured(sample: Sample) -> dict[str, object]:
    """What decides measurements beside the objects."""
    spacing, image = sample.image.spacing, sample.image.path
    return {"spacing": spacing, "image": runs.input_version(image)}


def _measure(labels: str, config: Config, run: Run, sample: Sample) -> Work:
    objects = io.open_labels(ledger_of(run, labels, sample).data, ndim=config.ndim)
    return blocks.measuring_work(
        ledger_of(run, stage_about(labels, "measurements"), sample),
        lambda box: objects.read(box.start, box.stop),
        lambda box: sample.image.read(box.start, box.stop),
        spacing=sample.image.spacing,
    )


# ------------------------------------------------------------------------------------ classes


def _begin_votes(labels: str, config: Config, run: Run, sample: Sample) -> Ledger:
    objects, stage = ledger_of(run, labels, sample), stage_about(labels, "votes")
    source = io.open_image(planes_path(run, sample), ndim=config.ndim)
    values = version_of(source) | {"labels": objects.digest}
    blocks.require(objects)
    return blocks.open_tallies(stage_folder(run, stage, sample), stage, objects.grid, values)


def _vote(labels: str, config: Config, run: Run, sample: Sample) -> Work:
    objects = io.open_labels(ledger_of(run, labels, sample).data, ndim=config.ndim)
    planes = smooth_planes(config, io.open_image(planes_path(run, sample), ndim=config.ndim))

    def read(box: Box) -> tuple[np.ndarray, np.ndarray]:
        votes = class_votes(planes(box), config.channels)
        return objects.read(box.start, box.stop), votes

    return blocks.tally_work(ledger_of(run, stage_about(labels, "votes"), sample), read)


# --------------------------------------------------------------------------------- properties


def _begin_properties(labels: str, config: Config, run: Run, sample: Sample) -> Ledger:
    return blocks.open_properties(
        stage_folder(run, stage_about(labels, "properties"), sample),
        ledger_of(run, labels, sample),
        ledger_of(run, stage_about(labels, "measurements"), sample),
        _measured(sample) | {"properties": config.postprocess.properties},
    )


def _find_properties(labels: str, config: Config, run: Run, sample: Sample) -> Work:
    return blocks.properties_work(
        ledger_of(run, stage_about(labels, "properties"), sample),
        ledger_of(run, labels, sample),
        lambda box: sample.image.read(box.start, box.stop),
        config.postprocess.properties,
        spacing=sample.image.spacing,
    )
