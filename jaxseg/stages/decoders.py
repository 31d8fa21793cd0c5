"""How every decoder makes objects: of an image in one block as it is, by blocks in its own stages.

A decoder that says nothing finds objects in every block alone, and those of neighbours are joined
by what they share. Those that have a mask learn its threshold for the volume first. Agglomeration
joins fragments of the whole volume, and stars of all blocks suppress one another, bit for bit.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Collection, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from jaxseg.blocks import Block
from jaxseg.blocks.stage import Arrays, Made, Output, Results, Stage
from jaxseg.channels import columns
from jaxseg.decoding import (
    COUNTED,
    DECODERS,
    LATER,
    Plan,
    decoder_of,
    foreground_plane,
    growth_mask,
    judged,
    mask_plan,
    plan,
    row_of,
    run_decoder,
    settled,
    tells_objects,
    watershed_by_plan,
    without_flow,
)
from jaxseg.geometry import Box
from jaxseg.labels.masks import morph
from jaxseg.stages.agglomeration import agglomerated
from jaxseg.stages.decoding import Array, Decoding
from jaxseg.stages.joining import changed, compared, label_type, labelled, unjoined
from jaxseg.stages.pieces import created
from jaxseg.stages.stars import star_stages
from jaxseg.stages.thresholds import fitted, from_arrays, to_arrays


def decoded(given: Decoding) -> Stage:
    """The last of the stages of a decoder, which writes the objects."""
    if len(given.grid) == 1:
        first = created(given.grid, functools.partial(_whole, given), whole=True,
                        needs=given.needs, values=given.creating)  # fmt: skip
        if (change := _judging(given)) is not None:
            first = changed(first, first, change, values=given.joining)
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
        options=_of_pieces(given.options),
        within=given.within(block.read, results),
    )
    place = given.picture
    return Made(labels, pictures={place(s): one for s, one in steps.items()} if place else {})


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
    alone = _of_pieces(given.options)

    def decode(planes: Array, within: Array | None, known: Arrays) -> Array:
        return run_decoder(
            planes, given.kept, spacing=given.spacing, decoder=given.decoder, options=alone,
            within=within,
        ).labels  # fmt: skip

    def find(block: Block, results: Results, known: Arrays) -> Made:
        planes, within = given.read(block.read, results), given.within(block.read, results)
        return Made((part or decode)(planes, within, known))

    first = created(given.grid, find, foreground=_foreground(given), needs=given.needs,
                    values=given.creating, **options)  # fmt: skip
    pairs = compared(first, threshold=given.threshold, values=given.joining)
    if (change := _judging(given, besides=COUNTED)) is None:
        output = dataclasses.replace(given.output, dtype=label_type)
        least = {name: getattr(given.options, name, LATER[name]) for name in COUNTED}
        return labelled(first, pairs, output, **least, values=given.joining)
    inner = Output(spacing=given.spacing, dtype=label_type, what="joined objects")
    joined = labelled(first, pairs, inner, name="joined", values=given.joining)
    last = changed(joined, first, change, values=given.joining)
    return unjoined(last, given.output, given.joining)


def _judging(
    given: Decoding, *, besides: Collection[str] = ()
) -> Callable[[Array, Results], Array] | None:
    """What becomes of whole objects, of which pieces know too little; None = nothing.

    Parameters
    ----------
    given : what is decoded
    besides : nothing, too, where no other options than these ask for something
    """
    late = {name for name, none in LATER.items() if getattr(given.options, name, none) != none}
    if late <= set(besides):
        return None

    plane = _foreground(given)

    def foreground(results: Results) -> Iterator[tuple[tuple[slice, ...], Array]]:
        if plane is not None:
            for number in range(len(given.grid)):
                core = given.grid[number].core
                yield core.slices, plane(core, results)

    def change(labels: Array, results: Results) -> Array:
        parts = foreground(results)
        return judged(labels, given.options, spacing=given.spacing, foreground=parts)

    return change


def _of_pieces(options: Any) -> Any:
    """Options for a block: an object may be cut by its end, size and shape are known later."""
    known = {name: none for name, none in LATER.items() if hasattr(options, name)}
    return dataclasses.replace(options, **known) if known else options


def _watershed(given: Decoding) -> Stage:
    """The thresholds of the volume, then every block."""
    options = _of_pieces(given.options)
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


def _mask(given: Decoding) -> tuple[Callable[..., Array], Plan]:
    """The planes beside flows, of a box and the results, and the plan of a mask of them."""
    channels, places = without_flow(given.kept), columns(given.kept, given.ndim)
    chosen = mask_plan(channels, ndim=given.ndim, spacing=given.spacing,
                       threshold=given.options.threshold)  # fmt: skip

    def read(box: Box, results: Results) -> Array:
        found = given.read(box, results)
        return np.concatenate([found[..., places[one.name]] for one in channels], axis=-1)

    return read, chosen


def _foreground(given: Decoding) -> Callable[[Box, Results], Array] | None:
    """How sure the voxels of a box are of an object; None where objects are not judged by that."""
    kind, read = decoder_of(given.channels, given.decoder), given.read
    if kind == "watershed":
        chosen = plan(given.kept, ndim=given.ndim, spacing=given.spacing, options=given.options)
    elif kind == "flow":
        read, chosen = _mask(given)
    else:
        return None
    if not tells_objects(chosen.growth):
        return None
    return lambda box, results: foreground_plane(read(box, results), chosen.growth)


def _masked(given: Decoding) -> Stage:
    """The threshold of the mask of the volume, then every block."""
    read, chosen = _mask(given)

    def summarise(results: Results) -> Arrays:
        planes = functools.partial(read, results=results)
        return to_arrays(fitted(chosen, given.grid, planes))

    def part(planes: Array, within: Array | None, known: Arrays) -> Array:
        levels = from_arrays(known)
        if levels.growth is None:
            return np.zeros(planes.shape[:-1], np.uint16)
        options = dataclasses.replace(_of_pieces(given.options), threshold=levels.growth)
        return run_decoder(
            planes, given.kept, spacing=given.spacing, decoder=given.decoder, options=options,
            within=within,
        ).labels  # fmt: skip

    return overlapping(given, part, summarise=summarise)


STAGES: Mapping[str, Callable[[Decoding], Stage]] = MappingProxyType(
    {
        "watershed": _watershed,
        "agglomeration": agglomerated,
        "stardist": star_stages,
        "flow": _masked,
        "mutex": _masked,
    }
)
