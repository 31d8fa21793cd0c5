"""The evaluation phase: decoded labels against the true ones, as tables and pictures."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from rich.console import Console

from jaxseg import io, report, runs
from jaxseg.config import Config
from jaxseg.data import Sample
from jaxseg.errors import ConfigError
from jaxseg.metrics import (
    ClassCounts,
    ClassMatching,
    Matching,
    associations,
    class_counts,
    cropped,
    iou,
    matching,
    without_unknown,
)
from jaxseg.runs import Run
from jaxseg.workflows.decoding import labels_path
from jaxseg.workflows.inputs import Samples
from jaxseg.workflows.object_classes import (
    scored_classes,
    semantic_options,
    write_class_scores,
)
from jaxseg.workflows.postprocessing import post_path

# Mark of the files that are about objects after post-processing.
POST = "_post-proc"


def evaluate_images(config: Config, run: Run, samples: Samples) -> None:
    """Compare every test image that has labels; draw all of them."""
    runs.claim(run, "evaluate", config)
    console = Console(width=None if Console().is_terminal else 120)
    compare = _compare_classes if config.task == "semantic" else _compare_instances
    compare(config, run, samples["test"], console)
    console.print(f"results: {run.results}", soft_wrap=True)


class _Compared(NamedTuple):
    """An image with what was decoded of it, what post-processing made of that, and the truth."""

    sample: Sample
    labels: np.ndarray
    after: np.ndarray | None
    truth: np.ndarray | None

    def results(self) -> Iterator[tuple[str, np.ndarray]]:
        """What is to be compared, and how its files are marked."""
        yield "", self.labels
        if self.after is not None:
            yield POST, self.after


def _compared(config: Config, run: Run, samples: Sequence[Sample]) -> Iterator[_Compared]:
    """Every sample with its decoded labels and, where given, the true ones."""
    for sample in samples:
        path, after = labels_path(config, run, sample), post_path(config, run, sample)
        labels = _read(config, path)
        processed = _read(config, after) if after is not None else None
        truth = sample.labels.array() if sample.labels else None
        if truth is not None and config.data.ignore != -1:
            unknown = truth == config.data.ignore
            if processed is not None:
                processed = without_unknown(truth, processed, unknown)[1]
            truth, labels = without_unknown(truth, labels, unknown)
        yield _Compared(sample, labels, processed, truth)


def _read(config: Config, path: Path) -> np.ndarray:
    """Labels that the decoding phase wrote."""
    if not path.exists():
        raise ConfigError("this image was not decoded", file=path, fix="--phases decode evaluate")
    return io.open_labels(path, ndim=config.ndim).array()


def _compare_instances(
    config: Config, run: Run, samples: Sequence[Sample], console: Console
) -> None:
    """Matching statistics, associations, and outlines of what was found and missed."""
    settings = config.evaluate
    scores: dict[str, dict[str, tuple[Matching, ...]]] = {"": {}, POST: {}}
    by_class: dict[str, dict[str, ClassMatching]] = {"": {}, POST: {}}
    for one in _compared(config, run, samples):
        for mark, labels in one.results():
            name = one.sample.name + mark
            picture = report.overlay(
                one.sample.image.array(),
                labels,
                truth=one.truth,
                threshold=settings.overlay,
                title=name,
            )
            io.write_png(run.results / "overlays" / f"{name}.png", picture)
            if one.truth is None:
                continue
            labels, truth = (cropped(a, settings.border_crop) for a in (labels, one.truth))
            scores[mark][one.sample.name] = matching(truth, labels, thresholds=settings.thresholds)
            _write_associations(config, run, name, one.sample, truth, labels)
            path = post_path(config, run, one.sample) if mark else None
            path = path or labels_path(config, run, one.sample)
            classes = scored_classes(config, one.sample, path, truth, labels)
            if classes is not None:
                by_class[mark][one.sample.name] = classes
    if not scores[""]:
        return
    table = report.matching_table(scores[""])
    report.show_matching(table, settings.thresholds, console)
    if scores[POST]:
        after = report.matching_table(scores[POST])
        report.show_matching(after, settings.thresholds, console, title="after post-processing")
        table = report.beside(table, after)
    _write_summary(run, table)
    for mark, found in by_class.items():
        write_class_scores(config, run, mark, found, console)


def _write_associations(
    config: Config, run: Run, name: str, sample: Sample, truth: np.ndarray, labels: np.ndarray
) -> None:
    """Who matches whom, at every threshold, as tables and, where asked for, in colours."""
    folder = run.results / "instance_associations"
    for threshold in config.evaluate.thresholds:
        tables = associations(truth, labels, threshold=threshold)
        io.write_csv(folder / f"{name}_th_{threshold:g}_gt_assoc.csv", tables.gt_assoc)
        io.write_csv(folder / f"{name}_th_{threshold:g}_fp.csv", tables.fp)
    for threshold in config.evaluate.coloured:
        picture = report.coloured(truth, labels, threshold=threshold)
        path = folder / f"{name}_th_{threshold:g}.tif"
        io.write_rgb_tiff(path, picture, spacing=sample.image.spacing)


def _compare_classes(config: Config, run: Run, samples: Sequence[Sample], console: Console) -> None:
    """Intersection over union of every class, per image and over all voxels."""
    options = semantic_options(config)
    number, ignore = options.classes, options.ignore
    names = config.semantic.names or tuple(map(str, range(number)))
    counts: dict[str, dict[str, ClassCounts]] = {"": {}, POST: {}}
    for one in _compared(config, run, samples):
        for mark, labels in one.results():
            name = one.sample.name + mark
            picture = report.class_overlay(
                one.sample.image.array(), labels, truth=one.truth, names=names, title=name
            )
            io.write_png(run.results / "overlays" / f"{name}.png", picture)
            if one.truth is None:
                continue
            labels, truth = (cropped(a, config.evaluate.border_crop) for a in (labels, one.truth))
            counts[mark][one.sample.name] = class_counts(
                truth, labels, classes=number, ignore=ignore
            )
    if not counts[""]:
        return
    table = _class_table(counts[""], names)
    if counts[POST]:
        table = report.beside(table, _class_table(counts[POST], names))
    report.show_classes(table, console)
    _write_summary(run, table)


def _class_table(counts: Mapping[str, ClassCounts], names: Sequence[str]) -> pd.DataFrame:
    """One row per image, and one for all voxels."""
    total = functools.reduce(ClassCounts.plus, counts.values())
    rows = [_class_row(name, names, iou(found)) for name, found in counts.items()]
    return pd.DataFrame([*rows, _class_row("all voxels", names, iou(total))])


def _class_row(file: str, names: Sequence[str], values: np.ndarray) -> dict[str, object]:
    """One row of the table; the mean leaves out classes that neither image has."""
    known = values[~np.isnan(values)]
    mean = float(known.mean()) if len(known) else float("nan")
    return {"file": file, "mean iou": mean} | {
        f"iou {name}": float(value) for name, value in zip(names, values, strict=True)
    }


def _write_summary(run: Run, table: pd.DataFrame) -> None:
    """All rows as CSV, the last one also as JSON."""
    io.write_csv(run.results / "test_results_metrics.csv", table)
    io.write_json(run.results / "summary.json", table.iloc[-1].to_dict())
