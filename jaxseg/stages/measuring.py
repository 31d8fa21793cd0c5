"""Measurements: every block adds what it sees, and the sums are those of the whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from jaxseg.blocks import Block, BlockGrid
from jaxseg.blocks.stage import NOTHING, Arrays, Made, Noted, Result, Results, Stage
from jaxseg.config.properties import Measured
from jaxseg.measurements import MARGIN, Part, measure, measure_part, measured
from jaxseg.volume import Volume


def measurements(
    labels: Stage,
    image: Volume,
    grid: BlockGrid,
    *,
    name: str = "measurements",
    extra: Sequence[Measured] = (),
    reads: Mapping[str, str | Path] = NOTHING,
) -> Stage:
    """The stage that measures objects.

    Parameters
    ----------
    labels : wrote the objects
    image : (*S, C) intensities
    grid : the blocks
    name, reads : of the stage
    extra : further measurements of an image that is one block, see
        :func:`jaxseg.measurements.measure`
    """
    spacing = image.spacing

    def work(block: Block, results: Results, known: Arrays) -> Made:
        if len(grid) == 1:
            return Made(note=lambda: _of_whole(results[labels].array, image, extra))
        return Made(note=lambda: _of_block(block, results[labels]))

    def _of_block(block: Block, objects: Result) -> Noted:
        core, shape = block.core, grid.shape
        around = core.grown((MARGIN,) * len(shape), shape)
        before = [MARGIN - (a - b) for a, b in zip(core.start, around.start, strict=True)]
        after = [MARGIN - (b - a) for a, b in zip(core.stop, around.stop, strict=True)]
        found = measure_part(
            np.pad(objects.array[around.slices], list(zip(before, after, strict=True))),
            core.start,
            [stop == n for stop, n in zip(core.stop, shape, strict=True)],
            spacing=spacing,
            intensity=image.read(core.start, core.stop),
        )
        return Noted(found._asdict() if len(found.ids) else {}, {"objects": len(found.ids)})

    return Stage(name=name, phase=labels.phase, grid=grid, needs=(labels,), reads=reads,
                 values={"spacing": spacing}, work=work)  # fmt: skip


def _of_whole(labels: Any, image: Volume, extra: Sequence[Measured]) -> Noted:
    """Of an image that is one block every object is measured as it is."""
    found = measure(labels[...], spacing=image.spacing, intensity=image.array(), extra=extra)
    # Stored tables are in the order of their names.
    tables = {f"{place:04d} {name}": found[name].to_numpy() for place, name in enumerate(found)}
    return Noted(tables, {"objects": len(found)})


def measurement_table(result: Result, stage: Stage, image: Volume) -> pd.DataFrame:
    """The table of all objects, see :func:`jaxseg.measurements.measure`.

    Parameters
    ----------
    result, stage : of :func:`measurements`
    image : that was measured
    """
    if len(stage.grid) == 1:
        return pd.DataFrame({name[5:]: values for name, values in sorted(result.tables(0).items())})
    parts = _parts(result, stage, image)
    return measured(parts, spacing=image.spacing)


def _parts(result: Result, stage: Stage, image: Volume) -> Iterator[Part]:
    """The stored parts, after one without objects, which says what the columns are."""
    ndim, spacing = len(stage.grid.shape), image.spacing
    nothing = np.zeros((2 * MARGIN + 1,) * ndim, np.uint16)
    blank = np.zeros((1,) * ndim + (image.channels,), np.float32)
    yield measure_part(nothing, (0,) * ndim, (True,) * ndim, spacing=spacing, intensity=blank)
    for number in range(len(stage.grid)):
        if result.counts(number)["objects"]:
            yield Part(**result.tables(number))
