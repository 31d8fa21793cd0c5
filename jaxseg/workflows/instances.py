"""Instances block by block: the phases ``instance_creation`` and ``instance_merging``."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

from jaxseg import blocks, io
from jaxseg.blocks import Ledger
from jaxseg.config import Config
from jaxseg.config.rules.decoding import joins_fragments
from jaxseg.data import Sample
from jaxseg.errors import ConfigError, JaxsegWarning
from jaxseg.runs import manifest as runs
from jaxseg.runs.manifest import Run
from jaxseg.workflows import agglomeration
from jaxseg.workflows.blocks import (
    export,
    grid_of,
    ledger_of,
    publish,
    stage_folder,
    version_of,
)
from jaxseg.workflows.decoding import labels_path
from jaxseg.workflows.inputs import Samples
from jaxseg.workflows.object_results import finish_objects
from jaxseg.workflows.readiness import await_others, await_planes
from jaxseg.workflows.regions import region_version
from jaxseg.workflows.stages import run_here_or_there


def create_instances(config: Config, run: Run, samples: Samples) -> None:
    """Make the objects of this job's blocks of every test image.

    Raises
    ------
    ConfigError : an image that is not predicted, or was decoded in memory
    Interrupted : other jobs have not predicted all their blocks yet
    """
    runs.refuse_other_way(run, ("decode",), config)
    paths = await_planes(config, run, samples["test"])
    runs.claim(run, "instance_creation", config, runs.claimed(run, "predict"))
    for sample, path in zip(samples["test"], paths, strict=True):
        source = io.open_image(path, ndim=config.ndim)
        values = runs.phase_values("instance_creation", config) | version_of(source)
        values |= {"spacing": sample.image.spacing, **region_version(config, sample)}
        grid = grid_of(config, source.spatial_shape)
        if joins_fragments(config):
            grid = agglomeration.fragment_grid(config, sample, grid)
        folder = stage_folder(run, "instance_creation", sample)
        blocks.open_creation(folder, grid, values)
        run_here_or_there(config, run, sample, "instance_creation")


def merge_instances(config: Config, run: Run, samples: Samples) -> None:
    """Merge this job's blocks of every test image; the last job publishes and measures.

    Raises
    ------
    ConfigError : blocks of instance creation are missing; they are named
    Interrupted : other jobs have not compared, or not written, all their blocks yet
    """
    created_before = runs.claimed(run, "instance_creation")
    if not created_before:
        raise ConfigError(
            "no instances were created yet",
            file=run.results,
            fix="--phases instance_creation instance_merging",
        )
    runs.claim(run, "instance_merging", config, created_before)
    # Step by step for all images, so that a job waits for the others once per step.
    images = samples["test"]
    if config.blocks.wait:
        await_others(config, [ledger_of(run, "instance_creation", s) for s in images], "created")
    steps = [(_compare, "compared"), (_write_labels, "written")]
    if joins_fragments(config):
        steps[1:1] = [(_number_fragments, "numbered"), (_gather_contacts, "asked for contacts")]
    for step, word in steps:
        ledgers = [step(config, run, sample) for sample in images]
        await_others(config, ledgers, word)
    for sample, ledger in zip(images, ledgers, strict=True):
        publish(ledger, sample)
        _tell(config, ledger, sample, labels_path(config, run, sample))
    finish_objects(config, run, images)


def _values(config: Config, created: Ledger) -> dict[str, Any]:
    return runs.phase_values("instance_merging", config) | {"created": created.digest}


def _compare(config: Config, run: Run, sample: Sample) -> Ledger:
    """Compare this job's blocks with their neighbours."""
    created = ledger_of(run, "instance_creation", sample)
    folder = stage_folder(run, "contacts", sample)
    ledger = blocks.open_contacts(folder, created, _values(config, created))
    run_here_or_there(config, run, sample, "contacts")
    return ledger


def _number_fragments(config: Config, run: Run, sample: Sample) -> Ledger:
    """Write the fragments of this job's blocks with ids of the volume."""
    created = ledger_of(run, "instance_creation", sample)
    ledger = agglomeration.open_fragments(run, sample, _values(config, created))
    run_here_or_there(config, run, sample, agglomeration.FRAGMENTS)
    return ledger


def _gather_contacts(config: Config, run: Run, sample: Sample) -> Ledger:
    """Gather the contacts of fragments in this job's blocks."""
    created = ledger_of(run, "instance_creation", sample)
    ledger = agglomeration.open_contacts_of_fragments(run, sample, _values(config, created))
    run_here_or_there(config, run, sample, agglomeration.GRAPH)
    return ledger


def _write_labels(config: Config, run: Run, sample: Sample) -> Ledger:
    """Write the final ids of this job's blocks."""
    created = ledger_of(run, "instance_creation", sample)
    values, target = _values(config, created), labels_path(config, run, sample)
    if joins_fragments(config):
        ledger = agglomeration.open_objects(config, run, sample, values, target)
    else:
        ledger = blocks.open_labels(
            stage_folder(run, "instance_merging", sample),
            created,
            ledger_of(run, "contacts", sample),
            values,
            target=target,
            spacing=sample.image.spacing,
            min_size=config.watershed.min_size,
        )
    run_here_or_there(config, run, sample, "instance_merging")
    return ledger


def _tell(config: Config, ledger: Ledger, sample: Sample, path: Path) -> None:
    """Say what came out, warn where objects are cut, and export."""
    found = json.loads(blocks.known_file(ledger, "summary.json").read_text())
    if found["cut"]:
        warnings.warn(
            f"{sample.name}: {found['cut']} of {found['pieces']} pieces of objects reach the end of"
            " their block's halo, where they are cut; a larger --blocks.halo may join them better",
            JaxsegWarning,
            stacklevel=2,
        )
    export(config, sample, path)
