"""The task of finding points: nuclei, cells, spots, by their centres."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from rich.console import Console

from jaxseg import io, report
from jaxseg.blocks.stage import Step, Table
from jaxseg.config import Config
from jaxseg.errors import ConfigError
from jaxseg.geometry import Box
from jaxseg.labels.balls import balls
from jaxseg.metrics.points import PointMatching, match_points, pooled_points
from jaxseg.runs.layout import Run, Work
from jaxseg.runs.results import Found
from jaxseg.stages.points import DECODE, point_steps, points_file
from jaxseg.stages.shown import Shown
from jaxseg.tasks.comparing import EVALUATE
from jaxseg.tasks.point_truth import files_of, open_points, points_of
from jaxseg.tasks.rules import detection_rules
from jaxseg.tasks.showing import write_summary
from jaxseg.tasks.task import Task


class ComparedPoints(NamedTuple):
    """The points of an image, found and true.

    Parameters
    ----------
    work : which image
    table : rows of :func:`jaxseg.io.points.point_frame`
    found : (n, ndim) positions in voxels
    truth : (m, ndim) positions in voxels; None = not known
    """

    work: Work
    table: pd.DataFrame
    found: np.ndarray
    truth: np.ndarray | None


def _existing(work: Work) -> str:
    """The table of the points of an image, which must be there."""
    path = points_file(work)
    if not path.exists():
        raise ConfigError("no points were looked for in this image", file=path,
                          fix="--phases decode evaluate")  # fmt: skip
    return str(path)


def _step(work: Work, shown: Shown) -> Step:
    return Table(name="found points", phase=EVALUATE, needs=(),
                 gather=lambda results: pd.read_csv(_existing(work)))  # fmt: skip


def _files(work: Work, shown: Sequence[Shown]) -> dict[str, str]:
    return files_of(work.config, work.sample) | {f"found {work.name}": _existing(work)}


def _gather(work: Work, shown: Shown, step: Step, results: Found) -> ComparedPoints:
    table, true = results[step].frame, points_of(work.sample)
    columns = [f"axis-{axis}" for axis in range(work.config.ndim)]
    places = table[columns].to_numpy(float)
    return ComparedPoints(work, table, places, None if true is None else true.places)


def compare_points(
    config: Config, run: Run, results: Sequence[ComparedPoints], console: Console
) -> None:
    """Precision, recall and F1 at every tolerance, tables of who is who, and circles on images."""
    rows: dict[str, list[PointMatching]] = {}
    for one in results:
        scores = _scores(config, one)
        io.write_png(run.overlay(one.work.name), _picture(config, one, scores))
        if scores:
            rows[one.work.name] = scores
            for found in scores:
                _write_associations(run, one, found)
    if not rows:
        return
    table = pd.DataFrame(
        [_row(name, scores) for name, scores in rows.items()]
        + [
            _row(
                "all points", [pooled_points(column) for column in zip(*rows.values(), strict=True)]
            )
        ]
    )
    shown = report.text_table("points found", console)
    for name in table.columns:
        shown.add_column(str(name))
    for row in table.itertuples(index=False):
        shown.add_row(*(f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row))
    console.print(shown)
    write_summary(run, table)


def _scores(config: Config, one: ComparedPoints) -> list[PointMatching]:
    if one.truth is None:
        return []
    return [
        match_points(one.truth, one.found, tolerance=tolerance, spacing=one.work.spacing)
        for tolerance in config.detection.tolerances
    ]


def _row(name: str, scores: Sequence[PointMatching]) -> dict[str, object]:
    row: dict[str, object] = {"file": name}
    for found in scores:
        begin = f"{found.tolerance:g} um"
        for field in ("f1", "precision", "recall", "mean_distance", "tp", "fp", "fn"):
            row[f"{begin} {field}"] = getattr(found, field)
    return row


def _write_associations(run: Run, one: ComparedPoints, found: PointMatching) -> None:
    """Every true point with the one that stands for it, and the spurious ones."""
    assert one.truth is not None
    begin = run.associations(one.work.name)
    axes = [f"axis-{axis}" for axis in range(one.work.config.ndim)]
    truth = pd.DataFrame(one.truth, columns=axes)
    truth.insert(0, "gt_id", np.arange(len(truth)))
    matches, distances = np.full(len(truth), -1), np.full(len(truth), np.nan)
    matches[found.pairs[:, 0]] = found.pairs[:, 1]
    distances[found.pairs[:, 0]] = found.distances
    tags = np.where(matches >= 0, "TP", "FN")
    truth = truth.assign(pred_id=matches, distance_um=distances, tag=tags)
    spurious = np.setdiff1d(np.arange(len(one.table)), found.pairs[:, 1])
    ends = {"gt_assoc": truth, "fp": one.table.iloc[spurious]}
    for end, table in ends.items():
        name = f"{begin.name}_within_{found.tolerance:g}um_{end}.csv"
        io.write_csv(begin.with_name(name), table)


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
    found, truth, pairs, score = circles(one.found)[..., ::step, ::step], None, None, ""
    if one.truth is not None:
        truth = circles(one.truth)[..., ::step, ::step]
        pairs, score = scores[0].pairs, f"   F1 {scores[0].f1:.3f} within {tolerance:g} µm"
    return report.point_overlay(
        image, found, truth=truth, pairs=pairs, title=work.name + score,
        slices=[index[0] for index in report.slice_indices(work.shape) if index],
    )  # fmt: skip


DETECTION = Task(
    name="detection",
    phases=(DECODE,),
    steps=point_steps,
    compare=compare_points,
    open=open_points,
    count=_step,
    files=_files,
    gather=_gather,
    rules=detection_rules,
)
