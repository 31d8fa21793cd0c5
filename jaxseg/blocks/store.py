"""Reading and writing the data of one block, on disk before anyone is told."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jaxseg import io
from jaxseg.blocks.grid import BlockGrid
from jaxseg.blocks.ledger import (
    BlockDamaged,
    Ledger,
    damaged_block,
    finished,
    known_file,
    known_names,
    ranges,
    undo,
)
from jaxseg.errors import InputError
from jaxseg.geometry import Box
from jaxseg.io.atomic import refusal
from jaxseg.io.stored import ZarrArray
from jaxseg.volume import Readable, parse_index

# Longest side of a chunk, so that reading a halo reads little more than the halo.
CHUNK_SIDE = {2: 512, 3: 64}
# Beginning of the files of what a stage knows of the whole volume.
KNOWN = "known_"


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


@dataclass(frozen=True)
class BlockArray(ZarrArray):
    """The array of a stage: blocks that turn out to be damaged are done again by the next run."""

    ledger: Ledger

    def __getitem__(self, index: Any) -> np.ndarray:
        try:
            return super().__getitem__(index)
        except InputError as error:
            refuse_damaged(self.ledger, _touched(self.ledger.grid, index), error)
            raise


@dataclass(frozen=True)
class Mended:
    """Published voxels of a stage, (z)yx first: damaged blocks are done again by the next run."""

    data: Readable
    ledger: Ledger

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of every axis."""
        return tuple(self.data.shape)

    @property
    def dtype(self) -> np.dtype:
        """Element type."""
        return np.dtype(self.data.dtype)

    def __getitem__(self, index: Any) -> np.ndarray:
        try:
            return self.data[index]
        except InputError as error:
            parts, _ = parse_index(index, self.shape)
            sides = parts[: len(self.ledger.grid.shape)]
            refuse_damaged(self.ledger, _touched(self.ledger.grid, tuple(sides)), error)
            raise


def refuse_damaged(ledger: Ledger, numbers: Iterable[int], error: InputError) -> None:
    """Take back the damaged ones of some blocks after an error in reading them.

    Raises
    ------
    BlockDamaged : there are some; the next run does them again
    """
    bad = undo_damaged(ledger, numbers)
    if bad:
        raise BlockDamaged(
            f"blocks {ranges(bad)} of {ledger.stage} are damaged; they count as not done",
            where=ledger.data,
            fix=f"run the same command again, {ledger.stage} included: they are done anew",
        ) from error


def open_data(ledger: Ledger) -> BlockArray:
    """The array of a stage, to read or write, wherever it is now."""
    place = ledger.data
    try:
        found = io.open_for_writing(place)
    except InputError:
        if ledger.data == place:
            raise
        # Another job completed the stage in between.
        found = io.open_for_writing(ledger.data)
    return BlockArray(found.array, found.path, ledger)


def _touched(grid: BlockGrid, index: Any) -> list[int]:
    """Numbers of the blocks that an index of their array reads of; all where it is not slices."""
    sides = index[-len(grid.shape) :] if isinstance(index, tuple) else ()
    if len(sides) != len(grid.shape) or not all(isinstance(side, slice) for side in sides):
        return list(range(len(grid)))
    bounds = [side.indices(size)[:2] for side, size in zip(sides, grid.shape, strict=True)]
    box = Box(*zip(*bounds, strict=True))
    return [block.number for block in grid if block.core.intersection(box).size > 0]


def undo_damaged(ledger: Ledger, numbers: Iterable[int] | None = None) -> list[int]:
    """Take back blocks whose data are not what was written.

    Parameters
    ----------
    ledger : of the stage
    numbers : of finished blocks to look at; None = all

    Returns
    -------
    numbers of the blocks that were taken back
    """
    looked = finished(ledger) if numbers is None else set(numbers) & finished(ledger)
    bad = [number for number in sorted(looked) if faults(ledger, number)]
    for number in bad:
        undo(ledger, number)
    return bad


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
        place = folder / f"{KNOWN}{name}.npy"
        with io.atomic_path(place) as partial, partial.open("wb") as file:
            np.save(file, array, allow_pickle=False)


def read_table(ledger: Ledger, number: int) -> dict[str, np.ndarray]:
    """The arrays of a finished block, exactly as they were written.

    Raises
    ------
    BlockDamaged : missing or damaged; the next run does the block again
    """
    try:
        return io.read_arrays(ledger.table(number))
    except InputError as error:
        raise damaged_block(ledger, number, "has a damaged or missing table") from error


def known_of(ledger: Ledger) -> dict[str, np.ndarray]:
    """What the stage was begun with, mapped into memory.

    Raises
    ------
    InputError : it is not what was written
    """
    names = [name for name in known_names(ledger) if name.startswith(KNOWN)]
    files = [known_file(ledger, name) for name in names]
    return {
        file.stem.removeprefix(KNOWN): np.load(file, mmap_mode="r", allow_pickle=False)
        for file in files
    }


def faults(ledger: Ledger, number: int) -> list[str]:
    """What is wrong with the data of a block that is marked as done.

    Returns
    -------
    list of sentences, empty if all is as it was written
    """
    wrong = []
    try:
        record = io.read_sealed(ledger.marker(number), "marker")
        if record.get("config") != ledger.digest:
            return ["a marker of another configuration"]
        if record.get("hash"):
            found = io.open_for_writing(ledger.data)
            lead = (slice(None),) * (len(found.shape) - len(ledger.grid.shape))
            values = found[(*lead, *ledger.grid[number].core.slices)]
            wrong += [] if hash_of(values) == record["hash"] else ["its voxels changed"]
        if record.get("tables"):
            arrays = io.read_arrays(ledger.table(number))
            tables = hash_of(*(arrays[name] for name in sorted(arrays)))
            wrong += [] if tables == record["tables"] else ["its tables changed"]
    except InputError as error:
        wrong.append(" ".join(str(error).split()))
    return wrong


def checked(ledger: Ledger, number: int, wanted: str, *arrays: np.ndarray) -> None:
    """Refuse data that are not what the marker of their block says.

    Raises
    ------
    BlockDamaged : another hash; the next run does the block again
    """
    if hash_of(*arrays) != wanted:
        raise damaged_block(ledger, number, "holds data that are not what was written")
