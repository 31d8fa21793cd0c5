"""The task of finding synapses: pre- and postsynaptic sites, and which belong together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from rich.console import Console

from jaxseg import io, report
from jaxseg.blocks.stage import Step, Table
from jaxseg.config import Config
from jaxseg.data.truth import SITES
from jaxseg.errors import ConfigError
from jaxseg.geometry import Box
from jaxseg.io.synapses import SIDES, SynapseTable
from jaxseg.labels.balls import balls
from jaxseg.metrics.points import PointMatching, match_points, pooled_points
from jaxseg.metrics.synapses import match_pairs
from jaxseg.runs.division import DECODE
from jaxseg.runs.layout import Run, Work
from jaxseg.runs.results import Found
from jaxseg.stages.shown import Shown
from jaxseg.stages.synapses import synapse_files, synapse_steps
from jaxseg.tasks.comparing import EVALUATE
from jaxseg.tasks.point_scores import FIELDS, associated, write_tables
from jaxseg.tasks.showing import write_summary
from jaxseg.tasks.synapse_rules import synapse_rules
from jaxseg.tasks.synapse_truth import files_of, open_synapses, synapses_of
from jaxseg.tasks.task import Task

KINDS = (*SIDES, "pair")
# Of what every tolerance is about: the scores of sites of both sides and of pairs.
Scores = Mapping[str, PointMatching]


class ComparedSynapses(NamedTuple):
    """The synapses of an image, found and true.

    Parameters
    ----------
    work : which image
    tables : of the sites of both sides, as :mod:`jaxseg.stages.synapses` writes them
    found : the same as arrays
    truth : None = not known
    """

    work: Work
    tables: Mapping[str, pd.DataFrame]
    found: SynapseTable
    truth: SynapseTable | None


def _existing(work: Work) -> dict[str, Path]:
    """The tables of the sites of an image, which must be there."""
    paths = dict(zip(SIDES, synapse_files(work), strict=True))
    for path in paths.values():
        if not path.exists():
            raise ConfigError("no synapses were looked for in this image", where=path,
                              fix="--phases decode evaluate")  # fmt: skip
    return paths


def _step(work: Work, shown: Shown) -> Step:
    def gather(results: object) -> pd.DataFrame:
        tables = {side: pd.read_csv(path) for side, path in _existing(work).items()}
        return pd.concat(tables, names=["side", "row"])

    return Table(name="found synapses", phase=EVALUATE, needs=(), gather=gather)


def _files(work: Work, shown: Sequence[Shown]) -> dict[str, str]:
    found = {f"found {work.name} {side}": str(path) for side, path in _existing(work).items()}
    return files_of(work.sample) | found


def _gather(work: Work, shown: Shown, step: Step, results: Found) -> ComparedSynapses:
    frame, axes = results[step].frame, [f"axis-{axis}" for axis in range(work.config.ndim)]
    sides = frame.index.get_level_values("side")
    tables = {side: frame[sides == side].reset_index(drop=True) for side in SIDES}
    places = {side: table[axes].to_numpy(float) for side, table in tables.items()}
    ids = {side: table["index"].to_numpy(np.int64) for side, table in tables.items()}
    partner = tables["post"]["partner"].to_numpy(float).astype(np.int64)
    found = SynapseTable(places["pre"], ids["pre"], places["post"], ids["post"], partner)
    return ComparedSynapses(work, tables, found, synapses_of(work.sample))


def compare_synapses(
    config: Config, run: Run, results: Sequence[ComparedSynapses], console: Console
) -> None:
    """Precision, recall and F1 of sites and pairs at every tolerance, associations, pictures."""
    rows: dict[str, list[Scores]] = {}
    for one in results:
        scores = scores_of(one)
        io.write_png(run.overlay(one.work.name), _picture(one, scores))
        if scores:
            rows[one.work.name] = scores
        for found in scores:
            _write_associations(run, one, found)
    if not rows:
        return
    pooled = [
        {kind: pooled_points([scores[kind] for scores in column]) for kind in KINDS}
        for column in zip(*rows.values(), strict=True)
    ]
    table = pd.DataFrame(
        [_row(name, one) for name, one in (rows | {"all synapses": pooled}).items()]
    )
    shown = report.text_table("synapses found", console)
    for name in ("file", "within", "of", *FIELDS):
        shown.add_column(name)
    for name, several in (rows | {"all synapses": pooled}).items():
        for within in several:
            for kind, score in within.items():
                cells = [getattr(score, field) for field in FIELDS]
                shown.add_row(name, f"{score.tolerance:g} um", kind, *map(_text, cells))
    console.print(shown)
    write_summary(run, table)


def scores_of(one: ComparedSynapses) -> list[Scores]:
    """The scores at every tolerance; none where the truth is not known."""
    truth, found = one.truth, one.found
    if truth is None:
        return []
    several: list[Scores] = []
    for tolerance in one.work.config.detection.tolerances:
        near = {"tolerance": tolerance, "spacing": one.work.spacing}
        pre = match_points(truth.pre, found.pre, **near)  # type: ignore[arg-type]
        post = match_points(truth.post, found.post, **near)  # type: ignore[arg-type]
        pair = match_pairs(truth.pairs, found.pairs, pre=pre, post=post)
        several.append({"pre": pre, "post": post, "pair": pair})
    return several


def _text(cell: float) -> str:
    return f"{cell:.3f}" if isinstance(cell, float) else str(cell)


def _row(name: str, several: Sequence[Scores]) -> dict[str, object]:
    row: dict[str, object] = {"file": name}
    for scores in several:
        for kind, score in scores.items():
            begin = f"{score.tolerance:g} um {kind}"
            row |= {f"{begin} {field}": getattr(score, field) for field in FIELDS}
    return row


def _write_associations(run: Run, one: ComparedSynapses, scores: Scores) -> None:
    """Every true site and pair with the one that stands for it, and the spurious ones."""
    assert one.truth is not None
    axes = [f"axis-{axis}" for axis in range(one.work.config.ndim)]
    sides: dict[str, tuple[pd.DataFrame, pd.DataFrame]] = {}
    for side in SIDES:
        truth = pd.DataFrame(getattr(one.truth, side), columns=axes)
        truth.insert(0, "gt_id", getattr(one.truth, f"{side}_ids"))
        sides[side] = truth, one.tables[side]
    pairs = {}
    for which, table in (("true", one.truth), ("found", one.found)):
        rows, start = table.pairs, "gt_" if which == "true" else ""
        pairs[which] = pd.DataFrame(
            {f"{start}pre_id": table.pre_ids[rows[:, 0]],
             f"{start}post_id": table.post_ids[rows[:, 1]]}
        )  # fmt: skip
    for kind, (truth, found) in (sides | {"pair": (pairs["true"], pairs["found"])}).items():
        truth, spurious = associated(truth, found, scores[kind])
        tables = {f"{kind}_gt_assoc": truth, f"{kind}_fp": spurious}
        write_tables(run, one.work, scores[kind], tables)


def _picture(one: ComparedSynapses, several: Sequence[Scores]) -> np.ndarray:
    """The image with circles around sites, small ones around postsynaptic, and lines of pairs."""
    work = one.work
    tolerance, step = work.config.detection.tolerances[0], report.scale_of(work.shape).step
    reach = tolerance / work.spacing[0]

    def circles(table: SynapseTable) -> np.ndarray:
        planes = []
        for index in report.slice_indices(work.shape):
            box = Box((*index, 0, 0), (*(z + 1 for z in index), *work.shape[-2:]))
            pre, post = (
                balls(places, box, radius=radius, spacing=work.spacing)
                for places, radius in ((table.pre, tolerance), (table.post, tolerance / 2))
            )
            both = np.where(post > 0, len(table.pre) + post, pre)[..., ::step, ::step]
            planes.append(both[0] if index else both)
        return np.stack(planes) if len(work.shape) == 3 else planes[0]

    def lines(table: SynapseTable, rows: np.ndarray) -> np.ndarray:
        pre, post = table.pairs[rows].T
        return report.drawn_lines(table.post[post], table.pre[pre], work.shape, reach=reach)

    image = report.shown(work.sample.image, len(work.shape))
    slices = [index[0] for index in report.slice_indices(work.shape) if index]
    every = np.arange(len(one.found.pairs))
    if one.truth is None or not several:
        return report.point_overlay(image, circles(one.found), title=work.name, slices=slices,
                                    lines=[lines(one.found, every)])  # fmt: skip
    scores, counts = several[0], (len(one.truth.pre), len(one.found.pre))
    pairs = np.concatenate([scores["pre"].pairs, scores["post"].pairs + counts])
    right = scores["pair"].pairs
    missed = np.setdiff1d(np.arange(len(one.truth.pairs)), right[:, 0])
    marked = [
        lines(one.found, right[:, 1]),
        lines(one.found, np.setdiff1d(every, right[:, 1])),
        lines(one.truth, missed),
    ]
    title = f"{work.name}   F1 of pairs {scores['pair'].f1:.3f} within {tolerance:g} µm"
    return report.point_overlay(
        image, circles(one.found), truth=circles(one.truth), pairs=pairs, title=title,
        slices=slices, lines=marked,
    )  # fmt: skip


SYNAPSES = Task(
    name="synapses",
    truth=(SITES,),
    phases=(DECODE,),
    steps=synapse_steps,
    compare=compare_synapses,
    open=open_synapses,
    count=_step,
    files=_files,
    gather=_gather,
    rules=synapse_rules,
)
