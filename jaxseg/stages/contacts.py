"""Which pieces of neighbouring blocks are one object: a comparison on the same voxels.

Two blocks have labelled the voxels about their common face, edge or corner, each with context of
its own. Compared are the connected parts of the pieces there: two branches of one object are one
piece where a block sees them meet, and two where they meet outside of it. Parts that reach into the
cores of both blocks and share more than half of their union are the same object. The share is
symmetric, and above one half a part has at most one partner.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import cc3d
import numpy as np

from jaxseg.blocks import Block, BlockGrid
from jaxseg.geometry import Box
from jaxseg.labels.contacts import FACES

Slabs = Mapping[str, np.ndarray]
# What a block shares with others, as :func:`contacts` tells it.
Compare = Callable[[BlockGrid, Block, Callable[[int], Slabs]], Iterator[tuple[int, np.ndarray]]]


def same_objects(
    labels: np.ndarray,
    others: np.ndarray,
    *,
    threshold: float = 0.5,
    sides: Sequence[tuple[slice, ...]] = (),
) -> np.ndarray:
    """Pairs of ids that mean the same object in two labellings of the same voxels.

    Parameters
    ----------
    labels, others : (*S) non-negative integers, two or three axes
    threshold : connected parts of two ids are one object if their intersection over union is larger
    sides : places of which each must hold a voxel that both parts share

    Returns
    -------
    (n, 2) int64, ids of ``labels`` and of ``others``, every pair once

    >>> same_objects(np.array([[1, 1, 1, 0, 2]]), np.array([[5, 5, 5, 5, 6]])).tolist()
    [[1, 5], [2, 6]]
    """
    parts, names = _parts(labels)
    other_parts, other_names = _parts(others)
    width = len(other_names)
    codes, places = _compact(parts.astype(np.int64) * width + other_parts, len(names) * width)
    rows, cols = np.divmod(codes, width)
    shared = np.bincount(places.ravel(), minlength=len(codes))
    union = np.bincount(rows, shared)[rows] + np.bincount(cols, shared)[cols] - shared
    same = (rows > 0) & (cols > 0) & (shared > threshold * union)
    for side in sides:
        there = np.zeros(len(codes), bool)
        there[places[side]] = True
        same &= there
    ends = int(others.max(initial=0)) + 1
    found = np.unique(names[rows[same]].astype(np.int64) * ends + other_names[cols[same]])
    return np.stack(np.divmod(found, ends), axis=1)


def _compact(codes: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Codes that hold all of these below ``count``, and every voxel's place among them."""
    if count <= codes.size:
        return np.arange(count), codes
    found, places = np.unique(codes, return_inverse=True)
    return found, places.reshape(codes.shape)


def _parts(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Connected parts of every id, numbered from 1, and the id of every number."""
    parts, count = cc3d.connected_components(
        np.ascontiguousarray(labels), connectivity=FACES[labels.ndim], return_N=True
    )
    names = np.zeros(count + 1, labels.dtype)
    names[parts] = labels
    return parts, names


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
    by name, see :func:`slab_name`, in the smallest type that holds them
    """
    found, dtype = {}, np.min_scalar_type(labels.max(initial=0))
    for axis, (index, count) in enumerate(zip(block.index, grid.count, strict=True)):
        for side in (-1, 1):
            if 0 <= index + side < count:
                box = grid.slab(block, axis, side).relative_to(block.wide.start)
                found[slab_name(axis, side)] = labels[box.slices].astype(dtype)
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
    for other, own, theirs in shared_labels(grid, block, read):
        shared = block.wide.intersection(other.wide)
        pairs = same_objects(
            own,
            theirs,
            threshold=threshold,
            sides=[
                one.core.intersection(shared).relative_to(shared.start).slices
                for one in (block, other)
            ],
        )
        if len(pairs):
            yield other.number, pairs


def shared_labels(
    grid: BlockGrid, block: Block, read: Callable[[int], Slabs]
) -> Iterator[tuple[Block, np.ndarray, np.ndarray]]:
    """What a block and its neighbours of larger number say of the voxels that both keep.

    Parameters
    ----------
    grid, block, read : as for :func:`contacts`

    Yields
    ------
    neighbour, and the labels of both of the voxels in both wide boxes
    """
    own = read(block.number)
    for other in grid.neighbours(block) if own else ():
        theirs = read(other.number)
        if not theirs:
            continue
        steps = [b - a for a, b in zip(block.index, other.index, strict=True)]
        axis = next(axis for axis, step in enumerate(steps) if step)
        shared = block.wide.intersection(other.wide)
        yield (
            other,
            _part(own, grid, block, axis, steps[axis], shared),
            _part(theirs, grid, other, axis, -steps[axis], shared),
        )


def _part(
    slabs: Slabs, grid: BlockGrid, block: Block, axis: int, side: int, box: Box
) -> np.ndarray:
    """The labels of a box that lies in a slab of a block."""
    start = grid.slab(block, axis, side).start
    return slabs[slab_name(axis, side)][box.relative_to(start).slices]


def ends_bytes(grid: BlockGrid) -> int:
    """Bytes of the labels about the ends of all blocks that have a neighbour there, uint32."""
    axes = list(zip(grid.shape, grid.band, grid.count, strict=True))
    wide = [size + 2 * band * (count - 1) for size, band, count in axes]
    return sum(
        4 * 2 * (count - 1) * 2 * band * math.prod(wide[:axis] + wide[axis + 1 :])
        for axis, (_, band, count) in enumerate(axes)
    )
