"""Objects of several classes as tables: how well each class is found, and told from the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from rich.console import Console

from jaxseg.metrics import ClassMatching, Matching, aggregate
from jaxseg.report.tables import POOLED, show_classes

SCORES = (
    "n_true",
    "n_pred",
    "tp",
    "fp",
    "fn",
    "precision",
    "recall",
    "f1",
    "accuracy",
    "panoptic_quality",
)
ANY = "any class"


def class_matching_table(
    results: Mapping[str, ClassMatching], names: Sequence[str], thresholds: Sequence[float]
) -> pd.DataFrame:
    """Matching statistics of every class, in every image and in all of them.

    Parameters
    ----------
    results : per image, at these thresholds
    names : of the classes, background first
    thresholds : of the intersection over union

    Returns
    -------
    one row per image, threshold and class, and the same for the objects of all images together.
    ``right_class``: of the true objects of the class that match any predicted one, the share whose
    partner is of this class; in the row of any class, the share of all that match. nan where there
    is no such object
    """
    rows = []
    for file, found in {**results, POOLED: _pooled(list(results.values()))}.items():
        for place, threshold in enumerate(thresholds):
            confusion, accuracy = found.confusion[place], found.accuracy()[place]
            head = {"file": file, "threshold": threshold}
            for number, one in enumerate(found.per_class, start=1):
                right, every = confusion[number, number], confusion[number].sum()
                share = right / every if every else np.nan
                rows.append({**head, "class": names[number], **_scores(one[place]),
                             "right_class": share})  # fmt: skip
            rows.append({**head, "class": ANY, "right_class": accuracy})
    return pd.DataFrame(rows)


def show_class_matching(
    table: pd.DataFrame, threshold: float, console: Console | None = None
) -> None:
    """Print the rows of all images together at the threshold nearest to one.

    Parameters
    ----------
    table : of :func:`class_matching_table`
    threshold : of the intersection over union
    console : where to print
    """
    total = table[table.file == POOLED]
    nearest = min(total.threshold.unique(), key=lambda value: abs(value - threshold))
    chosen = total[total.threshold == nearest]
    heads = {"class": f"at IoU {nearest:g}", "f1": "F1", "panoptic_quality": "PQ"}
    columns = ["class", "f1", "precision", "recall", "panoptic_quality", "right_class"]
    show_classes(chosen[columns].rename(columns=heads), console)


def _scores(found: Matching) -> dict[str, float]:
    return {name: getattr(found, name) for name in SCORES}


def _pooled(results: Sequence[ClassMatching]) -> ClassMatching:
    """All objects of all images."""
    classes = zip(*(found.per_class for found in results), strict=True)
    per_class = tuple(
        tuple(total.matching for total in aggregate(images, by_image=False)) for images in classes
    )
    return ClassMatching(per_class, np.sum([found.confusion for found in results], axis=0))
