"""Reading and writing the data of one block, on disk before anyone is told."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxseg import io
from jaxseg.blocks.ledger import Ledger, record_of
from jaxseg.errors import InputError
from jaxseg.geometry import Box
from jaxseg.io.atomic import refusal
from jaxseg.io.stored import ZarrArray

# Longest side of a chunk, so that reading a halo reads little more than the halo.
CHUNK_SIDE = {2: 512, 3: 64}
# Folder of what a stage knows of the whole volume.
KNOWN = "known"


def chunk_of(block: Sequence[int]) -> tuple[int, ...]:
    """Chunks that divide a block evenly: none belongs to two blocks, so each has one writer.

    >>> chunk_of((256, 100, 7)), chunk_of((4096, 1000))
    ((64, 50, 7), (512, 500))
    """
    limit = CHUNK_SIDE[len(block)]
    return tuple(
        max(side for side in range(1, min(limit, length) + 1) if length % side == 0)
        if any(length % side == 0 for side in range(limit // 4, limit + 1))
        else length
        for length in block
    )


def open_data(ledger: Ledger) -> ZarrArray:
    """The array of a stage, to read or write, wherever it is now."""
    place = ledger.data
    try:
        return io.open_for_writing(place)
    except InputError:
        if ledger.data == place:
            raise
        # Another job completed the stage in between.
        return io.open_for_writing(ledger.data)


def write_box(folder: Path, array: Any, box: Box, values: np.ndarray) -> None:
    """Write a box of an open store of :mod:`jaxseg.io`, and force it to disk.

    Parameters
    ----------
    folder : of the store
    array : it, open, (z)yx or with a channel axis first
    box : made of whole chunks, up to the ends of the volume
    values : (*box.shape), or with a channel axis first

    Raises
    ------
    ResourceError : disk full, or the store cannot be written
    """
    try:
        _write_chunks(folder, array, box, values)
    except OSError as error:
        raise refusal(error, folder) from error


def _write_chunks(folder: Path, array: Any, box: Box, values: np.ndarray) -> None:
    """Write, then force every chunk and then the names of the chunks to disk."""
    channels = array.shape[: len(array.shape) - len(box.start)]
    lead = tuple(slice(0, n) for n in channels)
    array[(*lead, *box.slices)] = values
    sizes = array.chunks[len(lead) :]
    counts = [range(-(-n // c)) for n, c in zip(channels, array.chunks, strict=False)]
    sides = zip(box.start, box.stop, sizes, strict=True)
    counts += [range(a // c, -(-b // c)) for a, b, c in sides]
    folders = set()
    for place in itertools.product(*counts):
        path = folder / "0" / "c" / "/".join(map(str, place))
        io.sync_entry(path)
        folders.add(path.parent)
    for parent in folders:
        io.sync_entry(parent)


def hash_of(*arrays: np.ndarray) -> str:
    """A hash of the types, shapes and elements of arrays."""
    # The quickest safe one where the processor knows it, as nearly all do.
    found = hashlib.sha256()
    for array in arrays:
        found.update(f"{array.dtype.str}{array.shape}".encode())
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()[:32]


def write_table(ledger: Ledger, number: int, arrays: Mapping[str, np.ndarray]) -> str:
    """Write the arrays of a block beside its data; return their hash."""
    io.write_arrays(ledger.table(number), arrays)
    return hash_of(*(arrays[name] for name in sorted(arrays)))


def write_known(folder: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write what every block of a new stage needs to know of the whole volume."""
    for name, array in arrays.items():
        place = folder / KNOWN / f"{name}.npy"
        with io.atomic_path(place) as partial, partial.open("wb") as file:
            np.save(file, array, allow_pickle=False)


def known_of(ledger: Ledger) -> dict[str, np.ndarray]:
    """What the stage was begun with, mapped into memory."""
    files = sorted((ledger.folder / KNOWN).glob("*.npy"))
    return {file.stem: np.load(file, mmap_mode="r", allow_pickle=False) for file in files}


def faults(ledger: Ledger, number: int) -> list[str]:
    """What is wrong with the data of a block that is marked as done.

    Returns
    -------
    list of sentences, empty if all is as it was written
    """
    wrong = []
    try:
        record = record_of(ledger, number)
        if record.get("hash"):
            array = open_data(ledger)
            lead = (slice(None),) * (len(array.shape) - len(ledger.grid.shape))
            values = array[(*lead, *ledger.grid[number].core.slices)]
            wrong += [] if hash_of(values) == record["hash"] else ["its voxels changed"]
        if record.get("tables"):
            arrays = io.read_arrays(ledger.table(number))
            found = hash_of(*(arrays[name] for name in sorted(arrays)))
            wrong += [] if found == record["tables"] else ["its tables changed"]
    except InputError as error:
        wrong.append(" ".join(str(error).split()))
    return wrong


def checked(ledger: Ledger, number: int, wanted: str, *arrays: np.ndarray) -> None:
    """Refuse data that are not what the marker of their block says.

    Raises
    ------
    InputError : another hash
    """
    if hash_of(*arrays) != wanted:
        raise InputError(
            f"the data of block {number} are not what was written",
            file=ledger.data,
            fix=f"remove {ledger.marker(number)} and run {ledger.stage} again",
        )
