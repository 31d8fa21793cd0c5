"""The contacts of the fragments of a volume, gathered by blocks, and the objects they lead to.

1. ``region_graph``: every block tells what the voxel pairs amount to whose first voxel it owns;
2. the tables are added and fragments joined, all in memory, by whichever job comes first;
3. every block is written anew with the ids of the objects.

A contact takes 24 bytes and 8 more for every bin of its histogram that is not empty, before it is
compressed: of predicted neurites 330 bytes, or 40 with means; joining fragments adds 460 in Python.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxseg import io
from jaxseg.blocks.creation import ReadBox
from jaxseg.blocks.engine import Work
from jaxseg.blocks.fragments import which_are_fragments
from jaxseg.blocks.grid import Block
from jaxseg.blocks.ledger import Ledger, Record, known_file, open_ledger, record_of, require
from jaxseg.blocks.merging import LABELS
from jaxseg.blocks.store import (
    checked,
    chunk_of,
    hash_of,
    open_data,
    read_table,
    write_box,
    write_table,
)
from jaxseg.decoding.affinities.edges import EdgeTable, added, contacts_of
from jaxseg.decoding.affinities.joining import joined_ids
from jaxseg.errors import ResourceError
from jaxseg.geometry import Box

STAGE = "region_graph"
# Ids of two fragments share 64 bits.
MOST = 2**31 - 1


def open_graph(
    folder: Path, created: Ledger, numbered: Ledger, values: Mapping[str, Any]
) -> Ledger:
    """Begin to gather contacts, or go on with it.

    Parameters
    ----------
    folder : of this stage
    created, numbered : pieces of fragments, and the fragments of the volume
    values : all that decides the result

    Raises
    ------
    ConfigError : blocks of the fragments are missing; they are named
    ResourceError : more fragments than can be joined
    """
    require(numbered)

    def fill(partial: Path) -> None:
        voxels, solid = which_are_fragments(created, numbered.folder)
        if len(voxels) > MOST:
            raise ResourceError(
                "too many fragments to join",
                file=folder,
                expected=f"{MOST} at most",
                found=len(voxels) - 1,
                fix="decode parts of the volume",
            )
        save(partial / "voxels.npy", voxels)
        save(partial / "solid.npy", solid)

    return open_ledger(folder, STAGE, numbered.grid, values, fill=fill)


def save(path: Path, array: np.ndarray) -> None:
    """Write an array that can be mapped into memory."""
    with io.atomic_path(path) as partial, partial.open("wb") as file:
        np.save(file, array, allow_pickle=False)


def graph_work(
    ledger: Ledger,
    numbered: Ledger,
    read: ReadBox,
    edges: Callable[[np.ndarray], np.ndarray],
    offsets: Sequence[Sequence[int]],
    *,
    histogram: bool,
) -> Work:
    """The function that gathers the contacts of one block.

    Parameters
    ----------
    ledger : of :func:`open_graph`
    numbered : the fragments
    read : a box of the planes, (*box.shape, K)
    edges : planes (*S, K) to affinities (*S, k)
    offsets : of these, k of them
    histogram : of affinities; else their sums
    """
    source = open_data(numbered)
    solid = np.load(known_file(ledger, "solid.npy"), mmap_mode="r", allow_pickle=False)

    def work(number: int) -> Record:
        block = ledger.grid[number]
        around = _around(block, offsets, ledger.grid.shape)
        ids = source[around.slices]
        inner = block.core.relative_to(around.start)
        checked(numbered, number, record_of(numbered, number)["hash"], ids[inner.slices])
        names, places = np.unique(ids, return_inverse=True)
        known = solid[names][places].reshape(ids.shape)
        found = contacts_of(
            np.where(known, ids, 0),
            edges(read(block.core)),
            offsets,
            histogram=histogram,
            start=inner.start,
        )
        beside = _beside(ids, known, inner, block.core, ledger.grid.shape)
        tables = {**found._asdict(), "beside": beside}
        empty = not len(found.pairs) and not len(beside)
        return {
            "contacts": len(found.pairs),
            "beside": len(beside),
            "tables": "" if empty else write_table(ledger, number, tables),
        }

    return work


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


def gathered(ledger: Ledger) -> tuple[EdgeTable, np.ndarray]:
    """EdgeTable, and background beside fragments, of the whole volume.

    Tables wait until there is as much of them as of what was added before: so the memory for
    waiting ones is no more than that for the result, and every entry is added a few times only.
    """
    whole, waiting, size = added([]), [], 0
    beside = [np.zeros((0, 2), np.int64)]
    for arrays in _tables(ledger):
        beside.append(arrays.pop("beside"))
        waiting.append(EdgeTable(**arrays))
        size += len(waiting[-1].entries)
        if size > len(whole.entries):
            whole, waiting, size = added([whole, *waiting]), [], 0
    return added([whole, *waiting]), np.concatenate(beside)


def _tables(ledger: Ledger) -> Iterator[dict[str, np.ndarray]]:
    for number in range(len(ledger.grid)):
        if record_of(ledger, number)["tables"]:
            yield read_table(ledger, number)


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


def open_joined(
    folder: Path,
    graph: Ledger,
    values: Mapping[str, Any],
    *,
    target: Path,
    spacing: Sequence[float],
    join: Mapping[str, Any],
    min_size: int = 1,
) -> Ledger:
    """Join fragments and begin the final labels, or go on with them.

    Parameters
    ----------
    folder : of this stage
    graph : the finished contacts
    values : all that decides the result
    target : final place of the labels
    spacing : µm per voxel, (z)yx
    join : see :func:`jaxseg.decoding.affinities.joining.joined_ids`
    min_size : objects of fewer voxels are dropped

    Raises
    ------
    ConfigError : blocks of the contacts are missing; they are named
    """
    require(graph)

    def fill(partial: Path) -> None:
        voxels, solid = (
            np.load(known_file(graph, f"{name}.npy"), allow_pickle=False)
            for name in ("voxels", "solid")
        )
        contacts, beside = gathered(graph)
        joint = joined_ids(contacts, len(voxels), **join)
        ids = object_ids(joint, beside, voxels, solid, min_size=min_size)
        count, dtype = int(ids.max(initial=0)), io.smallest_label_type(int(ids.max(initial=0)))
        save(partial / "ids.npy", ids.astype(dtype))
        pieces = int(np.count_nonzero(solid))
        summary = {"objects": count, "pieces": pieces, "contacts": len(contacts.pairs), "cut": 0}
        io.write_json(partial / "summary.json", summary)
        io.make_labels(
            partial / "data.zarr",
            name=io.stem_of(target.name),
            shape=graph.grid.shape,
            chunks=chunk_of(graph.grid.block),
            dtype=dtype,
            spacing=spacing,
        )

    return open_ledger(folder, LABELS, graph.grid, values, target=target, fill=fill)


def joined_work(ledger: Ledger, numbered: Ledger) -> Work:
    """The function that writes the ids of the objects of one block."""
    source, target = open_data(numbered), open_data(ledger)
    ids = np.load(known_file(ledger, "ids.npy"), mmap_mode="r", allow_pickle=False)

    def work(number: int) -> Record:
        box = ledger.grid[number].core
        fragments = source[box.slices]
        checked(numbered, number, record_of(numbered, number)["hash"], fragments)
        names, places = np.unique(fragments, return_inverse=True)
        labels = np.asarray(ids[names])[places].reshape(fragments.shape)
        write_box(ledger.data, target, box, labels)
        return {"objects": len(np.unique(labels[labels > 0])), "hash": hash_of(labels)}

    return work
