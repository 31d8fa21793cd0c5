"""Instances block by block: the phases ``instance_creation`` and ``instance_merging``."""

from __future__ import annotations

import dataclasses
import functools
import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from jaxseg import blocks, io, runs
from jaxseg.blocks import BlockGrid, Ledger
from jaxseg.config import Config
from jaxseg.config.load import select
from jaxseg.data import Sample, prefetch
from jaxseg.decoding import (
    Levels,
    decode,
    decoder_of,
    plan,
    settle,
    settled,
    watershed_by_plan,
)
from jaxseg.errors import ConfigError, Interrupted, JaxsegWarning, raise_all
from jaxseg.progress import progress
from jaxseg.runs import Run
from jaxseg.volume import Volume
from jaxseg.workflows.blocks import (
    grid_of,
    is_complete,
    own_blocks,
    read_planes,
    run_stage,
    stage_folder,
    version_of,
)
from jaxseg.workflows.decoding import labels_path
from jaxseg.workflows.inputs import Samples
from jaxseg.workflows.prediction import planes_path

Array = np.ndarray


def create_instances(config: Config, run: Run, samples: Samples) -> None:
    """Make the objects of this job's blocks of every test image.

    Raises
    ------
    ConfigError : an image that is not predicted completely, or was decoded in memory
    """
    runs.refuse_other_way(run, ("decode",), config)
    paths = [planes_path(run, sample) for sample in samples["test"]]
    raise_all(
        ConfigError(
            "this image was not predicted, or not by all jobs", file=path, fix="--phases predict"
        )
        for path in paths
        if not path.exists()
    )
    runs.claim(run, "instance_creation", config, runs.claimed(run, "predict"))
    for sample, path in zip(samples["test"], paths, strict=True):
        source = io.open_image(path, ndim=config.ndim)
        values = select(config, runs.READS["instance_creation"]) | version_of(source)
        values |= {"spacing": sample.image.spacing}
        grid = grid_of(config, source.spatial_shape)
        folder = stage_folder(run, "instance_creation", sample)
        ledger = blocks.open_creation(folder, grid, values)
        if blocks.finished(ledger).issuperset(own_blocks(config, grid)):
            continue
        decoder = _decoder(config, ledger, source, sample.image.spacing)
        work = blocks.creation_work(ledger, functools.partial(read_planes, source), decoder)
        run_stage(config, ledger, work, f"objects of {sample.name}")


def _decoder(
    config: Config, ledger: Ledger, source: Volume, spacing: tuple[float, ...]
) -> Callable[[Array], Array]:
    """What makes labels out of the planes of a block."""
    name = decoder_of(config.channels, config.decoder)
    if name != "watershed":
        options = getattr(config, name)
        return functools.partial(
            decode, channels=config.channels, spacing=spacing, decoder=name, options=options
        )
    # An object may be cut by the end of a block: its size is known after merging only.
    options = dataclasses.replace(config.watershed, min_size=1)
    chosen = plan(config.channels, ndim=config.ndim, spacing=spacing, options=options)
    file = ledger.folder / "levels.json"
    if not file.exists():
        with progress("thresholds of the volume") as advance:
            parts = functools.partial(_parts, ledger.grid, source, advance)
            io.write_json(file, settle(chosen, parts)._asdict(), shared=True)
    levels = Levels(**json.loads(file.read_text()))
    final = settled(chosen, levels)
    if final is None:
        return lambda planes: np.zeros(planes.shape[:-1], np.uint16)
    return lambda planes: watershed_by_plan(planes, final, options, spacing=spacing).labels


def _parts(
    grid: BlockGrid, source: Volume, advance: Callable[[int, int], None]
) -> Iterator[tuple[Array, tuple[slice, ...]]]:
    """The planes of every block with its halo, read ahead."""

    def read(number: int) -> tuple[Array, tuple[slice, ...]]:
        block = grid[number]
        return read_planes(source, block.read), block.core.relative_to(block.read.start).slices

    for number, part in enumerate(prefetch(read, range(len(grid)), depth=2), start=1):
        advance(number, len(grid))
        yield part


def merge_instances(config: Config, run: Run, samples: Samples) -> None:
    """Merge this job's blocks of every test image; the job that finishes an image publishes it.

    Raises
    ------
    ConfigError : blocks of instance creation are missing; they are named
    Interrupted : other jobs have not compared all their blocks yet
    """
    created_before = runs.claimed(run, "instance_creation")
    if not created_before:
        raise ConfigError(
            "no instances were created yet",
            file=run.results,
            fix="--phases instance_creation instance_merging",
        )
    runs.claim(run, "instance_merging", config, created_before)
    for sample in samples["test"]:
        _merge_one(config, run, sample, labels_path(config, run, sample))


def _merge_one(config: Config, run: Run, sample: Sample, path: Path) -> None:
    created = blocks.read_ledger(stage_folder(run, "instance_creation", sample))
    values = select(config, runs.READS["instance_merging"]) | {"created": created.digest}
    compared = blocks.open_contacts(stage_folder(run, "contacts", sample), created, values)
    threshold = config.blocks.merge_threshold
    work = blocks.contacts_work(compared, created, threshold=threshold)
    run_stage(config, compared, work, f"contacts of {sample.name}")
    if not is_complete(compared):
        raise Interrupted(
            f"other jobs have not compared their blocks of {sample.name} yet",
            file=compared.folder,
            fix="run the same command again when they have",
        )
    ledger = blocks.open_labels(
        stage_folder(run, "instance_merging", sample),
        created,
        compared,
        values,
        target=path,
        spacing=sample.image.spacing,
        min_size=config.watershed.min_size,
    )
    if not is_complete(ledger):
        run_stage(config, ledger, blocks.labels_work(ledger, created), f"labels of {sample.name}")
    if is_complete(ledger):
        blocks.publish(ledger)
        _tell(config, ledger, sample, path)


def _tell(config: Config, ledger: Ledger, sample: Sample, path: Path) -> None:
    """Say what came out, warn where objects are cut, and export."""
    found = json.loads((ledger.folder / "summary.json").read_text())
    if found["cut"]:
        warnings.warn(
            f"{sample.name}: {found['cut']} of {found['pieces']} pieces of objects reach the end of"
            " their block's halo, where they are cut; a larger --blocks.halo may join them better",
            JaxsegWarning,
            stacklevel=2,
        )
    tiff = path.with_suffix(".tif")
    if config.blocks.tiff and not tiff.exists():
        labels = io.open_labels(path, ndim=config.ndim)
        io.write_labels_tiff(tiff, labels, spacing=sample.image.spacing)
