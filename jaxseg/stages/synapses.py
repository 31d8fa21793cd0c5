"""Synapses of an image: every block tells the sites of its own voxels; pairs are made of all."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from jaxseg.blocks import Block
from jaxseg.blocks.stage import Arrays, Made, Noted, Results, Stage, Table
from jaxseg.channels import columns
from jaxseg.config import Config
from jaxseg.config.channel_options import Partner
from jaxseg.decoding.points import points_in, points_margin
from jaxseg.decoding.synapses import aims_of, pair_sites
from jaxseg.runs import manifest as runs
from jaxseg.runs.layout import Work
from jaxseg.stages.planes import decoding_grid, filtered_planes, planes_of, predicted, region_of
from jaxseg.stages.shown import Shown, Steps

DECODE = "decode"
SIDES = ("pre", "post")


class SideFiles(NamedTuple):
    """The tables of the sites of an image."""

    pre: Path
    post: Path


def synapse_files(work: Work) -> SideFiles:
    """The tables of the sites of an image, in the form in which tables of true sites are read."""
    folder = work.run.results / "per_image_points"
    return SideFiles(*(folder / f"{work.name}_{side}.csv" for side in SIDES))


def vector_unit(config: Config) -> float:
    """Length of the value 1 of the vectors, µm; 1 where none are learned."""
    options = [channel.options for channel in config.channels]
    return next((one.unit for one in options if isinstance(one, Partner)), 1.0)


def synapse_steps(work: Work) -> Steps:
    """The sites that the planes of an image show, and their pairs."""
    config, options, spacing = work.config, work.config.detection, work.spacing
    ndim, names = config.ndim, columns(config.channels, config.ndim)
    planes, region = filtered_planes(work, planes_of(work, predicted(work))), region_of(work)
    grid, margin = decoding_grid(work), points_margin(ndim, spacing=spacing, options=options)

    def find(block: Block, results: Results, known: Arrays) -> Made:
        wide = block.core.grown(margin, grid.shape)
        values = np.asarray(results[planes].array[wide.slices])
        tables: dict[str, np.ndarray] = {}
        counts: dict[str, int] = {}
        for side in SIDES:
            if f"F_{side}" not in names:
                continue
            plane = values[..., names[f"F_{side}"].start]
            found = points_in(plane, wide, block.core, grid.shape, spacing=spacing, options=options)
            if region is not None:
                inside = np.asarray(results[region].array[block.core.slices])
                rows = np.rint(found.places).astype(int) - np.asarray(block.core.start)
                rows = np.clip(rows, 0, np.asarray(inside.shape) - 1)
                found = found.take(inside[tuple(rows.T)].astype(bool))
            counts[side] = len(found.places)
            if not counts[side]:
                continue
            tables |= {f"{side}_places": found.places, f"{side}_scores": found.scores}
            if side == "post":
                tables["aims"] = aims_of(
                    values, wide, found.places, grid.shape, columns=names,
                    unit=vector_unit(config), spacing=spacing,
                )  # fmt: skip
        return Made(note=lambda: Noted(tables, counts))

    stage = Stage(
        name="synapses", phase=DECODE, grid=grid, work=find, done="searched",
        needs=(planes,) if region is None else (planes, region),
        values=runs.phase_values(DECODE, config) | {"spacing": spacing},
    )  # fmt: skip

    def tables(results: Results) -> dict[str, pd.DataFrame]:
        """The sites of every side with their partners, the surest first."""
        parts = [results[stage].tables(number) for number in range(len(grid))]

        def joined(name: str, *shape: int) -> np.ndarray:
            none = np.zeros((0, *shape))
            return np.concatenate([none, *(part[name] for part in parts if name in part)])

        places = {side: joined(f"{side}_places", ndim) for side in SIDES}
        scores = {side: joined(f"{side}_scores") for side in SIDES}
        # Equally sure ones go in the order of their places, however the image was cut.
        order = {side: np.lexsort((*places[side].T[::-1], -scores[side])) for side in SIDES}
        pre, post = (places[side][order[side]] for side in SIDES)
        sure, weak = (scores[side][order[side]] for side in SIDES)
        found = pair_sites(
            pre, sure, joined("aims", ndim)[order["post"]], weak, shape=work.shape,
            spacing=spacing, options=config.synapses, min_distance=options.min_distance,
        )  # fmt: skip
        posts = np.bincount(found.partner[found.partner >= 0], minlength=len(found.pre))
        return {
            "pre": _frame(found.pre, found.scores, spacing).assign(
                posts=posts, created=found.created.astype(int)
            ),
            "post": _frame(post, weak, spacing).assign(partner=found.partner),
        }

    def table(side: str, target: Path) -> Table:
        return Table(name=f"{side}synaptic sites", phase=DECODE, needs=(stage,), target=target,
                     gather=lambda results: tables(results)[side])  # fmt: skip

    pre, post = (table(side, path) for side, path in zip(SIDES, synapse_files(work), strict=True))
    return Steps((stage, pre, post), (Shown("", post),))


def _frame(places: np.ndarray, scores: np.ndarray, spacing: tuple[float, ...]) -> pd.DataFrame:
    """Positions in voxels and µm, which napari reads, ids and probabilities."""
    axes = "zyx"[-len(spacing) :]
    found: dict[str, np.ndarray] = {"index": np.arange(len(places))}
    found |= {f"axis-{axis}": places[:, axis] for axis in range(len(spacing))}
    found |= {f"{name}_um": places[:, at] * size
              for at, (name, size) in enumerate(zip(axes, spacing, strict=True))}  # fmt: skip
    return pd.DataFrame({**found, "probability": scores.astype(np.float32)})
