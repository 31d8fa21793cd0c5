"""Instance merging: pieces to objects, in three steps that each read only what is finished.

1. ``contacts``: every block is compared with its neighbours of larger number;
2. the pieces are joined and numbered, from the tables alone;
3. ``labels``: every block is written anew with the final ids.

The first and the last step can be shared among jobs; the second takes seconds, and whichever job
comes first does it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxseg import io
from jaxseg.blocks.contacts import Compare, Slabs, contacts
from jaxseg.blocks.engine import Work
from jaxseg.blocks.ledger import Ledger, known_file, open_ledger, record_of, require
from jaxseg.blocks.numbering import Numbering, number_objects
from jaxseg.blocks.store import (
    checked,
    chunk_of,
    hash_of,
    open_data,
    read_table,
    write_box,
    write_table,
)

CONTACTS, LABELS = "contacts", "instance_merging"


class Pieces(NamedTuple):
    """The tables of all pieces, block after block.

    Parameters
    ----------
    offsets : (blocks + 1,) int64, first piece of every block
    voxels, first : (pieces,) int64, see :class:`jaxseg.blocks.creation.Pieces`
    cut : pieces that reach the end of their halo
    """

    offsets: np.ndarray
    voxels: np.ndarray
    first: np.ndarray
    cut: int


def open_contacts(folder: Path, created: Ledger, values: Mapping[str, Any]) -> Ledger:
    """Begin the comparison of neighbours, or go on with it.

    Raises
    ------
    ConfigError : blocks of instance creation are missing; they are named
    """
    require(created)
    return open_ledger(folder, CONTACTS, created.grid, values)


def contacts_work(
    ledger: Ledger, created: Ledger, *, threshold: float = 0.5, compare: Compare | None = None
) -> Work:
    """The function that compares one block with its neighbours.

    Parameters
    ----------
    ledger, created : of the comparison, and of what is compared
    threshold : see :func:`jaxseg.blocks.same_objects`
    compare : in place of :func:`jaxseg.blocks.contacts`
    """
    find = compare or functools.partial(contacts, threshold=threshold)

    @functools.lru_cache(maxsize=64)
    def read(number: int) -> Slabs:
        if not record_of(created, number)["objects"]:
            return {}
        return read_table(created, number)

    def work(number: int) -> dict[str, Any]:
        block = ledger.grid[number]
        found = [
            np.column_stack([np.full(len(pairs), other), pairs])
            for other, pairs in find(ledger.grid, block, read)
        ]
        table = np.concatenate([np.zeros((0, 3), np.int64), *found])
        written = write_table(ledger, number, {"pairs": table}) if len(table) else ""
        return {"pairs": len(table), "tables": written}

    return work


def read_pieces(created: Ledger) -> Pieces:
    """Gather the tables of instance creation, all blocks of which are done."""
    counts, cut = [], 0
    tables: list[tuple[np.ndarray, np.ndarray]] = [(np.zeros(0, np.int64),) * 2]
    for number in range(len(created.grid)):
        record = record_of(created, number)
        counts.append(record["objects"])
        cut += record["cut"]
        if record["objects"]:
            arrays = read_table(created, number)
            tables.append((arrays["voxels"], arrays["first"]))
    voxels, first = (np.concatenate(columns) for columns in zip(*tables, strict=True))
    return Pieces(np.concatenate([[0], np.cumsum(counts)]), voxels, first, cut)


def read_pairs(ledger: Ledger, offsets: np.ndarray) -> np.ndarray:
    """Gather the pairs of all blocks, (n, 2) int64 numbers of pieces."""
    found = [np.zeros((0, 2), np.int64)]
    for number in range(len(ledger.grid)):
        if record_of(ledger, number)["pairs"]:
            other, own, theirs = read_table(ledger, number)["pairs"].T
            ends = offsets[number] + own - 1, offsets[other] + theirs - 1
            found.append(np.stack(ends, axis=1))
    return np.concatenate(found)


def open_labels(
    folder: Path,
    created: Ledger,
    compared: Ledger,
    values: Mapping[str, Any],
    *,
    target: Path | None,
    spacing: Sequence[float],
    min_size: int = 1,
    stage: str = LABELS,
) -> Ledger:
    """Number the objects and begin the final labels, or go on with them.

    Parameters
    ----------
    folder : of this stage
    created, compared : the finished stages before
    values : all that decides the result
    target : final place of the labels; None = they stay
    spacing : µm per voxel, (z)yx
    min_size : objects of fewer voxels are dropped
    stage : name of this stage

    Raises
    ------
    ConfigError : blocks of the comparison are missing; they are named
    """
    require(compared)

    def fill(partial: Path) -> None:
        pieces = read_pieces(created)
        pairs = read_pairs(compared, pieces.offsets)
        numbering = number_objects(pieces.voxels, pieces.first, pairs, min_size=min_size)
        _write_numbering(partial, pieces, numbering)
        io.make_labels(
            partial / "data.zarr",
            name=io.stem_of(target.name) if target else stage,
            shape=created.grid.shape,
            chunks=chunk_of(created.grid.block),
            dtype=io.smallest_label_type(numbering.objects),
            spacing=spacing,
        )

    return open_ledger(folder, stage, created.grid, values, target=target, fill=fill)


def _write_numbering(folder: Path, pieces: Pieces, numbering: Numbering) -> None:
    """The object of every piece, as arrays that are mapped into memory, and what to tell."""
    with io.atomic_path(folder / "ids.npy") as partial, partial.open("wb") as file:
        np.save(file, numbering.ids, allow_pickle=False)
    with io.atomic_path(folder / "offsets.npy") as partial, partial.open("wb") as file:
        np.save(file, pieces.offsets, allow_pickle=False)
    summary = {
        "objects": numbering.objects,
        "pieces": int(np.count_nonzero(pieces.voxels)),
        "joined": numbering.joined,
        "cut": pieces.cut,
    }
    io.write_json(folder / "summary.json", summary)


def labels_work(ledger: Ledger, created: Ledger) -> Work:
    """The function that writes the final ids of one block."""
    source, target = open_data(created), open_data(ledger)
    ids = np.load(known_file(ledger, "ids.npy"), mmap_mode="r", allow_pickle=False)
    offsets = np.load(known_file(ledger, "offsets.npy"), allow_pickle=False)

    def work(number: int) -> dict[str, Any]:
        box = ledger.grid[number].core
        pieces = source[box.slices]
        checked(created, number, record_of(created, number)["hash"], pieces)
        own = np.asarray(ids[offsets[number] : offsets[number + 1]])
        table = np.concatenate([np.zeros(1, np.uint64), own]).astype(target.dtype)
        labels = table[pieces]
        write_box(ledger.data, target, box, labels)
        return {"objects": len(np.unique(own[own > 0])), "hash": hash_of(labels)}

    return work
