"""Stages: what turns stored arrays and tables into others, as values that any executor can run.

A run is a list of them. Whether an image is one block in memory or thousands that many jobs share
is not known here: a stage says what it needs, how it does one block, and what is published.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from jaxseg.blocks.grid import Block, BlockGrid
from jaxseg.geometry import Box
from jaxseg.volume import Readable

Arrays = Mapping[str, np.ndarray]
Progress = Callable[[int, int], None]
NOTHING: Mapping[Any, Any] = MappingProxyType({})


class Noted(NamedTuple):
    """What is known of a block beside its voxels.

    Parameters
    ----------
    tables : arrays of any lengths by name; none = nothing to tell
    counts : small numbers, which are read without the tables
    """

    tables: Arrays = NOTHING
    counts: Mapping[str, int] = NOTHING


class Made(NamedTuple):
    """What a stage makes of one block.

    Parameters
    ----------
    array : (*core) or (*core, K), None for a stage that makes only tables
    note : the tables; called only where somebody needs them
    pictures : how it came about, by file; written for images in memory alone
    """

    array: np.ndarray | None = None
    note: Callable[[], Noted] = Noted
    pictures: Mapping[Path, np.ndarray] = NOTHING


class Result:
    """What a step made, to be read by the stages that need it."""

    @property
    def digest(self) -> str:
        """Hash of all that decides it."""
        return ""

    @property
    def array(self) -> Readable:
        """The whole volume, read by slices: (z)yx, channels last."""
        raise TypeError(f"{type(self).__name__} has no voxels")

    @property
    def known(self) -> Arrays:
        """The summary that a stage was begun with."""
        return {}

    @property
    def frame(self) -> pd.DataFrame:
        """The rows of a table."""
        raise TypeError(f"{type(self).__name__} is no table")

    def core(self, number: int) -> np.ndarray:
        """The voxels of a block."""
        raise TypeError(f"{type(self).__name__} has no blocks")

    def check(self, number: int, values: np.ndarray) -> None:
        """Refuse voxels of a block that are not what was written."""

    def tables(self, number: int) -> Arrays:
        """The tables of a block."""
        return {}

    def counts(self, number: int) -> Mapping[str, Any]:
        """The counts of a block."""
        return {}


Results = Mapping["Step", Result]
Summarise = Callable[[Results], Arrays]
Do = Callable[[Block, Results, Arrays], Made]


@dataclass(frozen=True, kw_only=True)
class Output:
    """An array that a stage writes.

    Parameters
    ----------
    spacing : size of a voxel, (z)yx, µm
    dtype : element type, or a function of the results and the summary that gives it
    target : where it is published; None = it is only for other stages
    channels : names of the last axis; none = labels, without such an axis
    chunks : of the store of an image that is one block; empty = as blocks have them
    light : of an image in memory a TIFF file is enough
    what, word : its name, and what is done to an image that has it, for people
    """

    spacing: tuple[float, ...]
    dtype: Any
    target: Path | None = None
    channels: tuple[str, ...] = ()
    chunks: tuple[int, ...] = ()
    light: bool = False
    what: str = "labels"
    word: str = "decoded"

    def type(self, results: Results, known: Arrays) -> Any:
        """The element type."""
        fixed = isinstance(self.dtype, (str, type, np.dtype))
        return self.dtype if fixed else self.dtype(results, known)


@dataclass(frozen=True, eq=False, kw_only=True)
class Stage:
    """A step that is done block by block.

    Parameters
    ----------
    name : shown and stored, never parsed
    phase : of the run that does it
    grid : the blocks
    needs : whose results it reads
    values : options that decide its result
    reads : files that decide its result, by name
    summarise : once per image, from the results of ``needs``: what every block needs to know
    work : one block: a pure function of the results and the summary
    stream : in place of ``work``, fills a box of any size: (box, sink, progress)
    output : the array that it writes; None = tables only
    done : what is then done to a block, for messages
    warn : of the summary, once all blocks are done, what the user should know
    beside : about how many bytes of tables all blocks write
    """

    name: str
    phase: str
    grid: BlockGrid
    needs: tuple[Step, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    reads: Mapping[str, str | Path] = field(default_factory=dict)
    summarise: Summarise = lambda results: NOTHING
    work: Do | None = None
    stream: Callable[[Box, Any, Progress], None] | None = None
    output: Output | None = None
    done: str = "done"
    warn: Callable[[Arrays], str] = lambda known: ""
    beside: int = 0


@dataclass(frozen=True, eq=False, kw_only=True)
class View:
    """A volume that is made while it is read, and stored nowhere.

    Parameters
    ----------
    name, needs : as of a :class:`Stage`
    phase : none: it is made wherever it is read
    reads : files that decide it, by name, looked for when they are asked for
    shape, dtype : of the volume
    read : a box, (*box.shape) or (*box.shape, K)
    """

    name: str
    shape: tuple[int, ...]
    read: Callable[[Box, Results], np.ndarray]
    dtype: Any = np.float32
    phase: str = ""
    needs: tuple[Step, ...] = ()
    reads: Callable[[], Mapping[str, str | Path]] = dict


@dataclass(frozen=True, eq=False, kw_only=True)
class Table:
    """A table about a whole image, made once all blocks of the stages it needs are done.

    Parameters
    ----------
    name, phase, needs : as of a :class:`Stage`
    gather : the rows, from the results
    target : CSV file; None = it is only for other stages
    """

    name: str
    phase: str
    needs: tuple[Step, ...]
    gather: Callable[[Results], pd.DataFrame]
    target: Path | None = None


Step = Stage | View | Table


def with_needs(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Steps and all that they need, each once, after what it needs."""
    found: dict[Step, None] = {}

    def add(step: Step) -> None:
        if step not in found:
            for need in step.needs:
                add(need)
            found[step] = None

    for step in steps:
        add(step)
    return tuple(found)


def levels(steps: Sequence[Step], phase: str) -> list[list[Stage]]:
    """The stages of a phase in turns; every turn needs only those before it.

    Jobs that share the work wait for one another once per turn.
    """
    depth: dict[Step, int] = {}
    turns: list[list[Stage]] = []
    for step in with_needs(steps):
        before = max((depth[need] for need in step.needs), default=0)
        mine = isinstance(step, Stage) and step.phase == phase
        depth[step] = before + mine
        if mine:
            turns.extend([] for _ in range(depth[step] - len(turns)))
            turns[before].append(step)  # type: ignore[arg-type]
    return turns


def whole_grid(shape: Sequence[int]) -> BlockGrid:
    """An image as one block.

    >>> len(whole_grid((20, 300, 300)))
    1
    """
    ones = (1,) * len(shape)
    return BlockGrid(tuple(shape), tuple(shape), ones, ones)
