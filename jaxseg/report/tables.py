"""Metrics of all images as one table, and its last rows on the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from jaxseg.metrics import Matching, aggregate

SHOWN = ("precision", "recall", "f1", "accuracy", "panoptic_quality", "n_true", "n_pred")


def matching_row(file: str, results: Sequence[Matching]) -> dict[str, Any]:
    """One row of the table of metrics: ``file``, then ``0.5 TH f1`` and its like."""
    row: dict[str, Any] = {"file": file}
    for result in results:
        values = result._asdict()
        threshold = values.pop("thresh")
        row |= {f"{threshold:g} TH {name}": value for name, value in values.items()}
    return row


def matching_table(results: Mapping[str, Sequence[Matching]]) -> pd.DataFrame:
    """Matching statistics of every image, then of all together.

    Parameters
    ----------
    results : name of the image to the result of :func:`jaxseg.metrics.matching`

    Returns
    -------
    one row per image; ``mean of images`` (scores averaged over images with objects, counts summed);
    ``all objects`` (scores of the summed counts)
    """
    images = list(results.values())
    rows = [matching_row(name, result) for name, result in results.items()]
    for name, by_image in (("mean of images", True), ("all objects", False)):
        together = aggregate(images, by_image=by_image)
        rows.append(matching_row(name, [item.matching for item in together]))
    return pd.DataFrame(rows)


def show_matching(table: pd.DataFrame, thresholds: Sequence[float], console: Console) -> None:
    """Print the statistics of every image at every threshold."""
    for threshold in thresholds:
        shown = Table(title=f"objects at IoU {threshold:g}")
        shown.add_column("image")
        for name in SHOWN:
            shown.add_column(name.replace("panoptic_quality", "PQ"), justify="right")
        for _, row in table.iterrows():
            values = [row[f"{threshold:g} TH {name}"] for name in SHOWN]
            shown.add_row(str(row["file"]), *map(_text, values))
        console.print(shown)


def show_classes(table: pd.DataFrame, console: Console) -> None:
    """Print the IoU of every class of every image."""
    shown = Table(title="IoU per class")
    for name in table.columns:
        shown.add_column(str(name), justify="left" if name == "file" else "right")
    for _, row in table.iterrows():
        shown.add_row(str(row["file"]), *map(_text, row.iloc[1:]))
    console.print(shown)


def _text(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) and not value.is_integer() else f"{value:g}"
