"""Further measurements by blocks: each object is measured whole, by the block it begins in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from jaxseg.blocks import Block, BlockGrid
from jaxseg.blocks.stage import NOTHING, Arrays, Made, Noted, Result, Results, Stage
from jaxseg.config.properties import Measured
from jaxseg.config.saved import plain
from jaxseg.labels.numbering import numbered
from jaxseg.measurements import extra_column_names, extra_columns
from jaxseg.stages.extents import Extents, box_of_objects, extents
from jaxseg.volume import Volume

CENTRE, LOCAL = "centroid_weighted", "centroid_weighted_local"


def properties(
    labels: Stage,
    measured: Stage,
    image: Volume,
    names: Sequence[Measured],
    grid: BlockGrid,
    *,
    name: str = "properties",
    reads: Mapping[str, str | Path] = NOTHING,
) -> Stage:
    """The stage that measures the objects that begin in every block.

    Parameters
    ----------
    labels, measured : wrote the objects, and says where they are
    image : (*S, C) intensities
    names : of the measurements, see :func:`jaxseg.measurements.extra_columns`
    grid : the blocks
    name, reads : of the stage
    """
    spacing = image.spacing
    # Where an object lies in its box does not depend on what is read; where it lies does.
    asked = list(dict.fromkeys(LOCAL if one == CENTRE else one for one in names))

    def summarise(results: Results) -> Arrays:
        return extents(results[measured], measured)._asdict()

    def work(block: Block, results: Results, known: Arrays) -> Made:
        core, where = block.core, Extents(**known)
        begins = np.all((where.low >= core.start) & (where.low < core.stop), axis=1)
        own = where.rows(begins)
        if not len(own.ids):
            return Made(note=lambda: Noted(counts={"objects": 0}))
        box = box_of_objects(own, core, grid.shape)
        found = results[labels].array[box.slices]
        numbers, ids = numbered(np.where(np.isin(found, own.ids), found, 0))
        columns = extra_columns(
            numbers, asked, spacing=spacing, intensity=image.read(box.start, box.stop)
        )
        order = np.argsort(ids[1:])
        columns = {name: values[order] for name, values in columns.items()}
        if CENTRE in names:
            for one in [one for one in columns if one.startswith(f"{LOCAL}-")]:
                rest = one.removeprefix(LOCAL)
                axis = int(rest.split("-")[1])
                columns[CENTRE + rest] = columns[one] + own.low[:, axis] * spacing[axis]
        tables = {"ids": own.ids, **columns}
        return Made(note=lambda: Noted(tables, {"objects": len(own.ids)}))

    return Stage(name=name, phase=labels.phase, grid=grid, needs=(labels, measured), reads=reads,
                 values={"spacing": spacing, "properties": plain(names)}, summarise=summarise,
                 work=work)  # fmt: skip


def property_columns(
    result: Result, stage: Stage, names: Sequence[Measured], *, channels: int
) -> dict[str, np.ndarray]:
    """The columns of further measurements, a row per object by ascending id."""
    wanted = extra_column_names(len(stage.grid.shape), names, channels=channels)
    parts = list(_parts(result, stage))
    ids = np.concatenate([np.zeros(0, np.uint16), *(part["ids"] for part in parts)])
    order = np.argsort(ids)
    return {
        name: np.concatenate([np.zeros(0), *(part[name] for part in parts)])[order]
        for name in wanted
    }


def _parts(result: Result, stage: Stage) -> Iterator[Arrays]:
    for number in range(len(stage.grid)):
        if result.counts(number)["objects"]:
            yield result.tables(number)
