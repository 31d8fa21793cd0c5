"""Synapses of an image: every block tells the sites of its own voxels; pairs are made of all."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from jaxseg.blocks import Block
from jaxseg.blocks.stage import Arrays, Made, Noted, Results, Table
from jaxseg.channels import columns
from jaxseg.decoding.point_thresholds import Part, fit_point_thresholds
from jaxseg.decoding.points import points_in, points_margin
from jaxseg.decoding.responses import response
from jaxseg.decoding.synapses import (
    SIDES,
    aims_of,
    pair_sites,
    side_options,
    surest_first,
    vector_unit,
)
from jaxseg.io.points import point_frame
from jaxseg.runs.layout import Work
from jaxseg.stages.planes import filtered_planes, planes_of, predicted, region_of
from jaxseg.stages.points import confined_points, search
from jaxseg.stages.shown import Shown, Steps


class SideFiles(NamedTuple):
    """The tables of the sites of an image."""

    pre: Path
    post: Path


def synapse_files(work: Work) -> SideFiles:
    """The tables of the sites of an image, in the form in which tables of true sites are read."""
    folder = work.run.results / "per_image_points"
    return SideFiles(*(folder / f"{work.name}_{side}.csv" for side in SIDES))


def synapse_steps(work: Work) -> Steps:
    """The sites that the planes of an image show, and their pairs."""
    config, spacing, ndim = work.config, work.spacing, work.config.ndim
    options, names = side_options(config.detection), columns(config.channels, config.ndim)
    sides = {side: names[f"F_{side}"].start for side in SIDES if f"F_{side}" in names}
    planes, region = filtered_planes(work, planes_of(work, predicted(work))), region_of(work)
    grid = work.grid
    margin = points_margin(ndim, spacing=spacing, options=config.detection)

    def searched(results: Results, side: str) -> Iterator[Part]:
        """What is searched for sites of a side, block by block."""
        for number in range(len(grid)):
            core = grid[number].core
            wide = core.grown(margin, grid.shape)
            plane = np.asarray(results[planes].array[wide.slices])[..., sides[side]]
            values, _ = response(plane, spacing=spacing, options=options[side])
            yield values, None, core.relative_to(wide.start).slices

    def summarise(results: Results) -> Arrays:
        return {
            side: np.array(
                fit_point_thresholds(
                    functools.partial(searched, results, side), options[side].threshold
                )
            )
            for side in sides
        }

    def find(block: Block, results: Results, known: Arrays) -> Made:
        wide = block.core.grown(margin, grid.shape)
        values = np.asarray(results[planes].array[wide.slices])
        tables: dict[str, np.ndarray] = {}
        counts: dict[str, int] = {}
        for side, column in sides.items():
            found = points_in(
                values[..., column], wide, block.core, grid.shape, spacing=spacing,
                options=options[side], threshold=float(known[side][0]),
            )  # fmt: skip
            found = confined_points(found, results, region, block.core)
            counts[side] = len(found.places)
            if not counts[side]:
                continue
            tables |= {f"{side}_places": found.places, f"{side}_scores": found.scores}
            if side == "post":
                tables["aims"] = aims_of(
                    values, wide, found.places, grid.shape, columns=names,
                    unit=vector_unit(config.channels), spacing=spacing,
                )  # fmt: skip
        return Made(note=lambda: Noted(tables, counts))

    stage = search(work, "synaptic_sites", planes, region, summarise=summarise, find=find)

    def tables(results: Results) -> dict[str, pd.DataFrame]:
        """The sites of every side with their partners, the surest first."""
        parts = [results[stage].tables(number) for number in range(len(grid))]

        def joined(name: str, *shape: int) -> np.ndarray:
            none = np.zeros((0, *shape))
            return np.concatenate([none, *(part[name] for part in parts if name in part)])

        def kept(side: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            places, scores = joined(f"{side}_places", ndim), joined(f"{side}_scores")
            order = surest_first(places, scores, spacing=spacing, options=options[side])
            return places[order], scores[order], order

        pre, sure, _ = kept("pre")
        post, weak, order = kept("post")
        found = pair_sites(
            pre, sure, joined("aims", ndim)[order], weak, shape=work.shape, spacing=spacing,
            options=config.synapses, min_distance=config.detection.min_distance,
        )  # fmt: skip
        posts = np.bincount(found.partner[found.partner >= 0], minlength=len(found.pre))
        pres = point_frame(found.pre, found.scores.astype(np.float32), spacing=spacing)
        return {
            "pre": pres.assign(posts=posts, created=found.created.astype(int)),
            "post": point_frame(post, weak.astype(np.float32), spacing=spacing).assign(
                partner=found.partner
            ),
        }

    def table(side: str, target: Path) -> Table:
        return Table(name=f"{side}synaptic sites", phase=stage.phase, needs=(stage,), target=target,
                     gather=lambda results: tables(results)[side])  # fmt: skip

    pre, post = (table(side, path) for side, path in zip(SIDES, synapse_files(work), strict=True))
    return Steps((stage, pre, post), (Shown("", post),))
