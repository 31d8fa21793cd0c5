"""Prediction by blocks: tiles stream through the network, and blocks are kept as they fill up."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np

from jaxseg.blocks.grid import BlockGrid
from jaxseg.blocks.ledger import Ledger, mark
from jaxseg.blocks.store import hash_of, open_data, write_box
from jaxseg.geometry import Box


class BlockSink:
    """An output of :func:`jaxseg.prediction.predict` that keeps only blocks that are asked for.

    Values arrive in slabs; a block is written and marked as soon as its last voxel arrived, so that
    a prediction that is killed loses no more than the blocks that were not full.

    Parameters
    ----------
    ledger : of the prediction
    wanted : numbers of the blocks to keep; all else that arrives is dropped
    """

    def __init__(self, ledger: Ledger, wanted: Sequence[int]) -> None:
        self._ledger, self._wanted = ledger, frozenset(wanted)
        self._array = open_data(ledger)
        self._waiting: dict[int, np.ndarray] = {}
        self._missing: dict[int, int] = {}

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the whole volume, channels last."""
        return (*self._ledger.grid.shape, self._array.shape[0])

    @property
    def dtype(self) -> np.dtype:
        """Element type of the store."""
        return self._array.dtype

    def __setitem__(self, index: tuple[slice, ...], values: np.ndarray) -> None:
        """Take a slab, (*S, K); no voxel may come twice."""
        ndim = len(self._ledger.grid.shape)
        box = Box(*zip(*((side.start, side.stop) for side in index[:ndim]), strict=True))
        for number in touching(self._ledger.grid, box):
            if number in self._wanted:
                self._take(number, box, values)

    def _take(self, number: int, box: Box, values: np.ndarray) -> None:
        """Copy what of a slab lies in a block."""
        core = self._ledger.grid[number].core
        if number not in self._waiting:
            self._waiting[number] = np.empty((self._array.shape[0], *core.shape), self.dtype)
            self._missing[number] = core.size
        shared = core.intersection(box)
        part = values[shared.relative_to(box.start).slices]
        inside = shared.relative_to(core.start).slices
        self._waiting[number][(slice(None), *inside)] = np.moveaxis(part, -1, 0)
        self._missing[number] -= shared.size
        if not self._missing[number]:
            self._keep(number, self._waiting.pop(number))

    def _keep(self, number: int, values: np.ndarray) -> None:
        """Write and mark a full block."""
        try:
            core = self._ledger.grid[number].core
            write_box(self._ledger.data, self._array, core, values)
            mark(self._ledger, number, {"hash": hash_of(values)})
        except FileNotFoundError:
            # Where another job did the block meanwhile, complete data moved away.
            if not self._ledger.marker(number).exists():
                raise


def touching(grid: BlockGrid, box: Box) -> Iterator[int]:
    """Numbers, ascending, of the blocks whose cores share voxels with a box in the volume.

    >>> list(touching(BlockGrid((8, 8), (4, 4), (1, 1), (1, 1)), Box((3, 0), (5, 4))))
    [0, 2]
    """
    axes = zip(box.start, box.stop, grid.block, strict=True)
    for index in itertools.product(*(range(a // b, -(-stop // b)) for a, stop, b in axes)):
        yield grid.at(index).number


def regions(
    grid: BlockGrid, waiting: Sequence[int], planes: int, *, budget_bytes: int = 2**29
) -> Iterator[tuple[Box, list[int]]]:
    """Boxes to predict one after another so that blocks that are not full yet fit the budget.

    Tiles at the sides of a box are computed for the box beyond, too, so boxes are as wide as the
    budget allows, and as long along the first axis as blocks are waiting without a gap.

    Parameters
    ----------
    grid : the blocks
    waiting : numbers of the blocks to predict
    planes : values per voxel
    budget_bytes : for a layer of blocks of a box in float32; a box is at least one block wide

    Yields
    ------
    box, and the numbers of the waiting blocks in it; every waiting block is in one
    """
    one = 4 * planes * math.prod(grid.block)
    side = max(1, int((budget_bytes / one) ** (1 / (len(grid.shape) - 1))))
    groups: dict[tuple[int, ...], list[int]] = {}
    for number in sorted(waiting):
        groups.setdefault(tuple(i // side for i in grid[number].index[1:]), []).append(number)
    for numbers in groups.values():
        run: list[int] = []
        for number in numbers:
            if run and grid[number].index[0] > grid[run[-1]].index[0] + 1:
                yield _hull(grid, run), run
                run = []
            run.append(number)
        yield _hull(grid, run), run


def _hull(grid: BlockGrid, numbers: Sequence[int]) -> Box:
    """The smallest box that holds some blocks."""
    cores = [grid[number].core for number in numbers]
    start = map(min, *(core.start for core in cores), cores[0].start)
    stop = map(max, *(core.stop for core in cores), cores[0].stop)
    return Box(tuple(start), tuple(stop))
