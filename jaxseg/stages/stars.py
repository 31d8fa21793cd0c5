"""Star-convex objects by blocks: every block proposes, the best of all of them stay.

1. ``instance_creation``: the shapes that the voxels of a block propose, in a table;
2. of the shapes of the whole volume, those that overlap a better one are dropped, all in memory, by
   whichever job comes first; ``shapes`` draws what of the others lies in every block;
3. ``instance_merging``: small objects are dropped and the others numbered, the best first.

Which shapes stay, and their numbers, are those of the whole volume, whatever the halo.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np

from jaxseg import io
from jaxseg.blocks import Block
from jaxseg.blocks.stage import Arrays, Made, Noted, Output, Result, Results, Stage
from jaxseg.decoding.stardist import drawn, proposed, shows_noise, undisturbed
from jaxseg.geometry import Box
from jaxseg.stages.decoding import Decoding
from jaxseg.stages.joining import MERGING, WRITTEN
from jaxseg.stages.pieces import CREATED, CREATION


def star_stages(given: Decoding) -> Stage:
    """The last of the stages, which writes the objects."""
    first = _proposals(given)
    shapes = _shapes(given, first)
    return _numbered(given, shapes)


def _proposals(given: Decoding) -> Stage:
    """What every block proposes: a voxel of context says whether a score is a maximum."""
    kept, grid = given.kept, given.grid

    def judge(results: Results) -> Arrays:
        read = functools.partial(given.read, results=results)
        noise = shows_noise(
            ((read(box := block.core.grown((1,) * given.ndim, grid.shape)),
              block.core.relative_to(box.start).slices) for block in grid),
            kept, options=given.options,
        )  # fmt: skip
        return {"noise": np.array([noise])}

    def work(block: Block, results: Results, known: Arrays) -> Made:
        if known["noise"][0]:
            return Made(note=lambda: Noted(counts={"objects": 0}))
        box = block.core.grown((1,) * given.ndim, grid.shape)
        core = block.core.relative_to(box.start)
        found = proposed(given.read(box, results), kept, spacing=given.spacing,
                         options=given.options)  # fmt: skip
        inside = np.all((found.points >= core.start) & (found.points < core.stop), axis=1)
        tables = {
            "points": found.points[inside] + np.array(box.start),
            "distances": found.distances[inside],
            "scores": found.scores[inside],
        }
        return Made(note=lambda: Noted(tables if inside.any() else {}, {"objects": inside.sum()}))

    return Stage(name=CREATION, phase=CREATION, grid=grid, needs=given.needs, done=CREATED,
                 values=given.creating, summarise=judge, work=work)  # fmt: skip


def _all_shapes(given: Decoding, proposals: Result) -> dict[str, np.ndarray]:
    """The shapes of all blocks that no better one disturbs, the best first."""
    shape, ndim = given.grid.shape, given.ndim
    parts = [proposals.tables(n) for n in range(len(given.grid)) if proposals.counts(n)["objects"]]
    if not parts:
        return {"points": np.zeros((0, ndim), np.int64), "distances": np.zeros((0, 1), np.float32)}
    points, distances, scores = (
        np.concatenate([part[name] for part in parts]) for name in ("points", "distances", "scores")
    )
    # Of equal scores the first voxel comes first, as in the whole volume.
    order = np.lexsort((np.ravel_multi_index(tuple(points.T), shape), -scores))
    points, distances = points[order], distances[order]
    stay = undisturbed(points, distances, given.kept, spacing=given.spacing, options=given.options)
    return {"points": points[stay], "distances": distances[stay]}


def _shapes(given: Decoding, first: Stage) -> Stage:
    """Every block as far as shapes reach into it."""

    def summarise(results: Results) -> Arrays:
        return _all_shapes(given, results[first])

    def work(block: Block, results: Results, known: Arrays) -> Made:
        core, points = block.core, np.asarray(known["points"])
        # In voxels, and more than a shape is lengthened when it is drawn.
        reach = 2 * known["distances"].max(axis=1, initial=0)[:, None] / np.array(given.spacing) + 2
        near = np.all((points + reach >= core.start) & (points - reach < core.stop), axis=1)
        ids = np.flatnonzero(near)
        labels = np.zeros(core.shape, np.int64)
        if len(ids):
            start = tuple(np.minimum(core.start, points[ids].min(axis=0)).tolist())
            stop = tuple(np.maximum(core.stop, points[ids].max(axis=0) + 1).tolist())
            local = drawn(
                points[ids], known["distances"][ids], given.kept, spacing=given.spacing,
                box=Box(start, stop),
            )  # fmt: skip
            local = local[core.relative_to(start).slices]
            labels = np.concatenate([[0], ids + 1])[local]
        within = given.within(core, results)
        inside = labels if within is None else np.where(within, labels, 0)

        def note() -> Noted:
            names, voxels = np.unique(labels[labels > 0], return_counts=True)
            there = np.isin(names, inside)
            tables = {"ids": names, "voxels": voxels, "inside": there} if len(names) else {}
            return Noted(tables, {"objects": len(names)})

        return Made(inside, note)

    def dtype(results: Results, known: Arrays) -> Any:
        return io.smallest_label_type(len(known["points"]))

    return Stage(name="shapes", phase=MERGING, grid=given.grid, needs=(first, *given.needs),
                 values=given.joining, summarise=summarise, work=work, done="drawn",
                 output=Output(spacing=given.spacing, dtype=dtype))  # fmt: skip


def _numbered(given: Decoding, shapes: Stage) -> Stage:
    """Small objects dropped, the others numbered."""

    def summarise(results: Results) -> Arrays:
        found = results[shapes]
        count = len(found.known["points"])
        voxels, inside = np.zeros(count + 1, np.int64), np.zeros(count + 1, bool)
        for number in range(len(given.grid)):
            if found.counts(number)["objects"]:
                tables = found.tables(number)
                np.add.at(voxels, tables["ids"], tables["voxels"])
                inside[tables["ids"]] |= tables["inside"].astype(bool)
        kept = inside & (voxels >= max(1, given.options.min_size))
        table = np.where(kept, np.cumsum(kept), 0)
        return {"table": table.astype(io.smallest_label_type(int(table.max(initial=0))))}

    def work(block: Block, results: Results, known: Arrays) -> Made:
        labels = known["table"][results[shapes].core(block.number)]
        return Made(labels, lambda: Noted(counts={"objects": len(np.unique(labels[labels > 0]))}))

    output = dataclasses.replace(given.output, dtype=lambda results, known: known["table"].dtype)
    return Stage(name=MERGING, phase=MERGING, grid=given.grid, needs=(shapes,), output=output,
                 values=given.joining, summarise=summarise, work=work, done=WRITTEN)  # fmt: skip
