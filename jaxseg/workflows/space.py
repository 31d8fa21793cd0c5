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
from jaxseg.blocks import BlockGrid
from jaxseg.config import Config
from jaxseg.config.rules.decoding import joins_fragments
from jaxseg.data import Sample
from jaxseg.errors import ResourceError
from jaxseg.io.levels import coarser, level_steps
from jaxseg.memory import readable
from jaxseg.runs.manifest import Run
from jaxseg.workflows.blocks import grid_of, stage_folder
from jaxseg.workflows.classes import stored_planes
from jaxseg.workflows.decoding import labels_path
from jaxseg.workflows.inputs import Samples
from jaxseg.workflows.prediction import planes_path

# Labels of real objects take less than this part of their size when they are compressed; the
# numbers that a network gives hardly shrink.
LABELS_PACKED = 1 / 8
# An image that is not cut into blocks: longest side of a chunk, and label images beside the labels.
LONGEST_CHUNK, STEPS = 256, 4


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
    for sample in samples.get("test", ()):
        for store in _stores(config, run, sample, phases):
            before = found.get(store.what, store._replace(bytes=0, files=0))
            found[store.what] = store._replace(
                bytes=before.bytes + store.bytes, files=before.files + store.files
            )
    return tuple(found.values())


def _stores(config: Config, run: Run, sample: Sample, phases: Sequence[str]) -> Iterator[Store]:
    shape = sample.image.spatial_shape
    voxels, whole = _voxels(shape, sample.image.spacing), not config.blocks.decodes
    if "predict" in phases and not planes_path(run, sample).exists():
        names, dtype = stored_planes(config)
        size = voxels * len(names) * np.dtype(dtype).itemsize
        files = _chunks(shape, (LONGEST_CHUNK,) * len(shape))
        if not config.blocks.size:
            yield Store("planes", size, files, packs=False)
        else:
            yield _by_blocks(config, run, sample, "predict", "planes", size, packs=False)
    done = labels_path(config, run, sample).exists()
    if whole and "decode" in phases and not done:
        yield Store("labels", (1 + STEPS) * 4 * voxels, 1 + STEPS, packs=True)
    if whole or done:
        return
    if "decode" in phases:
        yield _by_blocks(config, run, sample, "decode", "classes", voxels, packs=True)
    if "instance_creation" in phases:
        size = 4 * math.prod(shape) + ends_bytes(grid_of(config, shape))
        name, stage = "pieces of objects", "instance_creation"
        yield _by_blocks(config, run, sample, stage, name, size, packs=True)
    if "instance_merging" in phases:
        copies = 1 + config.blocks.tiff + joins_fragments(config)
        copies += bool(config.postprocess.changes_objects)
        size = 4 * copies * voxels
        yield _by_blocks(config, run, sample, "instance_merging", "labels", size, packs=True)


def _voxels(shape: Sequence[int], spacing: Sequence[float]) -> int:
    """Of an image and its coarser levels."""
    sizes = itertools.accumulate(level_steps(shape, spacing), coarser, initial=list(shape))
    return sum(map(math.prod, sizes))


def _by_blocks(
    config: Config, run: Run, sample: Sample, stage: str, what: str, size: int, *, packs: bool
) -> Store:
    """A result that is written block by block, without the blocks that are done."""
    grid, folder = grid_of(config, sample.image.spatial_shape), stage_folder(run, stage, sample)
    begun = (folder / "ledger.json").exists()
    done = len(blocks.finished(blocks.read_ledger(folder))) if begun else 0
    # A marker for every block, a table in the stages of instances, and one more stage beside each.
    beside = {"predict": 1, "decode": 1, "instance_creation": 2, "instance_merging": 5}[stage]
    files = _chunks(grid.shape, blocks.chunk_of(grid.block)) + beside * len(grid)
    left = 1 - done / len(grid)
    return Store(what, int(size * left), int(files * left), packs)


def _chunks(shape: Sequence[int], chunk: Sequence[int]) -> int:
    """Chunks of an array, and the folders that they lie in."""
    counts = [-(-size // side) for size, side in zip(shape, chunk, strict=True)]
    return sum(math.prod(counts[:depth]) for depth in range(1, len(counts) + 1))


def ends_bytes(grid: BlockGrid) -> int:
    """Bytes of the labels about the ends of all blocks that have a neighbour there, uint32."""
    axes = list(zip(grid.shape, grid.band, grid.count, strict=True))
    wide = [size + 2 * band * (count - 1) for size, band, count in axes]
    return sum(
        4 * 2 * (count - 1) * 2 * band * math.prod(wide[:axis] + wide[axis + 1 :])
        for axis, (_, band, count) in enumerate(axes)
    )


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
            file=folder,
            expected=f"at least {readable(least)} free",
            found=readable(free),
            fix="free some space, --out on another disk, or --predict.dtype float16",
        )
    if 0 <= left < files:
        raise ResourceError(
            "the results have more files than the disk can hold",
            file=folder,
            expected=f"room for {files:,}",
            found=f"{left:,}",
            fix="larger blocks, or --out on another disk",
        )
