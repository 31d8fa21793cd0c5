"""Points of an image: every block tells those of its own voxels, and all together are a table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from jaxseg.blocks import Block
from jaxseg.blocks.stage import Arrays, Do, Made, Noted, Results, Stage, Summarise, Table, View
from jaxseg.decoding.point_planes import class_count, point_planes
from jaxseg.decoding.point_thresholds import fit_point_thresholds
from jaxseg.decoding.points import Points, points_in, points_margin, sorted_points
from jaxseg.decoding.responses import response
from jaxseg.geometry import Box
from jaxseg.io.points import point_frame
from jaxseg.runs import manifest as runs
from jaxseg.runs.division import DECODE
from jaxseg.runs.layout import Work
from jaxseg.stages.planes import region_of


def points_file(work: Work) -> Path:
    """The table of the points of an image."""
    return work.run.results / "per_image_points" / f"{work.name}.csv"


def found_points(work: Work, planes: View) -> tuple[Stage, Table]:
    """The stage that finds the points of every block, and the table of all of them.

    Parameters
    ----------
    work : which image
    planes : (*S, K) of all channels
    """
    config, options, spacing, ndim = (
        work.config,
        work.config.detection,
        work.spacing,
        work.config.ndim,
    )
    region, grid = region_of(work), work.grid
    margin = points_margin(ndim, spacing=spacing, options=options)
    count = class_count(config.channels, ndim)

    def searched(
        results: Results,
    ) -> Iterator[tuple[np.ndarray, np.ndarray | None, tuple[slice, ...]]]:
        """What is searched, and the class of every voxel, block by block."""
        for number in range(len(grid)):
            core = grid[number].core
            wide = core.grown(margin, grid.shape)
            plane, classes = point_planes(results[planes].array[wide.slices], config.channels)
            values, _ = response(plane, spacing=spacing, options=options)
            votes = None if classes is None else classes.argmax(-1) + 1
            yield values, votes, core.relative_to(wide.start).slices

    def summarise(results: Results) -> Arrays:
        fitted = fit_point_thresholds(lambda: searched(results), options.threshold, count)
        return {"thresholds": np.array(fitted)}

    def find(block: Block, results: Results, known: Arrays) -> Made:
        wide = block.core.grown(margin, grid.shape)
        plane, classes = point_planes(results[planes].array[wide.slices], config.channels)
        found = points_in(
            plane, wide, block.core, grid.shape, spacing=spacing, options=options,
            threshold=known["thresholds"].tolist(), class_planes=classes,
        )  # fmt: skip
        found = confined_points(found, results, region, block.core)
        tables = {} if not len(found.places) else found._asdict()
        return Made(note=lambda: Noted(tables, {"points": len(found.places)}))

    stage = search(work, "points", planes, region, summarise=summarise, find=find)

    def gather(results: Results) -> pd.DataFrame:
        found = [results[stage].tables(number) for number in range(len(grid))]
        none = Points(np.zeros((0, ndim)), np.zeros(0, np.float32), np.zeros(0, np.int32))
        parts = [none, *(Points(**part) for part in found if part)]
        joined = Points(*map(np.concatenate, zip(*parts, strict=True)))
        places, scores, numbers, radii = sorted_points(joined, spacing=spacing, options=options)
        return point_frame(places, scores, numbers, radii=radii, spacing=spacing,
                           names=config.semantic.names)  # fmt: skip

    table = Table(name="table of points", phase=stage.phase, needs=(stage,), gather=gather,
                  target=points_file(work))  # fmt: skip
    return stage, table


def search(
    work: Work, name: str, planes: View, region: View | None, *, summarise: Summarise, find: Do
) -> Stage:
    """The stage that searches every block for points.

    Parameters
    ----------
    work, name : which image, and of the stage
    planes, region : that it reads
    summarise, find : what every block needs to know, and what is found in one
    """
    return Stage(
        name=name,
        phase=DECODE,
        grid=work.grid,
        needs=(planes,) if region is None else (planes, region),
        values=runs.phase_values(DECODE, work.config) | {"spacing": work.spacing},
        summarise=summarise,
        work=find,
        done="searched",
    )


def confined_points(found: Points, results: Results, region: View | None, core: Box) -> Points:
    """The points of a box that lie where results may be.

    Parameters
    ----------
    found : their places in voxels of the image
    results, region : (*S) bool, where results may be; None = everywhere
    core : the box
    """
    if region is None:
        return found
    inside = np.asarray(results[region].array[core.slices])
    rows = np.rint(found.places).astype(int) - np.asarray(core.start)
    rows = np.clip(rows, 0, np.asarray(inside.shape) - 1)
    return found.take(inside[tuple(rows.T)].astype(bool))
