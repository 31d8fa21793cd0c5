"""Changed objects: each stage reads finished labels and writes new ones.

An operation is a function of the labels of a whole image. By blocks it is the same if it says of
what kind it is: whole objects go for their size or place; what becomes of a voxel depends on a few
around it; or on the boxes of the objects that it lies in. What fits no kind is done to the whole.
Every stage notes how large its objects are and where, for the stages after it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from jaxseg.blocks import Block, BlockGrid
from jaxseg.blocks.stage import Arrays, Made, Noted, Output, Results, Stage, Step, whole_grid
from jaxseg.geometry import Box
from jaxseg.stages.extents import Extents, box_of_objects, extents, extents_of
from jaxseg.volume import Readable

# Labels of any part of a volume to labels of the same part; and the new labels in a box.
Function = Callable[[np.ndarray], np.ndarray]
Change = Callable[[Box, Results, Arrays], np.ndarray]


class Renames(NamedTuple):
    """Whole objects go: (extents of all, shape of the volume) to (objects,) bool, which ones."""

    gone: Callable[[Extents, Sequence[int]], np.ndarray | None]


class Nearby(NamedTuple):
    """What becomes of a voxel depends on those so many voxels around it, per axis."""

    margin: tuple[int, ...]


class WholeObjects(NamedTuple):
    """What becomes of a voxel depends on the boxes around the objects whose boxes it lies in."""


class All(NamedTuple):
    """What becomes of a voxel may depend on any other."""


@dataclass(frozen=True)
class Operation:
    """One operation on objects.

    Parameters
    ----------
    function : labels (*S) of a whole image to new ones, ids stay
    kind : how it is done by blocks; see the module
    values : options that decide the result
    """

    function: Function
    kind: Renames | Nearby | WholeObjects | All
    values: dict[str, Any]


def operated(
    before: Stage, operation: Operation, grid: BlockGrid, where: Stage | None = None, **options: Any
) -> Stage:
    """The stage of an operation.

    Parameters
    ----------
    before : wrote the objects
    operation : what is done
    grid : the blocks
    where : says where the objects are; None = ``before``
    options : of :func:`changed`
    """
    kind, function, where = operation.kind, operation.function, where or before
    options["values"] = operation.values
    if len(grid) == 1 or isinstance(kind, All):
        whole = whole_grid(grid.shape)

        def everywhere(box: Box, results: Results, known: Arrays) -> np.ndarray:
            return function(results[before].array[box.slices])

        return changed(before, whole, everywhere, **options)
    if isinstance(kind, Nearby):
        margin = kind.margin

        def close(box: Box, results: Results, known: Arrays) -> np.ndarray:
            wide = box.grown(margin, grid.shape)
            return within(results[before].array, wide, box, function)

        return changed(before, grid, close, **options)
    options["needs"] = (where,) * (where is not before)
    if isinstance(kind, Renames):
        gone = kind.gone

        def rest(results: Results) -> Arrays:
            found = extents(results[where], where)
            return {"table": without(found.ids, found.ids[gone(found, grid.shape)])}

        return changed(before, grid, renamed(before), summarise=rest, **options)

    def inside(box: Box, results: Results, known: Arrays) -> np.ndarray:
        around = box_of_objects(Extents(**known), box, grid.shape)
        return within(results[before].array, around, box, function)

    return changed(before, grid, inside, summarise=lambda results: extents(
        results[where], where)._asdict(), **options)  # fmt: skip


def changed(
    before: Stage, grid: BlockGrid, change: Change, *, needs: Sequence[Step] = (), **options: Any
) -> Stage:
    """The stage that writes changed objects, and notes where they are.

    Parameters
    ----------
    before : wrote the objects
    grid : the blocks
    change : the new labels in a box
    needs, options : of the stage, beside
    """

    def work(block: Block, results: Results, known: Arrays) -> Made:
        labels = change(block.core, results, known)

        def note() -> Noted:
            found = extents_of(labels, block.core.start, grid.shape)
            return Noted(found._asdict() if len(found.ids) else {}, {"objects": len(found.ids)})

        return Made(labels, note)

    return Stage(grid=grid, phase=before.phase, needs=(before, *needs), work=work, **options)


def renamed(before: Stage) -> Change:
    """Every id becomes what the table of the summary says, (largest id + 1,)."""

    def change(box: Box, results: Results, known: Arrays) -> np.ndarray:
        return known["table"][results[before].array[box.slices]]

    return change


def without(ids: np.ndarray, gone: np.ndarray) -> np.ndarray:
    """For every id up to the largest what it becomes."""
    table = np.arange(int(ids.max(initial=0)) + 1).astype(ids.dtype)
    table[gone] = 0
    return table


def within(source: Readable, box: Box, core: Box, function: Function) -> np.ndarray:
    """A function of what lies in a box, as far as it lies in a core."""
    return function(source[box.slices])[core.relative_to(box.start).slices]


def like(before: Stage, spacing: tuple[float, ...], **options: Any) -> Output:
    """Labels of the type that another stage wrote."""
    return Output(
        spacing=spacing, dtype=lambda results, known: results[before].array.dtype, **options
    )
