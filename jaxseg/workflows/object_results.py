"""Merged objects to results by blocks: the stages in their order, then tables and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from jaxseg import blocks, io
from jaxseg.channels import has_both
from jaxseg.config import Config
from jaxseg.data import Sample
from jaxseg.labels.conditions import survivors
from jaxseg.runs.manifest import Run
from jaxseg.workflows.blocks import export, is_complete
from jaxseg.workflows.decoding import labels_path
from jaxseg.workflows.object_classes import classes_path
from jaxseg.workflows.object_stages import judged_labels, object_stages
from jaxseg.workflows.object_tables import MERGED, judged, object_table
from jaxseg.workflows.postprocessing import post_path
from jaxseg.workflows.readiness import await_others
from jaxseg.workflows.stages import run_here_or_there


def finish_objects(config: Config, run: Run, samples: Sequence[Sample]) -> None:
    """Do this job's blocks of all that is done to merged objects; the last job writes the results.

    Raises
    ------
    Interrupted : other jobs have not done all their blocks of a stage that others wait for
    """
    groups = object_stages(config)
    for place, group in enumerate(groups, start=1):
        ledgers = []
        for name, stage in group.items():
            for sample in samples:
                ledger = stage.begin(config, run, sample)
                run_here_or_there(config, run, sample, name)
                ledgers.append(ledger)
        waiting = [ledger for ledger in ledgers if not is_complete(ledger)]
        if waiting and place == len(groups):
            return
        await_others(config, waiting, "done")
        for ledger in ledgers:
            blocks.publish(ledger)
    for sample in samples:
        _write_tables(config, run, sample)
        _export(config, run, sample)


def _write_tables(config: Config, run: Run, sample: Sample) -> None:
    """Measurements of the decoded objects, and of what became of them."""
    if not config.blocks.measure:
        return
    options, path = config.postprocess, labels_path(config, run, sample)
    before = object_table(config, run, sample, MERGED)
    before = before if options.reshapes else judged(config, before)
    _write_once(path.with_name(f"{sample.name}_full_stats.csv"), before)
    after = post_path(config, run, sample)
    if after is None:
        return
    table = before
    if options.reshapes:
        table = judged(config, object_table(config, run, sample, judged_labels(config)))
    _write_once(after.with_name(f"{sample.name}_full_stats.csv"), table)
    if options.remove:
        _write_once(after.with_name(f"{sample.name}_filtered_stats.csv"), survivors(table))


def _write_once(path: Path, table: pd.DataFrame) -> None:
    """Write a table, unless that was done before."""
    if not path.exists():
        io.write_csv(path, table)


def _export(config: Config, run: Run, sample: Sample) -> None:
    """Write images as TIFF, too, where asked for; that of the merged objects is there already."""
    labels, after = labels_path(config, run, sample), post_path(config, run, sample)
    paths = [] if after is None else [after]
    if has_both(config.channels):
        paths += [classes_path(path) for path in (labels, *paths)]
    for path in paths:
        export(config, sample, path)
