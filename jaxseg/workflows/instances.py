"""Instances block by block: the phases ``instance_creation`` and ``instance_merging``."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

from jaxseg import blocks, io, runs
from jaxseg.blocks import Ledger
from jaxseg.config import Config
from jaxseg.config.load import select
from jaxseg.data import Sample
from jaxseg.errors import ConfigError, Interrupted, JaxsegWarning, raise_all
from jaxseg.runs import Run
from jaxseg.workflows.blocks import (
    export,
    grid_of,
    is_complete,
    ledger_of,
    stage_folder,
    version_of,
)
from jaxseg.workflows.decoding import labels_path
from jaxseg.workflows.inputs import Samples
from jaxseg.workflows.object_results import finish_objects
from jaxseg.workflows.prediction import planes_path
from jaxseg.workflows.regions import region_version
from jaxseg.workflows.stages import run_here_or_there


def create_instances(config: Config, run: Run, samples: Samples) -> None:
    """Make the objects of this job's blocks of every test image.

    Raises
    ------
    ConfigError : an image that is not predicted completely, or was decoded in memory
    """
    runs.refuse_other_way(run, ("decode",), config)
    paths = [planes_path(run, sample) for sample in samples["test"]]
    raise_all(
        ConfigError(
            "this image was not predicted, or not by all jobs", file=path, fix="--phases predict"
        )
        for path in paths
        if not path.exists()
    )
    runs.claim(run, "instance_creation", config, runs.claimed(run, "predict"))
    for sample, path in zip(samples["test"], paths, strict=True):
        source = io.open_image(path, ndim=config.ndim)
        values = select(config, runs.READS["instance_creation"]) | version_of(source)
        values |= {"spacing": sample.image.spacing, **region_version(config, sample)}
        grid = grid_of(config, source.spatial_shape)
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
    for step, word in ((_compare, "compared"), (_write_labels, "written")):
        ledgers = [step(config, run, sample) for sample in images]
        waiting = [ledger for ledger in ledgers if not is_complete(ledger)]
        if waiting:
            raise Interrupted(
                f"other jobs have not {word} all their blocks yet",
                file=waiting[0].folder,
                fix="run the same command again when they have",
            )
    for sample, ledger in zip(images, ledgers, strict=True):
        blocks.publish(ledger)
        _tell(config, ledger, sample, labels_path(config, run, sample))
    finish_objects(config, run, images)


def _values(config: Config, created: Ledger) -> dict[str, Any]:
    return select(config, runs.READS["instance_merging"]) | {"created": created.digest}


def _compare(config: Config, run: Run, sample: Sample) -> Ledger:
    """Compare this job's blocks with their neighbours."""
    created = ledger_of(run, "instance_creation", sample)
    folder = stage_folder(run, "contacts", sample)
    ledger = blocks.open_contacts(folder, created, _values(config, created))
    run_here_or_there(config, run, sample, "contacts")
    return ledger


def _write_labels(config: Config, run: Run, sample: Sample) -> Ledger:
    """Write the final ids of this job's blocks."""
    created = ledger_of(run, "instance_creation", sample)
    ledger = blocks.open_labels(
        stage_folder(run, "instance_merging", sample),
        created,
        ledger_of(run, "contacts", sample),
        _values(config, created),
        target=labels_path(config, run, sample),
        spacing=sample.image.spacing,
        min_size=config.watershed.min_size,
    )
    run_here_or_there(config, run, sample, "instance_merging")
    return ledger


def _tell(config: Config, ledger: Ledger, sample: Sample, path: Path) -> None:
    """Say what came out, warn where objects are cut, and export."""
    found = json.loads((ledger.folder / "summary.json").read_text())
    if found["cut"]:
        warnings.warn(
            f"{sample.name}: {found['cut']} of {found['pieces']} pieces of objects reach the end of"
            " their block's halo, where they are cut; a larger --blocks.halo may join them better",
            JaxsegWarning,
            stacklevel=2,
        )
    export(config, sample, path)
