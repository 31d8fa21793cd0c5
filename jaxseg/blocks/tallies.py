"""Counting by blocks: every block counts its voxels, and the sums are those of the whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxseg.blocks.engine import Work
from jaxseg.blocks.grid import BlockGrid
from jaxseg.blocks.ledger import Ledger, open_ledger, require
from jaxseg.blocks.store import read_table, write_known, write_table
from jaxseg.geometry import Box
from jaxseg.labels import tally
from jaxseg.labels.tally import Tally, merged


def open_tallies(
    folder: Path,
    stage: str,
    grid: BlockGrid,
    values: Mapping[str, Any],
    known: Callable[[], Mapping[str, np.ndarray]] = dict,
) -> Ledger:
    """Begin to count, or go on with it; see :func:`jaxseg.blocks.open_ledger`.

    Parameters
    ----------
    folder, stage, grid, values : of this stage
    known : arrays about the whole volume that every block needs, see
        :func:`jaxseg.blocks.known_of`; asked once
    """

    def fill(partial: Path) -> None:
        write_known(partial, known())

    return open_ledger(folder, stage, grid, values, fill=fill)


def tally_work(ledger: Ledger, read: Callable[[Box], Sequence[np.ndarray]]) -> Work:
    """The function that counts the voxels of one block.

    Parameters
    ----------
    ledger : of :func:`open_tallies`
    read : what the images say of a box, each (*box.shape), see :func:`jaxseg.labels.tally`
    """

    def work(number: int) -> dict[str, Any]:
        found = tally(*read(ledger.grid[number].core))
        columns = {f"column{place}": column for place, column in enumerate(found.columns)}
        written = write_table(ledger, number, {**columns, "voxels": found.voxels})
        return {"rows": len(found.voxels), "tables": written}

    return work


def tallied(ledger: Ledger) -> Tally:
    """The counts of the whole volume.

    Raises
    ------
    ConfigError : blocks are missing; they are named
    """
    require(ledger)
    return merged(_parts(ledger))


def _parts(ledger: Ledger) -> Iterator[Tally]:
    for number in range(len(ledger.grid)):
        arrays = read_table(ledger, number)
        columns = tuple(arrays[f"column{place}"] for place in range(len(arrays) - 1))
        yield Tally(columns, arrays["voxels"])
