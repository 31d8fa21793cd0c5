"""Classes of objects within the phases: in the tables, as images, and compared with the true ones.

All of it does nothing unless classes are learned beside instances.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console

from jaxseg import io, report
from jaxseg.channels import has_both
from jaxseg.config import Config
from jaxseg.config.channels import Semantic
from jaxseg.labels.votes import Votes, painted
from jaxseg.metrics import ClassMatching, matching_by_class
from jaxseg.runs.manifest import Run


def semantic_options(config: Config) -> Semantic:
    """The options of S, which the configuration has."""
    return next(c.options for c in config.channels if isinstance(c.options, Semantic))


def classes_path(labels: Path) -> Path:
    """Where the classes of objects are, as an image beside the objects."""
    return labels.with_name(f"{labels.stem}_classes{labels.suffix}")


def write_classes(
    config: Config,
    path: Path,
    labels: np.ndarray,
    table: pd.DataFrame,
    *,
    spacing: Sequence[float],
) -> None:
    """Write the classes of objects as an image.

    Parameters
    ----------
    config : of the run
    path : of the image of the objects
    labels : (*S) objects, all in the table
    table : one row per object, with its class
    spacing : size of a voxel, (z)yx, µm
    """
    if has_both(config.channels):
        votes = Votes(table["label"].to_numpy(), table["class"].to_numpy(np.int64))
        io.write_labels_tiff(classes_path(path), painted(labels, votes), spacing=spacing)


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
    io.write_csv(run.results / f"class_metrics{mark}.csv", table)
