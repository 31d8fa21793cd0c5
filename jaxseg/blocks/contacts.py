"""Which pieces of neighbouring blocks are one object: a comparison on the same voxels.

Two blocks have labelled the voxels about their common face, edge or corner, each with context of
its own. Pieces that share more than half of their union there are the same object. The share is
symmetric, and above one half a piece has at most one partner in the other block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from jaxseg.blocks.grid import Block, BlockGrid
from jaxseg.geometry import Box
from jaxseg.metrics import overlap

Slabs = Mapping[str, np.ndarray]


def same_objects(labels: np.ndarray, others: np.ndarray, *, threshold: float = 0.5) -> np.ndarray:
    """Pairs of ids that mean the same object in two labellings of the same voxels.

    Parameters
    ----------
    labels, others : (*S) non-negative integers
    threshold : two ids are one object if their intersection over union is larger

    Returns
    -------
    (n, 2) int64, ids of ``labels`` and of ``others``

    >>> same_objects(np.array([1, 1, 1, 0, 2]), np.array([5, 5, 5, 5, 6])).tolist()
    [[1, 5], [2, 6]]
    """
    found = overlap(labels, others)
    same = found.iou > threshold
    ids = found.true_ids[found.rows[same]], found.labels_ids[found.cols[same]]
    return np.stack(ids, axis=1).astype(np.int64)


def slab_name(axis: int, side: int) -> str:
    """The name that the labels at an end of a block are stored under."""
    return f"axis{axis}_{'low' if side < 0 else 'high'}"


def slabs_of(grid: BlockGrid, block: Block, labels: np.ndarray) -> dict[str, np.ndarray]:
    """The labels about every end of a block that has a neighbour, copied out of its wide box.

    Parameters
    ----------
    grid, block : whose labels
    labels : (*wide) integers

    Returns
    -------
    by name, see :func:`slab_name`
    """
    found = {}
    for axis, (index, count) in enumerate(zip(block.index, grid.count, strict=True)):
        for side in (-1, 1):
            if 0 <= index + side < count:
                box = grid.slab(block, axis, side).relative_to(block.wide.start)
                found[slab_name(axis, side)] = labels[box.slices].copy()
    return found


def contacts(
    grid: BlockGrid, block: Block, read: Callable[[int], Slabs], *, threshold: float = 0.5
) -> Iterator[tuple[int, np.ndarray]]:
    """What a block shares with the neighbours of larger number.

    Parameters
    ----------
    grid, block : which block
    read : the slabs of a block by its number, empty for a block without objects
    threshold : see :func:`same_objects`

    Yields
    ------
    number of the neighbour, and (n, 2) int64 ids of this block and of the neighbour; only where
    there are any
    """
    own = read(block.number)
    for other in grid.neighbours(block) if own else ():
        theirs = read(other.number)
        if not theirs:
            continue
        axis = next(
            a for a, (i, j) in enumerate(zip(block.index, other.index, strict=True)) if i != j
        )
        side = other.index[axis] - block.index[axis]
        shared = block.wide.intersection(other.wide)
        pairs = same_objects(
            _part(own, grid, block, axis, side, shared),
            _part(theirs, grid, other, axis, -side, shared),
            threshold=threshold,
        )
        if len(pairs):
            yield other.number, pairs


def _part(
    slabs: Slabs, grid: BlockGrid, block: Block, axis: int, side: int, box: Box
) -> np.ndarray:
    """The labels of a box that lies in a slab of a block."""
    start = grid.slab(block, axis, side).start
    return slabs[slab_name(axis, side)][box.relative_to(start).slices]
