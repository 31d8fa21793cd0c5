"""Metrics as tables: one row per image, rows for all of them, and a short form to print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table

from jaxseg.metrics import Aggregate, Matching, aggregate

# Rows that stand for all images.
MEAN, POOLED = "mean of images", "all objects"
# What is printed of a Matching, and its heading.
SCORES = {
    "f1": "F1",
    "precision": "precision",
    "recall": "recall",
    "accuracy": "accuracy",
    "panoptic_quality": "PQ",
}
COUNTS = {"tp": "TP", "fp": "FP", "fn": "FN"}


def matching_table(results: Mapping[str, Sequence[Matching]]) -> pd.DataFrame:
    """Matching statistics of every image and of all of them.

    Parameters
    ----------
    results : for every image, a Matching per threshold, the same thresholds for all

    Returns
    -------
    one row per image and two more: ``mean of images``, whose scores are means over the images that
    have objects, and ``all objects``, whose scores follow from the summed counts. Columns:
    ``file``; ``images``, how many of them the scores stand for; per threshold ``<t> TH <name>``,
    with the names of :class:`jaxseg.metrics.Matching`, e.g. ``0.5 TH f1``. Scores of an image
    without objects, true or predicted, are nan
    """
    images = list(results.values())
    rows = [
        {"file": name, "images": int(any(m.n_true + m.n_pred for m in found))} | _flat(found)
        for name, found in results.items()
    ]
    for name, by_image in ((MEAN, True), (POOLED, False)):
        found = aggregate(images, by_image=by_image)
        rows.append({"file": name, "images": _used(found)} | _flat([a.matching for a in found]))
    return pd.DataFrame(rows)


def beside(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Scores before and after post-processing, side by side.

    Parameters
    ----------
    before, after : tables of the same rows, ``file`` first

    Returns
    -------
    the first table, then the columns of the second but ``file``: ``0.5 TH f1`` becomes ``0.5 TH
    (post) f1``, any other name gets ``(post)`` in front

    >>> one = pd.DataFrame({"file": ["a"], "0.5 TH f1": [0.5], "images": [1]})
    >>> beside(one, one).columns.tolist()[3:]
    ['0.5 TH (post) f1', '(post) images']
    """
    names = {
        name: name.replace(" TH ", " TH (post) ") if " TH " in name else f"(post) {name}"
        for name in map(str, after.columns)
    }
    return pd.concat([before, after.rename(columns=names).iloc[:, 1:]], axis=1)


def _flat(found: Sequence[Matching]) -> dict[str, float]:
    """All statistics of an image in one row."""
    return {
        f"{one.thresh:g} TH {name}": value
        for one in found
        for name, value in one._asdict().items()
        if name != "thresh"
    }


def _used(found: Sequence[Aggregate]) -> int:
    return max((one.n_used for one in found), default=0)


def show_matching(
    table: pd.DataFrame,
    thresholds: Sequence[float],
    console: Console | None = None,
    *,
    title: str = "",
) -> None:
    """Print the rows for all images, a line per threshold and way to put images together.

    Parameters
    ----------
    table : of :func:`matching_table`
    thresholds : those of the table
    console : where to print; without colours and drawn lines when it is no terminal
    title : what the objects are, if not those that were decoded
    """
    console = console or Console()
    totals = {str(row["file"]): row for row in table.tail(2).to_dict("records")}
    number = len(table) - 2
    heading = f"objects of {number} image{'s' * (number != 1)}"
    printed = text_table(f"{heading}, {title}" if title else heading, console)
    for name in ("IoU", "scores of"):
        printed.add_column(name, no_wrap=True)
    for name in (*SCORES.values(), *COUNTS.values()):
        printed.add_column(name, justify="right", no_wrap=True)
    for threshold in thresholds:
        for scope in (POOLED, MEAN):
            row = totals[scope]
            scores = (f"{row[f'{threshold:g} TH {name}']:.3f}" for name in SCORES)
            counts = (f"{row[f'{threshold:g} TH {name}']:.0f}" for name in COUNTS)
            printed.add_row(f"{threshold:g}", scope, *scores, *counts)
    console.print(printed)
    skipped = number - totals[MEAN]["images"]
    if skipped:
        console.print(f"{skipped} without any object, not in the mean of images")


def show_classes(table: pd.DataFrame, console: Console | None = None) -> None:
    """Print a table of class scores, one line per image and a last one for all voxels.

    Parameters
    ----------
    table : ``file``, then scores
    console : where to print; without colours and drawn lines when it is no terminal
    """
    console = console or Console()
    first, *scores = table.columns
    printed = text_table("classes", console)
    printed.add_column(str(first), overflow="fold")
    for name in scores:
        printed.add_column(str(name), justify="right", no_wrap=True)
    for number, row in enumerate(table.itertuples(index=False), start=1):
        values = (f"{value:.3f}" for value in row[1:])
        printed.add_row(str(row[0]), *values, end_section=number == len(table) - 1)
    console.print(printed)


def text_table(title: str, console: Console) -> Table:
    """An empty table; nothing but text where the output is no terminal."""
    if console.is_terminal:
        return Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    return Table(title=title, box=None, pad_edge=False, title_justify="left")
