"""Scores of found points against true ones: all of them, class by class, and who is who."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from jaxseg import io
from jaxseg.config import Config
from jaxseg.decoding.point_planes import class_count
from jaxseg.io.points import PointTable
from jaxseg.metrics.points import PointMatching, match_points, pooled_points
from jaxseg.runs.layout import Run, Work
from jaxseg.tasks.comparing import inside_of

FIELDS = ("f1", "precision", "recall", "mean_distance", "tp", "fp", "fn")
TOTAL = "all points"


class ComparedPoints(NamedTuple):
    """The points of an image, found and true.

    Parameters
    ----------
    work : which image
    table : rows of :func:`jaxseg.io.points.point_frame`
    found : the same points
    truth : None = not known
    """

    work: Work
    table: pd.DataFrame
    found: PointTable
    truth: PointTable | None


def scores_of(one: ComparedPoints) -> list[PointMatching]:
    """How well the points of an image agree, at every tolerance; none without truth.

    Points in the border that does not count are left out; pairs are rows of all points.
    """
    if one.truth is None:
        return []
    inside = [np.flatnonzero(counting(one.work, table.places)) for table in (one.truth, one.found)]
    return _matched(one, *inside)


def class_scores_of(one: ComparedPoints) -> list[list[PointMatching]]:
    """As :func:`scores_of` for the points of every class, from class 1; none without classes."""
    number = class_count(one.work.config.channels, one.work.config.ndim)
    if one.truth is None or number < 2:
        return []
    found = []
    for own in range(1, number + 1):
        rows = [np.flatnonzero(counting(one.work, table.places) & (table.classes == own))
                for table in (one.truth, one.found)]  # fmt: skip
        found.append(_matched(one, *rows))
    return found


def _matched(one: ComparedPoints, true: np.ndarray, found: np.ndarray) -> list[PointMatching]:
    """Scores of some rows."""
    assert one.truth is not None
    scores = []
    for tolerance in one.work.config.detection.tolerances:
        result = match_points(one.truth.places[true], one.found.places[found],
                              tolerance=tolerance, spacing=one.work.spacing)  # fmt: skip
        pairs = np.stack([true[result.pairs[:, 0]], found[result.pairs[:, 1]]], axis=1)
        scores.append(result._replace(pairs=pairs))
    return scores


def counting(work: Work, places: np.ndarray) -> np.ndarray:
    """Which points lie inside of the border that does not count, (n,) bool."""
    own = np.rint(places).astype(int)
    sides = [
        (own[:, axis] >= side.start) & (own[:, axis] < side.stop)
        for axis, side in enumerate(inside_of(work))
    ]
    return np.logical_and.reduce(sides)


def same_class(one: ComparedPoints, pairs: np.ndarray) -> tuple[int, int]:
    """How many pairs are of one class, and how many there are."""
    assert one.truth is not None
    true, found = one.truth.classes[pairs[:, 0]], one.found.classes[pairs[:, 1]]
    return int((true == found).sum()), len(pairs)


def score_table(
    config: Config, results: Sequence[ComparedPoints], scores: Mapping[str, list[PointMatching]]
) -> pd.DataFrame:
    """One row per image, and one for all points.

    Parameters
    ----------
    config : of the run
    results : of all images
    scores : of those whose truth is known, by name
    """
    known = [one for one in results if one.work.name in scores]
    rows = [_row(one.work.name, scores[one.work.name]) for one in known]
    pooled = [pooled_points(column) for column in zip(*scores.values(), strict=True)]
    rows.append(_row(TOTAL, pooled))
    if class_count(config.channels, config.ndim) > 1:
        for place, tolerance in enumerate(config.detection.tolerances):
            counts = [same_class(one, scores[one.work.name][place].pairs) for one in known]
            counts.append((sum(right for right, _ in counts), sum(every for _, every in counts)))
            for row, (right, every) in zip(rows, counts, strict=True):
                row[f"{tolerance:g} um class accuracy"] = right / every if every else np.nan
    return pd.DataFrame(rows)


def class_table(config: Config, scores: Mapping[str, list[list[PointMatching]]]) -> pd.DataFrame:
    """One row per image and class, and one per class for all points; empty without classes."""
    numbers = range(1, class_count(config.channels, config.ndim) + 1)
    names = config.semantic.names[1:] or tuple(map(str, numbers))
    rows = [
        {"file": file, "class": names[place]} | _row("", found)
        for file, per_class in scores.items()
        for place, found in enumerate(per_class)
    ]
    for place, name in enumerate(names):
        own = [per_class[place] for per_class in scores.values() if per_class]
        if own:
            pooled = [pooled_points(column) for column in zip(*own, strict=True)]
            rows.append({"file": TOTAL, "class": name} | _row("", pooled))
    return pd.DataFrame(rows)


def _row(name: str, scores: Sequence[PointMatching]) -> dict[str, object]:
    row: dict[str, object] = {"file": name} if name else {}
    for found in scores:
        begin = f"{found.tolerance:g} um"
        for field in FIELDS:
            row[f"{begin} {field}"] = getattr(found, field)
    return row


def write_associations(run: Run, one: ComparedPoints, found: PointMatching) -> None:
    """Every true point with the one that stands for it, and the spurious ones.

    The tag is TP or FN, or NC for a point in the border that does not count.
    """
    assert one.truth is not None
    axes = [f"axis-{axis}" for axis in range(one.work.config.ndim)]
    truth = pd.DataFrame(one.truth.places, columns=axes)
    truth.insert(0, "gt_id", np.arange(len(truth)))
    truth, spurious = associated(truth, one.table, found)
    truth.loc[~counting(one.work, one.truth.places), "tag"] = "NC"
    if class_count(one.work.config.channels, one.work.config.ndim) > 1:
        theirs = np.append(one.found.classes, 0)[truth.pred_id]
        truth = truth.assign(**{"class": one.truth.classes, "pred_class": theirs})
    spurious = spurious[counting(one.work, one.found.places)[spurious.index]]
    write_tables(run, one.work, found, {"gt_assoc": truth, "fp": spurious})


def associated(
    truth: pd.DataFrame, found: pd.DataFrame, score: PointMatching
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """True rows with what stands for them, and the found rows that stand for none.

    Parameters
    ----------
    truth : one row per true point or pair
    found : one row per found one, with the ids ``index``, or ``pre_id`` and ``post_id``
    score : which rows belong together
    """
    ids = [name for name in ("index", "pre_id", "post_id") if name in found]
    matched = found[ids].iloc[score.pairs[:, 1]].set_axis(score.pairs[:, 0])
    new = [f"pred_{name}".replace("index", "id") for name in ids]
    matched = matched.set_axis(new, axis=1).reindex(range(len(truth)), fill_value=-1)
    distances = pd.Series(score.distances, index=score.pairs[:, 0]).reindex(range(len(truth)))
    tags = np.where(distances.notna(), "TP", "FN")
    spurious = np.setdiff1d(np.arange(len(found)), score.pairs[:, 1])
    return truth.join(matched).assign(distance_um=distances, tag=tags), found.iloc[spurious]


def write_tables(
    run: Run, work: Work, score: PointMatching, tables: Mapping[str, pd.DataFrame]
) -> None:
    """Write tables about an image at a tolerance, by the ends of their names."""
    begin = run.point_associations(work.name)
    for end, table in tables.items():
        name = f"{begin.name}_within_{score.tolerance:g}um_{end}.csv"
        io.write_csv(begin.with_name(name), table)
