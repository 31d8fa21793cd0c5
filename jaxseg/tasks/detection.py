"""The task of finding points: nuclei, cells, spots, by their centres."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from rich.console import Console

from jaxseg import io, report
from jaxseg.blocks.stage import Step, Table
from jaxseg.config import Config
from jaxseg.decoding.point_planes import point_columns
from jaxseg.errors import ConfigError, JaxsegError
from jaxseg.geometry import Box
from jaxseg.io.points import PointTable
from jaxseg.labels.balls import balls
from jaxseg.metrics.points import PointMatching
from jaxseg.runs.division import DECODE
from jaxseg.runs.layout import Run, Work
from jaxseg.runs.results import Found
from jaxseg.stages.growing import point_steps
from jaxseg.stages.points import points_file
from jaxseg.stages.shown import Shown
from jaxseg.tasks.comparing import EVALUATE
from jaxseg.tasks.plane_scores import with_plane_scores
from jaxseg.tasks.point_rules import detection_rules
from jaxseg.tasks.point_scores import (
    TOTAL,
    ComparedPoints,
    class_scores_of,
    class_table,
    score_table,
    scores_of,
    write_associations,
)
from jaxseg.tasks.point_truth import files_of, open_points, points_of
from jaxseg.tasks.showing import write_summary
from jaxseg.tasks.task import Task


def _existing(work: Work) -> str:
    """The table of the points of an image, which must be there."""
    path = points_file(work)
    if not path.exists():
        raise ConfigError("no points were looked for in this image", where=path,
                          fix="--phases decode evaluate")  # fmt: skip
    return str(path)


def _step(work: Work, shown: Shown) -> Step:
    return Table(name="found points", phase=EVALUATE, needs=(),
                 gather=lambda results: pd.read_csv(_existing(work)))  # fmt: skip


def _files(work: Work, shown: Sequence[Shown]) -> dict[str, str]:
    return files_of(work.config, work.sample) | {f"found {work.name}": _existing(work)}


def _gather(work: Work, shown: Shown, step: Step, results: Found) -> ComparedPoints:
    table = results[step].frame
    columns = [f"axis-{axis}" for axis in range(work.config.ndim)]
    found = PointTable(table[columns].to_numpy(float), table["class"].to_numpy(np.int32))
    return ComparedPoints(work, table, found, points_of(work.sample))


def compare_points(
    config: Config, run: Run, results: Sequence[ComparedPoints], console: Console
) -> None:
    """Precision, recall and F1 at every tolerance, tables of who is who, and circles on images."""
    scores: dict[str, list[PointMatching]] = {}
    by_class: dict[str, list[list[PointMatching]]] = {}
    for one in results:
        own, name = scores_of(one), one.work.name
        io.write_png(run.overlay(name), _picture(config, one, own))
        if own:
            scores[name], by_class[name] = own, class_scores_of(one)
        for found in own:
            write_associations(run, one, found)
    tables = [one.table.assign(file=one.work.name) for one in results]
    if tables:
        every = pd.concat(tables, ignore_index=True)
        io.write_csv(run.all_points, every[["file", *every.columns.drop("file")]])
    if not scores:
        return
    table = score_table(config, results, scores)
    table = with_plane_scores(table, [one.work for one in results])
    _show("points found", table, console)
    write_summary(run, table)
    if any(by_class.values()):
        table = class_table(config, by_class)
        _show("points found of every class", table[table.file == TOTAL], console)
        io.write_csv(run.class_metrics(""), table)


def _show(title: str, table: pd.DataFrame, console: Console) -> None:
    shown = report.text_table(title, console)
    for name in table.columns:
        shown.add_column(str(name))
    for row in table.itertuples(index=False):
        shown.add_row(*(f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row))
    console.print(shown)


def _picture(config: Config, one: ComparedPoints, scores: Sequence[PointMatching]) -> np.ndarray:
    """The image with a circle around every point: found green, spurious blue, missed red."""
    work, tolerance = one.work, config.detection.tolerances[0]
    whole = Box((0,) * len(work.shape), work.shape)

    def circles(places: np.ndarray) -> np.ndarray:
        indices = report.slice_indices(work.shape)
        if len(work.shape) == 2:
            return balls(places, whole, radius=tolerance, spacing=work.spacing)
        slabs = [
            balls(places, Box((z, 0, 0), (z + 1, *work.shape[1:])), radius=tolerance,
                  spacing=work.spacing)[0]
            for (z,) in indices
        ]  # fmt: skip
        return np.stack(slabs)

    image, step = report.shown(work.sample.image, config.ndim), report.scale_of(work.shape).step
    found, truth, pairs, score = circles(one.found.places)[..., ::step, ::step], None, None, ""
    if one.truth is not None:
        truth = circles(one.truth.places)[..., ::step, ::step]
        pairs, score = scores[0].pairs, f"   F1 {scores[0].f1:.3f} within {tolerance:g} µm"
    return report.point_overlay(
        image, found, truth=truth, pairs=pairs, title=work.name + score,
        slices=[index[0] for index in report.slice_indices(work.shape) if index],
    )  # fmt: skip


def point_problems(config: Config) -> list[JaxsegError]:
    """Channels that do not show points, told by the configuration alone."""
    count = point_columns(config.channels, config.ndim)
    if count == 1:
        return []
    return [
        ConfigError(
            "points are peaks of the first channel, which must be one number per voxel",
            where="channels",
            found=f"{count} numbers" if count else "classes alone",
            fix="channels=(ch('G'),)",
        )
    ]


DETECTION = Task(
    name="detection",
    phases=(DECODE,),
    steps=point_steps,
    compare=compare_points,
    open=open_points,
    count=_step,
    files=_files,
    gather=_gather,
    objects=lambda config: config.detection.grow.enable,
    rules=detection_rules,
    problems=point_problems,
)
