"""The contacts of the fragments of a volume, gathered by blocks, and the objects they lead to.

1. ``region_graph``: every block tells what the voxel pairs amount to whose first voxel it owns;
2. the tables are added and fragments joined, all in memory, by whichever job comes first;
3. every block is written anew with the ids of the objects.

A contact takes 24 bytes and 8 more for every bin of its histogram that is not empty, before it is
compressed: of predicted neurites 330 bytes, or 40 with means; joining fragments adds 460 in Python.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from jaxseg import io
from jaxseg.blocks import Block
from jaxseg.blocks.stage import Arrays, Made, Noted, Output, Result, Results, Stage
from jaxseg.decoding.affinities.edges import EdgeTable, added, contacts_of
from jaxseg.decoding.affinities.joining import joined_ids
from jaxseg.errors import ResourceError
from jaxseg.geometry import Box
from jaxseg.stages.fragments import which_are_fragments
from jaxseg.stages.joining import MERGING, WRITTEN

# Ids of two fragments share 64 bits.
MOST = 2**31 - 1


def region_graph(
    created: Stage,
    numbered: Stage,
    edges: Callable[[Box, Results], np.ndarray],
    offsets: Sequence[Sequence[int]],
    *,
    histogram: bool,
    **options: Any,
) -> Stage:
    """The stage that gathers the contacts of fragments.

    Parameters
    ----------
    created, numbered : pieces of fragments, and the fragments of the volume
    edges : reads the affinities in a box, (*box.shape, k)
    offsets : of these, k of them
    histogram : of affinities; else their sums
    options : of the stage; what ``edges`` reads is in its needs
    """
    grid = created.grid

    def summarise(results: Results) -> Arrays:
        voxels, solid = which_are_fragments(results[created], results[numbered], len(grid))
        if len(voxels) > MOST:
            raise ResourceError(
                "too many fragments to join",
                expected=f"{MOST} at most",
                found=len(voxels) - 1,
                fix="decode parts of the volume",
            )
        return {"voxels": voxels, "solid": solid}

    def work(block: Block, results: Results, known: Arrays) -> Made:
        around = _around(block, offsets, grid.shape)
        inner = block.core.relative_to(around.start)
        ids = results[numbered].array[around.slices]
        results[numbered].check(block.number, ids[inner.slices])
        names, places = np.unique(ids, return_inverse=True)
        solid = known["solid"][names][places].reshape(ids.shape)
        found = contacts_of(
            np.where(solid, ids, 0),
            edges(block.core, results),
            offsets,
            histogram=histogram,
            start=inner.start,
        )
        beside = _beside(ids, solid, inner, block.core, grid.shape)
        counts = {"contacts": len(found.pairs), "beside": len(beside)}
        tables = {**found._asdict(), "beside": beside} if any(counts.values()) else {}
        return Made(note=lambda: Noted(tables, counts))

    needs = (created, numbered, *options.pop("needs", ()))
    return Stage(name="region_graph", phase=MERGING, grid=grid, needs=needs, summarise=summarise,
                 work=work, done="asked for contacts", **options)  # fmt: skip


def _around(block: Block, offsets: Sequence[Sequence[int]], shape: Sequence[int]) -> Box:
    """The core, the partners of its voxels, and the voxels that share a face with it."""
    core, axes = block.core, range(len(shape))
    before = [max(1, *(offset[axis] for offset in offsets)) for axis in axes]
    after = [max(1, *(-offset[axis] for offset in offsets)) for axis in axes]
    start = tuple(max(0, core.start[axis] - before[axis]) for axis in axes)
    stop = tuple(min(shape[axis], core.stop[axis] + after[axis]) for axis in axes)
    return Box(start, stop)


def _beside(
    ids: np.ndarray, known: np.ndarray, inner: Box, core: Box, shape: Sequence[int]
) -> np.ndarray:
    """Background and the fragments that it shares faces with, 0 for the end of the volume.

    Parameters
    ----------
    ids, known : (*T) of the core and around it, and which of them are fragments
    inner, core : the core, among the ids and in the volume
    shape : of the volume

    Returns
    -------
    (n, 2) int64, every pair once
    """
    found = [np.zeros(0, np.int64)]
    for axis, size in enumerate(shape):
        first = inner.start[axis] - 1 if core.start[axis] else 0
        low, high = list(inner.slices), list(inner.slices)
        low[axis] = slice(first, inner.stop[axis] - 1)
        high[axis] = slice(first + 1, inner.stop[axis])
        one, other = ids[tuple(low)].astype(np.int64), ids[tuple(high)].astype(np.int64)
        solid, beyond = known[tuple(low)], known[tuple(high)]
        found.append(np.unique((one << 32 | other)[~solid & beyond & (one > 0)]))
        found.append(np.unique((other << 32 | one)[solid & ~beyond & (other > 0)]))
        ends = [0] * (core.start[axis] == 0) + [-1] * (core.stop[axis] == size)
        for end in ends if size > 1 else ():
            face = np.take(ids[inner.slices], end, axis)[~np.take(known[inner.slices], end, axis)]
            found.append(np.unique(face[face > 0]).astype(np.int64) << 32)
    codes = np.unique(np.concatenate(found))
    return np.stack([codes >> 32, codes & (2**32 - 1)], axis=-1)


def gathered(graph: Result, blocks: int) -> tuple[EdgeTable, np.ndarray]:
    """EdgeTable, and background beside fragments, of the whole volume.

    Tables wait until there is as much of them as of what was added before: so the memory for
    waiting ones is no more than that for the result, and every entry is added a few times only.
    """
    whole, waiting, size = added([]), [], 0
    beside = [np.zeros((0, 2), np.int64)]
    for arrays in _tables(graph, blocks):
        beside.append(arrays.pop("beside"))
        waiting.append(EdgeTable(**arrays))
        size += len(waiting[-1].entries)
        if size > len(whole.entries):
            whole, waiting, size = added([whole, *waiting]), [], 0
    return added([whole, *waiting]), np.concatenate(beside)


def _tables(graph: Result, blocks: int) -> Iterator[dict[str, np.ndarray]]:
    for number in range(blocks):
        found = graph.tables(number)
        if found:
            yield dict(found)


def object_ids(
    joint: np.ndarray,
    beside: np.ndarray,
    voxels: np.ndarray,
    solid: np.ndarray,
    *,
    min_size: int = 1,
) -> np.ndarray:
    """The object of every fragment, and of background that is a hole of an object.

    Parameters
    ----------
    joint : (ids + 1,) int64, for every fragment the smallest one that it is joined with
    beside : (n, 2) int64, background and what it shares faces with, see :func:`graph_work`
    voxels, solid : (ids + 1,) voxels of every id, and whether it is a fragment
    min_size : objects of fewer voxels are dropped

    Returns
    -------
    (ids + 1,) int64, 0 and 1..N in the order of the first fragments

    >>> one, hole = np.array([0, 1, 1, 3]), np.array([[3, 1], [3, 2]])
    >>> object_ids(one, hole, np.array([0, 5, 5, 1]), np.array([0, 1, 1, 0], bool)).tolist()
    [0, 1, 1, 1]
    """
    low, high = np.full(len(joint), len(joint)), np.zeros(len(joint), np.int64)
    owner = np.where(solid, joint, 0)[beside[:, 1]]
    np.minimum.at(low, beside[:, 0], owner)
    np.maximum.at(high, beside[:, 0], owner)
    roots = np.where(solid, joint, np.where(low == high, high, 0))
    kept = np.bincount(roots, voxels, minlength=len(joint)) >= max(min_size, 1)
    kept[0] = False
    return np.where(kept, np.cumsum(kept), 0)[roots]


def joined(
    numbered: Stage,
    graph: Stage,
    output: Output,
    *,
    join: Mapping[str, Any],
    min_size: int = 1,
    name: str = MERGING,
    values: Mapping[str, Any],
) -> Stage:
    """The stage that joins fragments and writes the ids of the objects.

    Parameters
    ----------
    numbered, graph : fragments and their contacts
    output : the labels; their type follows from the number of objects
    join : see :func:`jaxseg.decoding.affinities.joining.joined_ids`
    min_size : objects of fewer voxels are dropped
    name, values : of the stage
    """

    def summarise(results: Results) -> Arrays:
        voxels, solid = (np.asarray(results[graph].known[name]) for name in ("voxels", "solid"))
        contacts, beside = gathered(results[graph], len(graph.grid))
        joint = joined_ids(contacts, len(voxels), **join)
        ids = object_ids(joint, beside, voxels, solid, min_size=min_size)
        ids = ids.astype(io.smallest_label_type(int(ids.max(initial=0))))
        return {"ids": ids, "counts": np.array([ids.max(initial=0), np.count_nonzero(solid), 0])}

    def work(block: Block, results: Results, known: Arrays) -> Made:
        fragments = results[numbered].core(block.number)
        names, places = np.unique(fragments, return_inverse=True)
        labels = np.asarray(known["ids"][names])[places].reshape(fragments.shape)
        return Made(labels, lambda: Noted(counts={"objects": len(np.unique(labels[labels > 0]))}))

    return Stage(name=name, phase=MERGING, grid=graph.grid, needs=(numbered, graph),
                 values=values, summarise=summarise, work=work, output=output,
                 done=WRITTEN)  # fmt: skip
