"""Stages in ledgers: begun, done block by block, and read again by the stages after them."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxseg import io
from jaxseg.blocks.engine import Work
from jaxseg.blocks.ledger import Ledger, Record, open_ledger, record_of, require
from jaxseg.blocks.stage import Arrays, Made, Result, Results, Stage
from jaxseg.blocks.store import (
    CHUNK_SIDE,
    checked,
    chunk_of,
    hash_of,
    known_of,
    open_data,
    read_table,
    write_box,
    write_known,
    write_table,
)
from jaxseg.volume import Readable

# Tables of neighbours that a block is compared with.
HELD = 64


class Stored(Result):
    """What a stage wrote to its ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._held = functools.lru_cache(HELD)(self._read)
        self._open = functools.lru_cache(1)(lambda place: open_data(ledger))

    @property
    def digest(self) -> str:
        """Hash of all that decides it."""
        return self.ledger.digest

    @property
    def array(self) -> Readable:
        """The whole volume; complete data move to their final place."""
        return self._open(self.ledger.data)

    @functools.cached_property
    def known(self) -> Arrays:
        """The summary that the stage was begun with."""
        return known_of(self.ledger)

    def core(self, number: int) -> np.ndarray:
        """The voxels of a block, which must be those that were written."""
        values = self.array[self.ledger.grid[number].core.slices]
        self.check(number, values)
        return values

    def check(self, number: int, values: np.ndarray) -> None:
        """Refuse voxels of a block that are not what was written."""
        checked(self.ledger, number, self.counts(number)["hash"], values)

    def counts(self, number: int) -> Record:
        """The counts of a block."""
        return record_of(self.ledger, number)

    def tables(self, number: int) -> Arrays:
        """The tables of a block."""
        return self._held(number)

    def _read(self, number: int) -> Arrays:
        written = self.counts(number).get("tables")
        return read_table(self.ledger, number) if written else {}


def open_stage(
    stage: Stage, folder: Path, results: Results, values: Mapping[str, Any] | None = None
) -> Ledger:
    """Begin a stage, or go on with it; see :func:`jaxseg.blocks.open_ledger`.

    Parameters
    ----------
    stage : what is to be done
    folder : of its ledger
    results : of all stages that it needs
    values : more that decides the result, such as versions of the files that are read

    Raises
    ------
    ConfigError : blocks of a stage that it needs are missing; they are named
    """
    needed = [(need, results[need]) for need in stage.needs]
    for _, result in needed:
        if isinstance(result, Stored):
            require(result.ledger)
    before = {need.name: result.digest for need, result in needed}

    def fill(partial: Path) -> None:
        known = stage.summarise(results)
        if known:
            write_known(partial, known)
        if stage.output is not None:
            _make_store(stage, partial / "data.zarr", stage.output.type(results, known))

    return open_ledger(
        folder,
        stage.name,
        stage.grid,
        {**stage.values, **(values or {}), **before},
        target=stage.output.target if stage.output else None,
        fill=fill,
    )


def _make_store(stage: Stage, folder: Path, dtype: Any) -> None:
    """The empty store that the blocks fill."""
    output, grid = stage.output, stage.grid
    assert output is not None
    # One block alone has one writer, however its chunks lie.
    chunks = chunk_of(grid.block) if len(grid) > 1 else tuple(
        min(CHUNK_SIDE[len(grid.shape)], side) for side in grid.shape
    )  # fmt: skip
    name = io.stem_of((output.target or Path(stage.name)).name)
    if output.channels:
        planes = len(output.channels)
        io.make_planes(
            folder,
            name=name,
            shape=(*grid.shape, planes),
            chunks=(*chunks, planes),
            dtype=dtype,
            spacing=output.spacing,
            channel_names=output.channels,
        )
    else:
        io.make_labels(
            folder,
            name=name,
            shape=grid.shape,
            chunks=chunks,
            dtype=dtype,
            spacing=output.spacing,
            levels=output.target is not None,
        )


def work_of(stage: Stage, ledger: Ledger, results: Results) -> Work:
    """The function that does one block and writes what it made.

    Returns
    -------
    number of a block to the record for its marker
    """
    do, known = stage.work, Stored(ledger).known
    assert do is not None
    array = open_data(ledger) if stage.output else None

    def work(number: int) -> Record:
        block = ledger.grid[number]
        made: Made = do(block, results, known)
        record: dict[str, Any] = {}
        if made.array is not None and array is not None:
            values = made.array.astype(array.dtype, copy=False)
            if values.ndim > len(block.core.shape):
                values = np.moveaxis(values, -1, 0)
            write_box(ledger.data, array, block.core, values)
            record["hash"] = hash_of(values)
        noted = made.note()
        record |= noted.counts
        record["tables"] = write_table(ledger, number, noted.tables) if noted.tables else ""
        return record

    return work
