"""What the evaluations of all tasks write and show."""

from __future__ import annotations

import numpy as np
import pandas as pd

from jaxseg import io, report
from jaxseg.config import Config
from jaxseg.config.channels import Semantic
from jaxseg.runs.layout import Run
from jaxseg.tasks.comparing import Compared


def semantic_options(config: Config) -> Semantic:
    """The options of S, which the configuration has."""
    return next(c.options for c in config.channels if isinstance(c.options, Semantic))


def shown(one: Compared) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """What pictures show of the image, the decoded and the true labels."""
    image, ndim = one.sample.image, one.work.config.ndim
    truth = report.shown(one.sample.labels, ndim) if one.sample.labels is not None else None
    return report.shown(image, ndim), report.shown(one.labels, ndim), truth


def write_summary(run: Run, table: pd.DataFrame) -> None:
    """All rows as CSV, the last one also as JSON."""
    io.write_csv(run.metrics, table)
    io.write_json(run.summary, table.iloc[-1].to_dict(), shared=True)
