"""The evaluation phase: decoded labels against the true ones, as tables and pictures."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console

from jaxseg import blocks, io, report
from jaxseg.config import Config
from jaxseg.data import Sample
from jaxseg.geometry import Box
from jaxseg.labels import tally
from jaxseg.labels.tally import merged
from jaxseg.labels.unknown import cleared, hidden_objects
from jaxseg.metrics import (
    ClassCounts,
    ClassMatching,
    Matching,
    associations,
    class_counts,
    iou,
    matching,
)
from jaxseg.runs import manifest as runs
from jaxseg.runs.manifest import Run
from jaxseg.workflows.blocks import grid_of, is_complete, stage_folder, version_of
from jaxseg.workflows.comparing import POST, Compared, Counted, compared, marks
from jaxseg.workflows.inputs import Samples
from jaxseg.workflows.object_classes import (
    scored_classes,
    semantic_options,
    write_class_scores,
)
from jaxseg.workflows.stages import run_here_or_there


def evaluate_images(config: Config, run: Run, samples: Samples) -> None:
    """Compare every test image that has labels; draw all of them."""
    images = [
        (sample, mark, compared(config, run, sample, mark))
        for sample in samples["test"]
        for mark in marks(config, run, sample)
    ]
    runs.claim(run, "evaluate", config, _versions(images))
    found = [_counted(config, run, *image) for image in images]
    whole = [one for one in found if one is not None]
    if len(whole) < len(found):
        return
    console = Console(width=None if Console().is_terminal else 120)
    compare = _compare_classes if config.task == "semantic" else _compare_instances
    compare(config, run, whole, console)
    console.print(f"results: {run.results}", soft_wrap=True)


@dataclass(frozen=True)
class _Result:
    """What is known of an image once all its voxels are counted.

    Parameters
    ----------
    sample, mark : which image, and which of its results
    images : to read parts for pictures
    every, inner : all combinations of labels, and those that count; voxels that nobody looked at
        and objects hidden by them are background
    ignore : label of such voxels
    hidden : ids of such objects
    """

    sample: Sample
    mark: str
    images: Compared
    every: Counted
    inner: Counted
    ignore: int
    hidden: np.ndarray

    @property
    def name(self) -> str:
        """Of the files about it."""
        return self.sample.name + self.mark

    def cleared(self, truth: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A part of both images without what is not known."""
        return cleared(truth, labels, truth == self.ignore, self.hidden)


def _versions(images: Sequence[tuple[Sample, str, Compared]]) -> dict[str, str]:
    """The versions of all that is compared and drawn."""
    paths = {f"image {sample.name}": sample.image.path for sample, *_ in images}
    paths |= {f"labels {sample.name}": sample.labels.path for sample, *_ in images if sample.labels}
    paths |= {f"objects {sample.name}{mark}": one.labels.path for sample, mark, one in images}
    return runs.input_versions(paths)


def _version(images: Compared) -> dict[str, Any]:
    """What tells one version of the images from another."""
    truth = {"truth": runs.input_version(images.truth.path)} if images.truth else {}
    return version_of(images.labels) | truth


def _counted(
    config: Config, run: Run, sample: Sample, mark: str, images: Compared
) -> _Result | None:
    """Count the voxels of an image; None if other jobs have not done their part."""
    if config.blocks.decodes:
        values = {"border_crop": config.evaluate.border_crop, **_version(images)}
        stage = f"overlaps{mark}"
        grid = grid_of(config, images.shape)
        ledger = blocks.open_tallies(stage_folder(run, stage, sample), stage, grid, values)
        run_here_or_there(config, run, sample, stage)
        if not is_complete(ledger):
            return None
        rows = Counted.of(blocks.tallied(ledger))
    else:
        slabs = (Box(*corners) for corners in images.labels.slabs())
        rows = Counted.of(merged(tally(*images.read(slab)) for slab in slabs))
    ignore = config.data.ignore
    unknown = rows.truth == ignore
    hidden = hidden_objects(rows.labels, unknown, voxels=rows.voxels)
    truth, labels = cleared(rows.truth, rows.labels, unknown, hidden)
    rows = rows._replace(truth=truth, labels=labels)
    return _Result(sample, mark, images, rows, rows.without_border(), ignore, hidden)


def _compare_instances(
    config: Config, run: Run, results: Sequence[_Result], console: Console
) -> None:
    """Matching statistics, associations, and outlines of what was found and missed."""
    thresholds = config.evaluate.thresholds
    scores: dict[str, dict[str, tuple[Matching, ...]]] = {"": {}, POST: {}}
    by_class: dict[str, dict[str, ClassMatching]] = {"": {}, POST: {}}
    for one in results:
        io.write_png(run.results / "overlays" / f"{one.name}.png", _outlines(config, one))
        if one.images.truth is None:
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
    report.show_matching(table, thresholds, console)
    if scores[POST]:
        after = report.matching_table(scores[POST])
        report.show_matching(after, thresholds, console, title="after post-processing")
        table = report.beside(table, after)
    _write_summary(run, table)
    for mark, found in by_class.items():
        write_class_scores(config, run, mark, found, console)


def _outlines(config: Config, one: _Result) -> np.ndarray:
    """The picture of some slices, judged by the whole."""
    raw, labels, truth = _shown(config, one)
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
        slices=[index[0] for index in report.slice_indices(one.images.shape) if index],
    )


def _shown(config: Config, one: _Result) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """What pictures show of the image, the decoded and the true labels."""
    images, ndim = one.images, config.ndim
    truth = report.shown(images.truth, ndim) if images.truth is not None else None
    return report.shown(one.sample.image, ndim), report.shown(images.labels, ndim), truth


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


def _write_associations(config: Config, run: Run, one: _Result) -> None:
    """Who matches whom, at every threshold, as tables and, where asked for, in colours."""
    folder, rows = run.results / "instance_associations", one.inner
    for threshold in config.evaluate.thresholds:
        tables = associations(rows.truth, rows.labels, threshold=threshold, voxels=rows.voxels)
        io.write_csv(folder / f"{one.name}_th_{threshold:g}_gt_assoc.csv", tables.gt_assoc)
        io.write_csv(folder / f"{one.name}_th_{threshold:g}_fp.csv", tables.fp)
    for threshold in config.evaluate.coloured:
        path = folder / f"{one.name}_th_{threshold:g}.tif"
        picture, spacing = _coloured(one, threshold), one.sample.image.spacing
        io.write_rgb_tiff(path, picture, spacing=spacing, shared=True)


def _coloured(one: _Result, threshold: float) -> _Drawn:
    """The labels in colours, without the border that does not count."""
    rows, sides = one.inner, one.images.inside
    verdict = report.judged(rows.truth, rows.labels, threshold=threshold, voxels=rows.voxels)

    def draw(box: Box) -> np.ndarray:
        moved = box.relative_to(tuple(-side.start for side in sides))
        truth, labels, *_ = one.images.read(moved)
        return report.coloured(*one.cleared(truth, labels), verdict=verdict)

    shape = tuple(side.stop - side.start for side in sides)
    depth = getattr(one.images.labels.data, "chunks", (1,))[0]
    return _Drawn((*shape, 3), (depth, *shape[1:], 3), draw)


def _compare_classes(
    config: Config, run: Run, results: Sequence[_Result], console: Console
) -> None:
    """Intersection over union of every class, per image and over all voxels."""
    options = semantic_options(config)
    names = config.semantic.names or tuple(map(str, range(options.classes)))
    counts: dict[str, dict[str, ClassCounts]] = {"": {}, POST: {}}
    for one in results:
        raw, labels, truth = _shown(config, one)
        picture = report.class_overlay(raw, labels, truth=truth, names=names, title=one.name)
        io.write_png(run.results / "overlays" / f"{one.name}.png", picture)
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
    io.write_json(run.results / "summary.json", table.iloc[-1].to_dict(), shared=True)
