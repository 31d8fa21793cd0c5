"""Pieces to objects, in three steps that each read only what is finished.

1. ``contacts``: every block is compared with its neighbours of larger number;
2. the pieces are joined and numbered, from the tables alone;
3. ``instance_merging``: every block is written anew with the final ids.

The first and the last step can be shared among jobs; the second takes seconds, and whichever job
comes first does it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from jaxseg import io
from jaxseg.blocks import Block
from jaxseg.blocks.stage import (
    Arrays,
    Made,
    Noted,
    Output,
    Result,
    Results,
    Stage,
    whole_grid,
)
from jaxseg.stages.contacts import Compare, contacts
from jaxseg.stages.numbering import number_objects

MERGING, WRITTEN = "instance_merging", "written"


class Tables(NamedTuple):
    """The tables of all pieces, block after block.

    Parameters
    ----------
    offsets : (blocks + 1,) int64, first piece of every block
    voxels, first : (pieces,) int64, see :class:`jaxseg.stages.pieces.Pieces`
    cut : pieces that reach the end of their halo
    steps : (pieces,) int64, see there; 0 where a block says none
    """

    offsets: np.ndarray
    voxels: np.ndarray
    first: np.ndarray
    cut: int
    steps: np.ndarray


def compared(created: Stage, *, threshold: float = 0.5, compare: Compare | None = None,
             values: Mapping[str, Any]) -> Stage:  # fmt: skip
    """The stage that compares every block with its neighbours.

    Parameters
    ----------
    created : the pieces
    threshold : see :func:`jaxseg.stages.contacts.same_objects`
    compare : in place of :func:`jaxseg.stages.contacts.contacts`
    values : that decide the result
    """
    find = compare or functools.partial(contacts, threshold=threshold)
    grid = created.grid

    def work(block: Block, results: Results, known: Arrays) -> Made:
        found = [
            np.column_stack([np.full(len(pairs), other), pairs])
            for other, pairs in find(grid, block, results[created].tables)
        ]
        table = np.concatenate([np.zeros((0, 3), np.int64), *found])
        tables = {"pairs": table} if len(table) else {}
        return Made(note=lambda: Noted(tables, {"pairs": len(table)}))

    return Stage(name="contacts", phase=MERGING, grid=grid, needs=(created,), values=values,
                 work=work, done="compared")  # fmt: skip


def read_pieces(created: Result, blocks: int) -> Tables:
    """Gather the tables of all pieces."""
    counts, cut = [], 0
    tables: list[tuple[np.ndarray, ...]] = [(np.zeros(0, np.int64),) * 3]
    for number in range(blocks):
        record = created.counts(number)
        counts.append(record["objects"])
        cut += record["cut"]
        if record["objects"]:
            arrays = created.tables(number)
            voxels = arrays["voxels"]
            tables.append((voxels, arrays["first"], arrays.get("steps", np.zeros_like(voxels))))
    voxels, first, steps = (np.concatenate(columns) for columns in zip(*tables, strict=True))
    return Tables(np.concatenate([[0], np.cumsum(counts)]), voxels, first, cut, steps)


def read_pairs(compared: Result, offsets: np.ndarray) -> np.ndarray:
    """Gather the pairs of all blocks, (n, 2) int64 numbers of pieces."""
    found = [np.zeros((0, 2), np.int64)]
    for number in range(len(offsets) - 1):
        if compared.counts(number)["pairs"]:
            other, own, theirs = compared.tables(number)["pairs"].T
            ends = offsets[number] + own - 1, offsets[other] + theirs - 1
            found.append(np.stack(ends, axis=1))
    return np.concatenate(found)


def labelled(
    created: Stage,
    compared: Stage,
    output: Output,
    *,
    min_size: int = 1,
    min_mean: float = 0.0,
    name: str = MERGING,
    done: str = WRITTEN,
    values: Mapping[str, Any],
) -> Stage:
    """The stage that numbers the objects and writes their ids.

    Parameters
    ----------
    created, compared : pieces, and which of them are of one object
    output : the labels; their type follows from the number of objects
    min_size, min_mean : objects of fewer voxels and of a lower foreground are dropped
    name, done, values : of the stage
    """

    def summarise(results: Results) -> Arrays:
        pieces = read_pieces(results[created], len(created.grid))
        pairs = read_pairs(results[compared], pieces.offsets)
        found = number_objects(
            pieces.voxels, pieces.first, pairs,
            min_size=min_size, steps=pieces.steps, min_mean=min_mean,
        )  # fmt: skip
        counts = [found.objects, np.count_nonzero(pieces.voxels), pieces.cut]
        return {"ids": found.ids, "offsets": pieces.offsets, "counts": np.array(counts)}

    def work(block: Block, results: Results, known: Arrays) -> Made:
        pieces = results[created].core(block.number)
        offsets = known["offsets"]
        own = np.asarray(known["ids"][offsets[block.number] : offsets[block.number + 1]])
        table = np.concatenate([np.zeros(1, np.uint64), own]).astype(label_type({}, known))
        counts = {"objects": len(np.unique(own[own > 0]))}
        return Made(table[pieces], lambda: Noted(counts=counts))

    return Stage(name=name, phase=MERGING, grid=created.grid, needs=(created, compared),
                 values=values, summarise=summarise, work=work, output=output, done=done,
                 warn=_cut)  # fmt: skip


def changed(
    before: Stage,
    made: Stage,
    change: Callable[[np.ndarray, Results], np.ndarray],
    *,
    values: Mapping[str, Any],
) -> Stage:
    """The stage of a change that looks at all objects of an image at once.

    Parameters
    ----------
    before : wrote whole objects
    made : created their pieces; what it needed may be read again
    change : (*S) labels and the results to (*S) labels 1..N
    values : that decide the result
    """

    def work(block: Block, results: Results, known: Arrays) -> Made:
        labels = change(results[before].array[...], results)
        return Made(labels, lambda: Noted(counts={"objects": int(labels.max(initial=0))}))

    shape = made.grid.shape
    output = Output(spacing=(1.0,) * len(shape), dtype=np.uint32, what="changed objects")
    return Stage(name="changed", phase=MERGING, grid=whole_grid(shape), work=work, output=output,
                 needs=(before, *made.needs), values=values, done="changed")  # fmt: skip


def label_type(results: Results, known: Arrays) -> np.dtype:
    """The smallest type for the objects of a summary."""
    return io.smallest_label_type(int(known["counts"][0]))


def _cut(known: Arrays) -> str:
    _, pieces, cut = known["counts"].tolist()
    return (
        f"{cut} of {pieces} pieces of objects reach the end of their block's halo, where they are"
        " cut; a larger --blocks.halo may join them better"
    ) * bool(cut)


def unjoined(created: Stage, output: Output, values: Mapping[str, Any]) -> Stage:
    """The objects of an image that is one block: there is nothing to join."""

    def work(block: Block, results: Results, known: Arrays) -> Made:
        return Made(results[created].core(0))

    def dtype(results: Results, known: Arrays) -> np.dtype:
        return io.smallest_label_type(results[created].counts(0)["objects"])

    output = replace(output, dtype=dtype)
    return Stage(name=MERGING, phase=MERGING, grid=created.grid, needs=(created,), values=values,
                 work=work, output=output, done=WRITTEN)  # fmt: skip
