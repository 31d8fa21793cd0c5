"""Affinities by blocks: fragments, their contacts, and the objects that they are joined to."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import numpy as np

from jaxseg.blocks import Block
from jaxseg.blocks.stage import Arrays, Output, Results, Stage
from jaxseg.decoding import (
    Levels,
    affinity_edges,
    fragment_ascents,
    fragment_reach,
    join_options,
    mask_plan,
    near_offsets,
    settled,
)
from jaxseg.geometry import Box
from jaxseg.io import smallest_label_type
from jaxseg.stages.changes import changed, like, renamed
from jaxseg.stages.decoding import Array, Decoding
from jaxseg.stages.extents import extents
from jaxseg.stages.fragments import fragmented, shared_voxels, with_reach
from jaxseg.stages.graph import joined, region_graph
from jaxseg.stages.joining import MERGING, WRITTEN, compared, label_type, labelled
from jaxseg.stages.thresholds import fitted, from_arrays, to_arrays


def agglomerated(given: Decoding) -> Stage:
    """Fragments, their contacts, and the objects they are joined to: those of the whole volume."""
    options, spacing, ndim, kept = given.options, given.spacing, given.ndim, given.kept
    grid = with_reach(given.grid, fragment_reach(kept, ndim, spacing))
    chosen = mask_plan(kept, ndim=ndim, spacing=spacing, threshold=options.threshold)

    def summarise(results: Results) -> Arrays:
        return to_arrays(fitted(chosen, grid, functools.partial(given.read, results=results)))

    def find(block: Block, results: Results, known: Arrays) -> Any:
        levels: Levels = from_arrays(known)
        final = settled(chosen, levels)
        return fragment_ascents(
            given.read(block.read, results),
            kept,
            criteria=None if final is None else final.growth,
            spacing=spacing,
            options=options,
        )

    def edges(box: Box, results: Results) -> Array:
        return affinity_edges(given.read(box, results), kept, spacing=spacing)[0]

    first = fragmented(grid, find, background=options.fill_holes, needs=given.needs,
                       values=given.creating, summarise=summarise)  # fmt: skip
    pairs = compared(first, compare=shared_voxels, values=given.joining)
    numbered = labelled(first, pairs, Output(spacing=spacing, dtype=label_type), name="fragments",
                        done="numbered", values=given.joining)  # fmt: skip
    graph = region_graph(
        first, numbered, edges, near_offsets(kept, ndim, spacing),
        histogram=options.score == "quantile", needs=given.needs, values=given.joining,
    )  # fmt: skip

    def dtype(results: Results, known: Arrays) -> Any:
        return known["ids"].dtype

    output = dataclasses.replace(given.output, dtype=dtype)
    whole = functools.partial(joined, numbered, graph, join=join_options(options, ndim),
                              min_size=options.min_size, values=given.joining)  # fmt: skip
    if given.region is None:
        return whole(output)
    return _confined(given, whole(dataclasses.replace(output, target=None), name="objects"))


def _confined(given: Decoding, whole: Stage) -> Stage:
    """Objects without what lies outside of a region; those that are left are numbered anew."""
    region, spacing = given.region, given.spacing
    assert region is not None

    def change(box: Box, results: Results, known: Arrays) -> Array:
        return np.where(results[region].array[box.slices], results[whole].array[box.slices], 0)

    cut = changed(whole, given.grid, change, name="confined", needs=(region,),
                  output=like(whole, spacing))  # fmt: skip

    def left(results: Results) -> Arrays:
        ids = extents(results[cut], cut).ids
        table = np.zeros(int(ids.max(initial=0)) + 1, smallest_label_type(len(ids)))
        table[ids] = np.arange(1, len(ids) + 1)
        return {"table": table}

    output = dataclasses.replace(given.output, dtype=lambda results, known: known["table"].dtype)
    return changed(cut, given.grid, renamed(cut), name=MERGING, summarise=left, done=WRITTEN,
                   values=given.joining, output=output)  # fmt: skip
