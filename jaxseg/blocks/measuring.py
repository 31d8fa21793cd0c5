"""Measurements by blocks: every block adds what it sees, and the sums are those of the whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from jaxseg.blocks.engine import Work
from jaxseg.blocks.ledger import Ledger, open_ledger, record_of, require
from jaxseg.blocks.store import read_table, write_table
from jaxseg.geometry import Box
from jaxseg.measure import MARGIN, Part, measure_part, measured

STAGE = "measurements"
ReadBox = Callable[[Box], np.ndarray]


def open_measurements(folder: Path, labels: Ledger, values: Mapping[str, Any]) -> Ledger:
    """Begin to measure, or go on with it.

    Raises
    ------
    ConfigError : blocks of the labels are missing; they are named
    """
    require(labels)
    return open_ledger(folder, STAGE, labels.grid, {**values, "labels": labels.digest})


def measuring_work(
    ledger: Ledger, labels: ReadBox, image: ReadBox, *, spacing: Sequence[float]
) -> Work:
    """The function that measures the objects in one block.

    Parameters
    ----------
    ledger : of :func:`open_measurements`
    labels, image : read a box in the volume, (*box.shape) and (*box.shape, C)
    spacing : µm per voxel, (z)yx
    """
    shape = ledger.grid.shape

    def work(number: int) -> dict[str, Any]:
        core = ledger.grid[number].core
        around = core.grown((MARGIN,) * len(shape), shape)
        before = [MARGIN - (a - b) for a, b in zip(core.start, around.start, strict=True)]
        after = [MARGIN - (b - a) for a, b in zip(core.stop, around.stop, strict=True)]
        found = measure_part(
            np.pad(labels(around), list(zip(before, after, strict=True))),
            core.start,
            [stop == n for stop, n in zip(core.stop, shape, strict=True)],
            spacing=spacing,
            intensity=image(core),
        )
        written = write_table(ledger, number, found._asdict()) if len(found.ids) else ""
        return {"objects": len(found.ids), "tables": written}

    return work


def measurements(ledger: Ledger, *, channels: int, spacing: Sequence[float]) -> pd.DataFrame:
    """The table of all objects, see :func:`jaxseg.measure.measure`.

    Raises
    ------
    ConfigError : blocks are missing; they are named
    """
    require(ledger)
    return measured(_parts(ledger, channels, spacing), spacing=spacing)


def _parts(ledger: Ledger, channels: int, spacing: Sequence[float]) -> Iterator[Part]:
    """The stored parts, after one without objects, which says what the columns are."""
    ndim = len(ledger.grid.shape)
    nothing = np.zeros((2 * MARGIN + 1,) * ndim, np.uint16)
    blank = np.zeros((1,) * ndim + (channels,), np.float32)
    yield measure_part(nothing, (0,) * ndim, (True,) * ndim, spacing=spacing, intensity=blank)
    for number in range(len(ledger.grid)):
        if record_of(ledger, number)["objects"]:
            yield Part(**read_table(ledger, number))
