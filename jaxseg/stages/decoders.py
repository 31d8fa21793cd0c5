"""How every decoder makes objects: of an image in one block as it is, by blocks in its own stages.

A decoder that says nothing finds objects in every block alone, and those of neighbours are joined
by what they share. Those that have a mask learn its threshold for the volume first. Agglomeration
joins fragments of the whole volume, and stars of all blocks suppress one another, bit for bit.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from jaxseg.blocks import Block
from jaxseg.blocks.stage import Arrays, Made, Output, Results, Stage
from jaxseg.channels import columns
from jaxseg.decoding import (
    DECODERS,
    Levels,
    affinity_edges,
    decoder_of,
    fragment_ascents,
    fragment_reach,
    growth_mask,
    join_options,
    mask_plan,
    near_offsets,
    plan,
    row_of,
    run_decoder,
    settled,
    watershed_by_plan,
)
from jaxseg.geometry import Box
from jaxseg.io import smallest_label_type
from jaxseg.labels.masks import morph
from jaxseg.stages.changes import changed, like, renamed
from jaxseg.stages.decoding import Array, Decoding
from jaxseg.stages.extents import extents
from jaxseg.stages.fragments import fragmented, shared_voxels, with_reach
from jaxseg.stages.graph import joined, region_graph
from jaxseg.stages.joining import MERGING, WRITTEN, compared, label_type, labelled, unjoined
from jaxseg.stages.pieces import created
from jaxseg.stages.stars import star_stages
from jaxseg.stages.thresholds import fitted, from_arrays, to_arrays


def decoded(given: Decoding) -> Stage:
    """The last of the stages of a decoder, which writes the objects."""
    if len(given.grid) == 1:
        first = created(given.grid, functools.partial(_whole, given), whole=True,
                        needs=given.needs, values=given.creating)  # fmt: skip
        return unjoined(first, given.output, given.joining)
    row = row_of(given.channels, given.decoder)
    ours = STAGES.get(row.name) if DECODERS.get(row.name) is row else None
    return (row.stages or ours or overlapping)(given)


def _whole(given: Decoding, block: Block, results: Results, known: Arrays) -> Made:
    """An image in one block, with pictures of the steps."""
    planes = results[given.planes].array[block.read.slices]
    if given.planes is not given.raw and _is_noise(given, results):
        # Filtered noise looks like objects.
        planes = results[given.raw].array[block.read.slices]
    labels, steps = run_decoder(
        planes,
        given.channels,
        spacing=given.spacing,
        decoder=given.decoder,
        options=given.options,
        within=given.within(block.read, results),
    )
    return Made(labels, pictures={given.picture(step): image for step, image in steps.items()})


def _is_noise(given: Decoding, results: Results) -> bool:
    """Whether the watershed finds no place for objects; other decoders have no such test."""
    if decoder_of(given.channels, given.decoder) != "watershed":
        return False
    chosen = plan(given.channels, ndim=given.ndim, spacing=given.spacing, options=given.options)
    return not growth_mask(results[given.raw].array[...], chosen.growth).any()


# ------------------------------------------------------------------------------------ by blocks


def overlapping(
    given: Decoding,
    part: Callable[[Array, Array | None, Arrays], Array] | None = None,
    **options: Any,
) -> Stage:
    """Objects of every block, joined by what those of neighbours share.

    Parameters
    ----------
    given : what is decoded
    part : planes, where objects may be, and the summary, to labels of a part of the volume
    options : of the first stage
    """
    # An object may be cut by the end of a block: its size is known only when it is joined.
    least = getattr(given.options, "min_size", 1)
    alone = given.options
    if least > 1:
        alone = dataclasses.replace(given.options, min_size=1)

    def decode(planes: Array, within: Array | None, known: Arrays) -> Array:
        return run_decoder(
            planes, given.kept, spacing=given.spacing, decoder=given.decoder, options=alone,
            within=within,
        ).labels  # fmt: skip

    def find(block: Block, results: Results, known: Arrays) -> Made:
        planes, within = given.read(block.read, results), given.within(block.read, results)
        return Made((part or decode)(planes, within, known))

    first = created(given.grid, find, needs=given.needs, values=given.creating, **options)
    pairs = compared(first, threshold=given.threshold, values=given.joining)
    output = dataclasses.replace(given.output, dtype=label_type)
    return labelled(first, pairs, output, min_size=least, values=given.joining)


def _watershed(given: Decoding) -> Stage:
    """The thresholds of the volume, then every block."""
    options = dataclasses.replace(given.options, min_size=1)
    chosen = plan(given.kept, ndim=given.ndim, spacing=given.spacing, options=options)

    def summarise(results: Results) -> Arrays:
        def growing(mask: Array, number: int) -> Array:
            """As in :func:`jaxseg.decoding.watershed_by_plan`."""
            mask = morph(
                mask, options.growth_morphology, spacing=given.spacing, by_slices=options.by_slices
            )
            within = given.within(given.grid[number].read, results)
            return mask if within is None else mask & within

        filtered = given.planes is not given.raw
        raw = functools.partial(given.read, results=results, raw=True) if filtered else None
        planes = functools.partial(given.read, results=results)
        return to_arrays(fitted(chosen, given.grid, planes, raw=raw, reshape=growing))

    def part(planes: Array, within: Array | None, known: Arrays) -> Array:
        final = settled(chosen, from_arrays(known))
        if final is None:
            return np.zeros(planes.shape[:-1], np.uint16)
        return watershed_by_plan(
            planes, final, options, spacing=given.spacing, within=within
        ).labels

    return overlapping(given, part, summarise=summarise)


def _masked(given: Decoding) -> Stage:
    """The threshold of the mask of the volume, then every block."""
    channels = tuple(channel for channel in given.kept if channel.options.family != "flow")
    places = columns(given.kept, given.ndim)
    chosen = mask_plan(channels, ndim=given.ndim, spacing=given.spacing,
                       threshold=given.options.threshold)  # fmt: skip

    def summarise(results: Results) -> Arrays:
        def planes(box: Box) -> Array:
            found = given.read(box, results)
            return np.concatenate([found[..., places[one.name]] for one in channels], axis=-1)

        return to_arrays(fitted(chosen, given.grid, planes))

    def part(planes: Array, within: Array | None, known: Arrays) -> Array:
        levels = from_arrays(known)
        if levels.growth is None:
            return np.zeros(planes.shape[:-1], np.uint16)
        options = dataclasses.replace(given.options, min_size=1, threshold=levels.growth)
        return run_decoder(
            planes, given.kept, spacing=given.spacing, decoder=given.decoder, options=options,
            within=within,
        ).labels  # fmt: skip

    return overlapping(given, part, summarise=summarise)


def _agglomeration(given: Decoding) -> Stage:
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


STAGES: Mapping[str, Callable[[Decoding], Stage]] = MappingProxyType(
    {
        "watershed": _watershed,
        "agglomeration": _agglomeration,
        "stardist": star_stages,
        "flow": _masked,
        "mutex": _masked,
    }
)
