"""The room on disk that the results of a run take, before there are any."""

from __future__ import annotations

import itertools
import math
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxseg import blocks
from jaxseg.blocks.stage import Output, Stage, with_needs
from jaxseg.config import Config
from jaxseg.errors import ResourceError
from jaxseg.io.levels import coarser, level_steps
from jaxseg.memory import readable
from jaxseg.runs.division import DECODE, division_of_planes, division_of_results
from jaxseg.runs.layout import Run, Work
from jaxseg.runs.results import is_begun, ledger_of
from jaxseg.tasks import all_works, task_of
from jaxseg.tasks.inputs import Samples

# Labels of real objects take less than this part of their size when they are compressed; the
# numbers that a network gives hardly shrink.
LABELS_PACKED = 1 / 8
# An image that is not cut into blocks: longest side of a chunk, and label images beside the labels.
LONGEST_CHUNK, STEPS = 256, 4
# Bytes of a label whose type is not known yet.
LABEL = 4


class Store(NamedTuple):
    """Something that will be written."""

    what: str
    bytes: int
    """Not compressed."""
    files: int
    packs: bool
    """Whether it is labels, which compression makes much smaller."""

    @property
    def least(self) -> int:
        """Bytes that must be free for it."""
        return int(self.bytes * LABELS_PACKED) if self.packs else self.bytes


def space_needed(
    config: Config, run: Run, samples: Samples, phases: Sequence[str]
) -> tuple[Store, ...]:
    """What is still to be written by some phases, by all jobs together.

    Parameters
    ----------
    config, run, samples : of the run, whose finished images and blocks are not counted
    phases : in their order

    Returns
    -------
    one for each kind of result; small tables and pictures are not among them
    """
    found: dict[str, Store] = {}
    for work, done in all_works(config, run, samples.get("test", ()), phases):
        for store in _stores(work, done):
            before = found.get(store.what, store._replace(bytes=0, files=0))
            found[store.what] = store._replace(
                bytes=before.bytes + store.bytes, files=before.files + store.files
            )
    return tuple(found.values())


def _stores(work: Work, phases: Sequence[str]) -> Iterator[Store]:
    config = work.config
    steps = with_needs(task_of(config).steps(work).steps)
    mine = set(phases) | (set(task_of(config).phases) if DECODE in phases else set())
    for stage in steps:
        if isinstance(stage, Stage) and stage.phase in mine and stage.output is not None:
            target = stage.output.target
            if target is None or not target.exists():
                yield _store(work, stage, stage.output)
            if target == work.planes and config.predict.tiff:
                yield _tiff(work, stage.output)


def _tiff(work: Work, output: Output) -> Store:
    """Planes as one file, not compressed."""
    size = math.prod(work.shape) * len(output.channels) * max(4, np.dtype(output.dtype).itemsize)
    return Store(
        "planes as TIFF", 0 if work.planes.with_suffix(".tif").exists() else size, 1, False
    )


def _store(work: Work, stage: Stage, output: Output) -> Store:
    """What a stage still has to write."""
    config, grid = work.config, stage.grid
    size = _voxels(work.shape, work.spacing) if output.target else math.prod(work.shape)
    fixed = isinstance(output.dtype, (str, type, np.dtype))
    size *= np.dtype(output.dtype).itemsize if fixed else LABEL
    size *= max(1, len(output.channels))
    packs = not output.channels
    divided = division_of_planes if output.channels else division_of_results
    whole = divided(config).whole
    if whole and output.channels:
        files = _chunks(work.shape, (LONGEST_CHUNK,) * len(work.shape))
        return Store(output.what, size, files, packs)
    if whole:
        beside = 0 if output.target is None else 1 + STEPS
        return Store(output.what, beside * size, beside, packs)
    if packs and output.target is not None:
        size *= 1 + config.blocks.tiff
    done = len(blocks.finished(ledger_of(work, stage))) if is_begun(work, stage) else 0
    # A marker for every block, and a table where a stage tells more.
    files = _chunks(grid.shape, blocks.chunk_of(grid.block)) + 2 * len(grid)
    left = 1 - done / len(grid)
    return Store(output.what, int((size + stage.beside) * left), int(files * left), packs)


def _voxels(shape: Sequence[int], spacing: Sequence[float]) -> int:
    """Of an image and its coarser levels."""
    sizes = itertools.accumulate(level_steps(shape, spacing), coarser, initial=list(shape))
    return sum(map(math.prod, sizes))


def _chunks(shape: Sequence[int], chunk: Sequence[int]) -> int:
    """Chunks of an array, and the folders that they lie in."""
    counts = [-(-size // side) for size, side in zip(shape, chunk, strict=True)]
    return sum(math.prod(counts[:depth]) for depth in range(1, len(counts) + 1))


def free_space(folder: Path) -> tuple[int, int]:
    """Bytes and files that can still be written to a folder that may not be there yet.

    Returns
    -------
    bytes, files; -1 files where the file system has no limit
    """
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(there).free
    if not hasattr(os, "statvfs"):
        return free, -1
    stats = os.statvfs(there)
    return free, stats.f_favail if stats.f_files else -1


def refuse_without_space(stores: Iterable[Store], folder: Path) -> None:
    """Refuse to begin what the disk cannot hold.

    Parameters
    ----------
    stores : of :func:`space_needed`
    folder : of the results

    Raises
    ------
    ResourceError : with what is needed and what is there
    """
    stores = tuple(stores)
    least, files = sum(store.least for store in stores), sum(store.files for store in stores)
    free, left = free_space(folder)
    if least > free:
        raise ResourceError(
            "the results will not fit the disk",
            where=folder,
            expected=f"at least {readable(least)} free",
            found=readable(free),
            fix="free some space, --out on another disk, or --predict.dtype float16",
        )
    if 0 <= left < files:
        raise ResourceError(
            "the results have more files than the disk can hold",
            where=folder,
            expected=f"room for {files:,}",
            found=f"{left:,}",
            fix="larger blocks, or --out on another disk",
        )
