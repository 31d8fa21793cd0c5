"""Counting: every block counts its voxels, and the sums are those of the whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from jaxseg.blocks import Block, BlockGrid
from jaxseg.blocks.stage import Arrays, Made, Noted, Result, Results, Stage
from jaxseg.geometry import Box
from jaxseg.labels import tally
from jaxseg.labels.tally import Tally, merged

# What images say of a box, each (*box.shape), see :func:`jaxseg.labels.tally`.
ReadColumns = Callable[[Box, Results, Arrays], Sequence[np.ndarray]]
# Voxels that are counted at a time; bounds the memory.
MOST_VOXELS = 2**22


def counted(
    name: str, grid: BlockGrid, read: ReadColumns, *, slabs: bool = True, **options: Any
) -> Stage:
    """The stage that counts which combinations of values occur.

    Parameters
    ----------
    name, grid : of the stage
    read : what is counted
    slabs : whether it may be read slab by slab, which takes less memory
    options : of the stage
    """
    cut = slabs_of if slabs else lambda box: (box,)

    def work(block: Block, results: Results, known: Arrays) -> Made:
        def note() -> Noted:
            found = merged(tally(*read(slab, results, known)) for slab in cut(block.core))
            columns = {f"column{place}": column for place, column in enumerate(found.columns)}
            return Noted({**columns, "voxels": found.voxels}, {"rows": len(found.voxels)})

        return Made(note=note)

    return Stage(name=name, grid=grid, work=work, **options)


def slabs_of(box: Box) -> Iterator[Box]:
    """Parts of a box, one after another along the first axis.

    >>> [slab.start for slab in slabs_of(Box((0, 0), (2**12, 2**11)))]
    [(0, 0), (2048, 0)]
    """
    (first, *start), (last, *stop) = box.start, box.stop
    layer = max(1, box.size // max(1, box.shape[0]))
    depth = max(1, MOST_VOXELS // layer)
    for low in range(first, last, depth):
        yield Box((low, *start), (min(low + depth, last), *stop))


def tallied(result: Result, stage: Stage) -> Tally:
    """The counts of the whole volume."""
    return merged(_parts(result, stage))


def _parts(result: Result, stage: Stage) -> Iterator[Tally]:
    for number in range(len(stage.grid)):
        arrays = result.tables(number)
        columns = tuple(arrays[f"column{place}"] for place in range(len(arrays) - 1))
        yield Tally(columns, arrays["voxels"])
