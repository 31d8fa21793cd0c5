"""The record of a run: one row per epoch, as CSV, JSON lines and pictures."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from jaxseg.io import atomic_path, write_csv, write_text
from jaxseg.train.step import weighted

Row = Mapping[str, Any]


def plain(logs: Mapping[str, Any]) -> dict[str, Any]:
    """Logs of one step as plain data, exact in JSON: single precision is kept as it is."""
    sums = {
        group: {name: [float(part) for part in parts] for name, parts in logs[group].items()}
        for group in ("parts", "metrics")
    }
    return {name: float(logs[name]) for name in ("loss", "norm") if name in logs} | sums


def quotients(logs: Sequence[Mapping[str, Any]], group: str) -> dict[str, float | None]:
    """Every part or metric over several batches: the sum of numerators by that of denominators.

    >>> quotients([{"parts": {"F": [1.0, 2.0]}}, {"parts": {"F": [5.0, 2.0]}}], "parts")
    {'F': 1.5}
    """
    found = {}
    for name in logs[0][group]:
        numerator, denominator = np.sum([log[group][name] for log in logs], axis=0)
        found[name] = float(numerator / denominator) if denominator else None
    return found


def row(
    train: Sequence[Mapping[str, Any]],
    validation: Sequence[Mapping[str, Any]],
    weights: Mapping[str, float],
) -> dict[str, float | None]:
    """The columns that an epoch's batches give.

    Parameters
    ----------
    train : logs of the steps, from :func:`plain`
    validation : the same of the validation batches
    weights : of the parts in the total loss

    Returns
    -------
    ``loss``, ``norm``, ``loss_<part>`` and ``<metric>`` of training, averaged over changing
    parameters, and the same without norm and with ``val_`` in front of validation; None where
    nothing was counted or the number is not finite
    """
    seen, held = quotients(train, "parts"), quotients(validation, "parts")
    values = {
        "loss": float(np.mean([log["loss"] for log in train])),
        "val_loss": weighted({name: value or 0.0 for name, value in held.items()}, weights),
        "norm": float(np.mean([log["norm"] for log in train])),
        **{f"loss_{name}": value for name, value in seen.items()},
        **{f"val_loss_{name}": value for name, value in held.items()},
        **quotients(train, "metrics"),
        **{f"val_{name}": value for name, value in quotients(validation, "metrics").items()},
    }
    return {name: value if _is_finite(value) else None for name, value in values.items()}


def line(row: Row, epochs: int) -> str:
    """One epoch for a person to read."""
    values = {
        name: value
        for name, value in row.items()
        if name in ("loss", "val_loss") or (name.startswith("val_") and "loss" not in name)
    }
    text = "  ".join(f"{name} {value:.4f}" for name, value in values.items() if value is not None)
    best = " *" if row["best"] else "  "
    end = f"lr {row['lr']:.1e}  {row['seconds']:.1f} s"
    return f"epoch {row['epoch']:>4}/{epochs}{best} {text}  {end}"


def write(folder: Path, rows: Sequence[Row]) -> None:
    """Write ``log.csv`` and ``log.jsonl`` anew; what is None is empty or null there."""
    write_csv(folder / "log.csv", pd.DataFrame(rows))
    write_text(folder / "log.jsonl", "".join(json.dumps(row) + "\n" for row in rows))


def _is_finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def draw(folder: Path, rows: Sequence[Row]) -> None:
    """Write one PNG for the loss, its parts, and each metric, training and validation together."""
    # Not before something is drawn: it takes a while.
    from matplotlib.figure import Figure

    names = [name.removeprefix("val_") for name in rows[0] if name.startswith("val_")]
    for name in names:
        figure = Figure(figsize=(6, 4), layout="constrained")
        axes = figure.add_subplot(xlabel="epoch", ylabel=name)
        for column, label in ((name, "training"), (f"val_{name}", "validation")):
            values = [math.nan if row[column] is None else row[column] for row in rows]
            axes.plot([row["epoch"] for row in rows], values, label=label)
        if name.startswith("loss") and all((row[f"val_{name}"] or 0) > 0 for row in rows):
            axes.set_yscale("log")
        axes.grid(alpha=0.3)
        axes.legend()
        with atomic_path(folder / f"{re.sub(r'[^A-Za-z0-9._-]', '_', name)}.png") as partial:
            figure.savefig(partial, format="png", dpi=120)
