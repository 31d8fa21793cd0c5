"""Agglomeration of a volume by blocks, for tests: the stages one after another in a folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from jaxseg.blocks import BlockGrid
from jaxseg.blocks.stage import Output, View
from jaxseg.config import Agglomeration, Channel
from jaxseg.stages.decoders import STAGES, Decoding
from support import blockwise
from support.stages import by_blocks


def agglomerated(
    folder: Path,
    grid: BlockGrid,
    planes: np.ndarray,
    channels: tuple[Channel, ...],
    options: Agglomeration | None = None,
    *,
    spacing: tuple[float, ...] | None = None,
    numbers: Iterable[int] | None = None,
) -> np.ndarray:
    """All stages; blocks in the order of ``numbers``, if that is given."""
    output = Output(spacing=spacing or (1.0,) * (planes.ndim - 1), dtype=np.uint32,
                    target=folder / "final" / "labels.zarr")  # fmt: skip
    source = View(name="planes", shape=grid.shape, read=lambda box, results: planes[box.slices])
    given = Decoding(source, source, None, grid, channels, "agglomeration",
                     options or Agglomeration(), output)  # fmt: skip
    ledger = by_blocks(folder, STAGES["agglomeration"](given), numbers).ledger
    return blockwise.labels_of(ledger)
