"""Thresholds of a volume, found once before its blocks are decoded."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import numpy as np

from jaxseg.blocks import BlockGrid
from jaxseg.blocks.stage import Arrays
from jaxseg.data import prefetch
from jaxseg.decoding import Levels, Part, Plan, growth_mask, settle, settled
from jaxseg.geometry import Box
from jaxseg.progress import progress

ReadPlanes = Callable[[Box], np.ndarray]


def to_arrays(levels: Levels) -> Arrays:
    """Thresholds as arrays; none where the volume shows no objects."""
    if levels.growth is None:
        return {"growth": np.zeros(0)}
    seeds = [np.nan if level is None else level for level in levels.seeds]
    return {"growth": np.array(levels.growth), "seeds": np.array(seeds, np.float64)}


def from_arrays(known: Arrays) -> Levels:
    """The inverse of :func:`to_arrays`."""
    if not len(known["growth"]):
        return Levels(None, ())
    seeds = tuple(None if np.isnan(level) else level for level in known["seeds"].tolist())
    return Levels(tuple(known["growth"].tolist()), seeds)


def fitted(
    chosen: Plan,
    grid: BlockGrid,
    planes: ReadPlanes,
    *,
    raw: ReadPlanes | None = None,
    reshape: Callable[[np.ndarray, int], np.ndarray] = lambda mask, number: mask,
) -> Levels:
    """The thresholds of a plan for a volume that is read block by block.

    Parameters
    ----------
    chosen : what to find
    grid : the blocks
    planes : reads the planes in a box, (*box.shape, K)
    raw : before they were filtered: filtered noise looks like objects; None = they were not, or
        nobody asks
    reshape : see :func:`jaxseg.decoding.settle`
    """
    with progress("thresholds of the volume") as advance:
        if raw is not None and not _show_objects(chosen, lambda: _parts(grid, raw, advance)):
            return Levels(None, ())
        return settle(chosen, lambda: _parts(grid, planes, advance), reshape=reshape)


def _show_objects(chosen: Plan, parts: Callable[[], Iterator[Part]]) -> bool:
    """Whether there is any place for objects."""
    final = settled(chosen, settle(chosen, parts))
    if final is None:
        return False
    with contextlib.closing(parts()) as found:  # type: ignore[type-var]
        return any(growth_mask(planes, final.growth)[core].any() for planes, core in found)


def _parts(
    grid: BlockGrid, planes: ReadPlanes, advance: Callable[[int, int], None]
) -> Iterator[Part]:
    """The planes of every block with its halo, read ahead."""

    def read(number: int) -> Part:
        block = grid[number]
        return planes(block.read), block.core.relative_to(block.read.start).slices

    for number, part in enumerate(prefetch(read, range(len(grid)), depth=2), start=1):
        advance(number, len(grid))
        yield part
