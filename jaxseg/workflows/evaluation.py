"""The evaluation phase: decoded labels against the true ones, as tables and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from rich.console import Console

from jaxseg import io, report, runs
from jaxseg.config import Config
from jaxseg.config.channels import Semantic
from jaxseg.data import Sample
from jaxseg.errors import ConfigError
from jaxseg.metrics import (
    ClassMatching,
    associations,
    class_counts,
    cropped,
    iou,
    matching,
    matching_by_class,
    without_unknown,
)
from jaxseg.runs import Run
from jaxseg.workflows.decoding import classes_path, labels_path
from jaxseg.workflows.inputs import Samples


def evaluate_images(config: Config, run: Run, samples: Samples) -> None:
    """Compare every test image that has labels; draw all of them."""
    runs.claim(run, "evaluate", config)
    console = Console(width=None if Console().is_terminal else 120)
    compare = _compare_classes if config.task == "semantic" else _compare_instances
    compare(config, run, samples["test"], console)
    console.print(f"results: {run.results}", soft_wrap=True)


def _pairs(
    config: Config, run: Run, samples: Sequence[Sample]
) -> list[tuple[Sample, np.ndarray, np.ndarray | None]]:
    """Every sample with its decoded labels and, where given, the true ones."""
    found = []
    for sample in samples:
        path = labels_path(config, run, sample)
        if not path.exists():
            raise ConfigError(
                "this image was not decoded", file=path, fix="--phases decode evaluate"
            )
        labels = io.open_labels(path, ndim=config.ndim).array()
        truth = sample.labels.array() if sample.labels else None
        if truth is not None and config.data.ignore != -1:
            truth, labels = without_unknown(truth, labels, truth == config.data.ignore)
        found.append((sample, labels, truth))
    return found


def _compare_instances(
    config: Config, run: Run, samples: Sequence[Sample], console: Console
) -> None:
    """Matching statistics, associations, and outlines of what was found and missed."""
    settings, results, by_class = config.evaluate, {}, {}
    for sample, labels, truth in _pairs(config, run, samples):
        picture = report.overlay(
            sample.image.array(), labels, truth=truth, threshold=settings.overlay, title=sample.name
        )
        io.write_png(run.results / "overlays" / f"{sample.name}.png", picture)
        if truth is None:
            continue
        labels, truth = (cropped(array, settings.border_crop) for array in (labels, truth))
        results[sample.name] = matching(truth, labels, thresholds=settings.thresholds)
        _write_associations(config, run, sample.name, truth, labels)
        if sample.classes is not None:
            by_class[sample.name] = _objects_by_class(config, run, sample, truth, labels)
    if not results:
        return
    table = report.matching_table(results)
    report.show_matching(table, settings.thresholds, console)
    _write_summary(run, table)
    if by_class:
        _write_by_class(config, run, by_class, console)


def _objects_by_class(
    config: Config, run: Run, sample: Sample, truth: np.ndarray, labels: np.ndarray
) -> ClassMatching:
    """Matching within every class, of images that were cropped already."""
    path, options = classes_path(labels_path(config, run, sample)), _semantic(config)
    assert sample.classes is not None  # the caller looked
    true_classes, classes = (
        cropped(volume.array(), config.evaluate.border_crop)
        for volume in (sample.classes, io.open_labels(path, ndim=config.ndim))
    )
    return matching_by_class(
        truth,
        labels,
        true_classes=true_classes,
        classes=classes,
        number=options.classes,
        ignore=options.ignore,
        thresholds=config.evaluate.thresholds,
    )


def _write_by_class(
    config: Config, run: Run, results: Mapping[str, ClassMatching], console: Console
) -> None:
    """Scores of every class, as a table and on the console."""
    names = config.semantic.names or tuple(map(str, range(_semantic(config).classes)))
    table = report.class_matching_table(results, names, config.evaluate.thresholds)
    report.show_class_matching(table, config.evaluate.overlay, console)
    io.write_csv(run.results / "class_metrics.csv", table)


def _semantic(config: Config) -> Semantic:
    """The options of S; the configuration was checked."""
    return next(c.options for c in config.channels if isinstance(c.options, Semantic))


def _write_associations(
    config: Config, run: Run, name: str, truth: np.ndarray, labels: np.ndarray
) -> None:
    """Who matches whom, at every threshold."""
    folder = run.results / "instance_associations"
    for threshold in config.evaluate.thresholds:
        tables = associations(truth, labels, threshold=threshold)
        io.write_csv(folder / f"{name}_th_{threshold:g}_gt_assoc.csv", tables.gt_assoc)
        io.write_csv(folder / f"{name}_th_{threshold:g}_fp.csv", tables.fp)


def _compare_classes(config: Config, run: Run, samples: Sequence[Sample], console: Console) -> None:
    """Intersection over union of every class, per image and over all voxels."""
    options = _semantic(config)
    number, ignore = options.classes, options.ignore
    names = config.semantic.names or tuple(map(str, range(number)))
    rows, total = [], None
    for sample, labels, truth in _pairs(config, run, samples):
        picture = report.class_overlay(
            sample.image.array(), labels, truth=truth, names=names, title=sample.name
        )
        io.write_png(run.results / "overlays" / f"{sample.name}.png", picture)
        if truth is None:
            continue
        labels, truth = (cropped(array, config.evaluate.border_crop) for array in (labels, truth))
        counts = class_counts(truth, labels, classes=number, ignore=ignore)
        rows.append(_class_row(sample.name, names, iou(counts)))
        total = counts if total is None else total.plus(counts)
    if total is None:
        return
    table = pd.DataFrame([*rows, _class_row("all voxels", names, iou(total))])
    report.show_classes(table, console)
    _write_summary(run, table)


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
