"""The task of finding the class of every voxel."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from rich.console import Console

from jaxseg import io, report
from jaxseg.config import Config
from jaxseg.data.truth import CLASSES
from jaxseg.metrics import ClassCounts, class_counts, iou
from jaxseg.report.tables import MEAN
from jaxseg.runs.division import DECODE
from jaxseg.runs.layout import Run
from jaxseg.stages.classes import class_steps
from jaxseg.stages.shown import POST_MARK
from jaxseg.tasks.comparing import Compared
from jaxseg.tasks.plane_scores import with_plane_scores
from jaxseg.tasks.rules import semantic_rules
from jaxseg.tasks.showing import semantic_options, shown, write_summary
from jaxseg.tasks.task import Task


def compare_classes(
    config: Config, run: Run, results: Sequence[Compared], console: Console
) -> None:
    """Intersection over union of every class, per image and over all voxels."""
    options = semantic_options(config)
    names = config.semantic.names or tuple(map(str, range(options.classes)))
    counts: dict[str, dict[str, ClassCounts]] = {"": {}, POST_MARK: {}}
    for one in results:
        raw, labels, truth = shown(one)
        picture = report.class_overlay(raw, labels, truth=truth, names=names, title=one.name)
        io.write_png(run.overlay(one.name), picture)
        if truth is not None:
            rows = one.inner
            counts[one.mark][one.sample.name] = class_counts(
                rows.truth,
                rows.labels,
                classes=options.classes,
                ignore=options.ignore,
                voxels=rows.voxels,
            )
    if not counts[""]:
        return
    table = _class_table(counts[""], names)
    table = with_plane_scores(table, [one.work for one in results if not one.mark])
    if counts[POST_MARK]:
        table = report.beside(table, _class_table(counts[POST_MARK], names))
    report.show_classes(table, console)
    write_summary(run, table)


def _class_table(counts: Mapping[str, ClassCounts], names: Sequence[str]) -> pd.DataFrame:
    """One row per image, one of the means over images, and one for all voxels together."""
    total = functools.reduce(ClassCounts.plus, counts.values())
    each = pd.DataFrame([_class_row(name, names, iou(found)) for name, found in counts.items()])
    # A class that an image and its truth do not have counts in the other images only.
    means = {"file": MEAN, **each.drop(columns="file").mean().to_dict()}
    return pd.concat([each, pd.DataFrame([means, _class_row("all voxels", names, iou(total))])],
                     ignore_index=True)  # fmt: skip


def _class_row(file: str, names: Sequence[str], values: np.ndarray) -> dict[str, object]:
    """One row of the table; the mean leaves out classes that neither image has."""
    known = values[~np.isnan(values)]
    mean = float(known.mean()) if len(known) else float("nan")
    return {"file": file, "mean iou": mean} | {
        f"iou {name}": float(value) for name, value in zip(names, values, strict=True)
    }


SEMANTIC = Task(
    name="semantic",
    truth=(CLASSES,),
    phases=(DECODE,),
    steps=class_steps,
    compare=compare_classes,
    rules=semantic_rules,
    stacks=True,
)
