"""Points of an image: every block tells those of its own voxels, and all together are a table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from jaxseg.blocks import Block
from jaxseg.blocks.stage import Arrays, Made, Noted, Results, Stage, Table
from jaxseg.decoding.points import points_in, points_margin
from jaxseg.io.points import point_frame
from jaxseg.runs import manifest as runs
from jaxseg.runs.layout import Work
from jaxseg.stages.planes import decoding_grid, filtered_planes, planes_of, predicted, region_of
from jaxseg.stages.shown import Shown, Steps

DECODE = "decode"


def points_file(work: Work) -> Path:
    """The table of the points of an image."""
    return work.run.results / "per_image_points" / f"{work.name}.csv"


def point_steps(work: Work) -> Steps:
    """The points that the first plane of an image shows."""
    options, spacing, ndim = work.config.detection, work.spacing, work.config.ndim
    planes, region = filtered_planes(work, planes_of(work, predicted(work))), region_of(work)
    grid, margin = decoding_grid(work), points_margin(ndim, spacing=spacing, options=options)

    def find(block: Block, results: Results, known: Arrays) -> Made:
        wide = block.core.grown(margin, grid.shape)
        plane = results[planes].array[wide.slices][..., 0]
        found = points_in(plane, wide, block.core, grid.shape, spacing=spacing, options=options)
        if region is not None:
            inside = results[region].array[block.core.slices]
            rows = np.rint(found.places).astype(int) - np.asarray(block.core.start)
            rows = np.clip(rows, 0, np.asarray(inside.shape) - 1)
            found = found.take(np.asarray(inside)[tuple(rows.T)].astype(bool))
        tables = {} if not len(found.places) else found._asdict()
        return Made(note=lambda: Noted(tables, {"points": len(found.places)}))

    stage = Stage(
        name="points", phase=DECODE, grid=grid, work=find, done="searched",
        needs=(planes,) if region is None else (planes, region),
        values=runs.phase_values(DECODE, work.config) | {"spacing": spacing},
    )  # fmt: skip

    def gather(results: Results) -> pd.DataFrame:
        parts = [results[stage].tables(number) for number in range(len(grid))]
        parts = [part for part in parts if part]
        places = np.concatenate([np.zeros((0, ndim)), *(part["places"] for part in parts)])
        scores = np.concatenate([np.zeros(0, np.float32), *(part["scores"] for part in parts)])
        classes = np.concatenate([np.zeros(0, np.int32), *(part["classes"] for part in parts)])
        # The surest first; equally sure ones in the order of their places, however it was cut.
        order = np.lexsort((*places.T[::-1], -scores))
        return point_frame(places[order], scores[order], classes[order], spacing=spacing)

    table = Table(name="table of points", phase=DECODE, needs=(stage,), gather=gather,
                  target=points_file(work))  # fmt: skip
    return Steps((stage, table), (Shown("", table),))
