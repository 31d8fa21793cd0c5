"""Classes by blocks: every voxel by itself, so that blocks need no context."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxseg import io
from jaxseg.blocks.engine import Work
from jaxseg.blocks.grid import BlockGrid
from jaxseg.blocks.ledger import Ledger, open_ledger
from jaxseg.blocks.store import chunk_of, hash_of, open_data, write_box
from jaxseg.geometry import Box

STAGE = "decode"


def open_classes(
    folder: Path,
    grid: BlockGrid,
    values: Mapping[str, Any],
    *,
    target: Path,
    spacing: Sequence[float],
    dtype: Any = np.uint8,
) -> Ledger:
    """Begin to write classes, or go on with it; see :func:`jaxseg.blocks.open_ledger`."""

    def fill(partial: Path) -> None:
        io.make_labels(
            partial / "data.zarr",
            name=io.stem_of(target.name),
            shape=grid.shape,
            chunks=chunk_of(grid.block),
            dtype=dtype,
            spacing=spacing,
        )

    return open_ledger(folder, STAGE, grid, values, target=target, fill=fill)


def classes_work(ledger: Ledger, find: Callable[[Box], np.ndarray]) -> Work:
    """The function that writes the classes of one block.

    Parameters
    ----------
    ledger : of :func:`open_classes`
    find : the classes of a box, (*box.shape)
    """
    array = open_data(ledger)

    def work(number: int) -> dict[str, Any]:
        core = ledger.grid[number].core
        found = find(core).astype(array.dtype)
        write_box(ledger.data, array, core, found)
        return {"hash": hash_of(found)}

    return work
