"""The task of finding objects, each with an id of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from jaxseg import io, report
from jaxseg.config import Config
from jaxseg.geometry import Box
from jaxseg.metrics import ClassMatching, Matching, associations, matching, matching_by_class
from jaxseg.runs.layout import Run
from jaxseg.stages.joining import MERGING
from jaxseg.stages.objects import object_steps
from jaxseg.stages.pieces import CREATION
from jaxseg.stages.shown import POST_MARK
from jaxseg.tasks.comparing import Compared, inside_of
from jaxseg.tasks.plane_scores import with_plane_scores
from jaxseg.tasks.problems import instance_problems
from jaxseg.tasks.rules import instance_rules
from jaxseg.tasks.showing import semantic_options, shown, write_summary
from jaxseg.tasks.task import Task


def compare_objects(
    config: Config, run: Run, results: Sequence[Compared], console: Console
) -> None:
    """Matching statistics, associations, and outlines of what was found and missed."""
    thresholds = config.evaluate.thresholds
    scores: dict[str, dict[str, tuple[Matching, ...]]] = {"": {}, POST_MARK: {}}
    by_class: dict[str, dict[str, ClassMatching]] = {"": {}, POST_MARK: {}}
    for one in results:
        io.write_png(run.overlay(one.name), _outlines(config, one))
        if one.sample.labels is None:
            continue
        rows, name = one.inner, one.sample.name
        scores[one.mark][name] = matching(
            rows.truth, rows.labels, thresholds=thresholds, voxels=rows.voxels
        )
        _write_associations(config, run, one)
        classes = scored_classes(config, rows.truth, rows.labels, rows.classes, rows.voxels)
        if classes is not None:
            by_class[one.mark][name] = classes
    if not scores[""]:
        return
    table = report.matching_table(scores[""])
    table = with_plane_scores(table, [one.work for one in results if not one.mark])
    report.show_matching(table, thresholds, console)
    if scores[POST_MARK]:
        after = report.matching_table(scores[POST_MARK])
        report.show_matching(after, thresholds, console, title="after post-processing")
        table = report.beside(table, after)
    write_summary(run, table)
    for mark, found in by_class.items():
        write_class_scores(config, run, mark, found, console)


def _outlines(config: Config, one: Compared) -> np.ndarray:
    """The picture of some slices, judged by the whole."""
    raw, labels, truth = shown(one)
    if truth is not None:
        truth, labels = one.cleared(truth, labels)
    rows = one.every
    return report.overlay(
        raw,
        labels,
        truth=truth,
        title=one.name,
        verdict=report.judged(
            rows.truth, rows.labels, threshold=config.evaluate.overlay, voxels=rows.voxels
        ),
        slices=[index[0] for index in report.slice_indices(one.work.shape) if index],
    )


@dataclass(frozen=True)
class _Drawn:
    """A picture of a whole volume that is drawn slab by slab, when it is read.

    Parameters
    ----------
    shape : (*S, 3)
    chunks : what is best drawn in one piece
    draw : the part of the picture in a box
    """

    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    draw: Callable[[Box], np.ndarray]
    dtype: Any = np.uint8

    def __getitem__(self, index: Any) -> np.ndarray:
        first, last = (0, self.shape[0]) if index is Ellipsis else (index.start, index.stop)
        rest = self.shape[1:-1]
        box = Box((first, *(0 for _ in rest)), (min(last, self.shape[0]), *rest))
        return self.draw(box)


def _write_associations(config: Config, run: Run, one: Compared) -> None:
    """Who matches whom, at every threshold, as tables and, where asked for, in colours."""
    begin, rows = run.associations(one.name), one.inner
    for threshold in config.evaluate.thresholds:
        tables = associations(rows.truth, rows.labels, threshold=threshold, voxels=rows.voxels)
        io.write_csv(_ending(begin, threshold, "_gt_assoc.csv"), tables.gt_assoc)
        io.write_csv(_ending(begin, threshold, "_fp.csv"), tables.fp)
    for threshold in config.evaluate.coloured:
        path, picture = _ending(begin, threshold, ".tif"), _coloured(one, threshold)
        io.write_rgb_tiff(path, picture, spacing=one.work.spacing, shared=True)


def _ending(begin: Path, threshold: float, end: str) -> Path:
    return begin.with_name(f"{begin.name}_th_{threshold:g}{end}")


def _coloured(one: Compared, threshold: float) -> _Drawn:
    """The labels in colours, without the border that does not count."""
    rows, sides = one.inner, inside_of(one.work)
    verdict = report.judged(rows.truth, rows.labels, threshold=threshold, voxels=rows.voxels)

    def draw(box: Box) -> np.ndarray:
        moved = box.relative_to(tuple(-side.start for side in sides))
        truth, labels, *_ = one.read(moved)
        return report.coloured(*one.cleared(truth, labels), verdict=verdict)

    shape = tuple(side.stop - side.start for side in sides)
    depth = getattr(one.labels.data, "chunks", (1,))[0]
    return _Drawn((*shape, 3), (depth, *shape[1:], 3), draw)


def scored_classes(
    config: Config,
    truth: np.ndarray,
    labels: np.ndarray,
    classes: Sequence[np.ndarray],
    voxels: np.ndarray,
) -> ClassMatching | None:
    """Matching within every class; None where nothing is known of classes.

    Parameters
    ----------
    config : of the run
    truth, labels : (n,) objects, without the border that does not count
    classes : (n,) of the decoded and of the true objects, or none
    voxels : (n,) int64, how many voxels each element stands for
    """
    if not classes:
        return None
    options = semantic_options(config)
    return matching_by_class(
        truth,
        labels,
        true_classes=classes[1],
        classes=classes[0],
        number=options.classes,
        ignore=options.ignore,
        thresholds=config.evaluate.thresholds,
        voxels=voxels,
    )


def write_class_scores(
    config: Config, run: Run, mark: str, results: Mapping[str, ClassMatching], console: Console
) -> None:
    """Scores of every class, as a table and on the console.

    Parameters
    ----------
    config, run : which run
    mark : part of the name of the file
    results : per image; nothing is written if there are none
    console : where to print
    """
    if not results:
        return
    numbers = tuple(map(str, range(semantic_options(config).classes)))
    names = config.semantic.names or numbers
    table = report.class_matching_table(results, names, config.evaluate.thresholds)
    report.show_class_matching(table, config.evaluate.overlay, console)
    io.write_csv(run.class_metrics(mark), table)


INSTANCES = Task(
    name="instances",
    phases=(CREATION, MERGING),
    steps=object_steps,
    compare=compare_objects,
    objects=lambda config: True,
    decodes=True,
    rules=instance_rules,
    problems=instance_problems,
    stacks=True,
)
