"""The one executor of stages: an image as one block in memory, or in blocks that jobs share.

In memory, intermediate results stay there, and only what is published is written. By blocks every
stage has a ledger, its blocks are done in threads, in shards or on a cluster, and the store is the
truth: what is done is never done again.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jaxseg import blocks, io
from jaxseg.blocks import BlockGrid, Ledger
from jaxseg.blocks.stage import Output, Stage, Step, Table, View, levels, whole_grid, with_needs
from jaxseg.blocks.stored import open_stage, work_of
from jaxseg.config import Config
from jaxseg.config.load import to_plain
from jaxseg.errors import ConfigError, Interrupted, JaxsegWarning
from jaxseg.geometry import Box
from jaxseg.progress import progress
from jaxseg.runs.layout import Work
from jaxseg.runs.results import Found, is_begun, ledger_of, versions_of
from jaxseg.signals import interruptible

# Seconds between two looks at what other jobs have done.
PATIENCE = 10.0


@dataclass(frozen=True)
class Plan:
    """What is to be done with one image.

    Parameters
    ----------
    work : which image
    steps : all of it; what they need need not be among them
    remote : makes the work of a stage in another process, from the configuration as JSON, the
        names of the image and the phase, and the number of the stage; a function of a module
    """

    work: Work
    steps: tuple[Step, ...]
    remote: Callable[[str, str, str, str], blocks.Work] | None = None


def grid_of(config: Config, shape: Sequence[int]) -> BlockGrid:
    """The blocks of an image of so many voxels: the one grid that all phases share."""
    size = config.blocks.size
    if not size:
        return whole_grid(shape)
    halo = config.blocks.halo or tuple(max(1, side // 4) for side in size)
    band = tuple(min(config.blocks.band, *sides) for sides in zip(halo, size, strict=True))
    return BlockGrid(tuple(shape), size, halo, band)


def own_blocks(config: Config, grid: BlockGrid) -> range:
    """Numbers of the blocks that this job does."""
    layers = grid.layers(config.blocks.z_start, config.blocks.z_end)
    return blocks.shard_of(layers, config.blocks.shard)


def is_complete(ledger: Ledger) -> bool:
    """Whether all blocks of all jobs are done."""
    return len(blocks.finished(ledger)) == len(ledger.grid)


# ---------------------------------------------------------------------------------- in memory


def run_in_memory(plan: Plan, phases: Collection[str]) -> Found:
    """Do all stages of some phases for an image that is one block.

    Parameters
    ----------
    plan : of the image; what other phases made of it is under its final name
    phases : whose stages are done here

    Returns
    -------
    Found, to ask for tables

    Raises
    ------
    ConfigError : what another phase makes is missing
    """
    await_needs([plan], phases)
    steps = with_needs(plan.steps)
    results = Found(plan.work, steps, phases)
    last = {need: place for place, step in enumerate(steps) for need in step.needs}
    for place, step in enumerate(steps):
        if isinstance(step, Stage) and step.phase in phases:
            _publish_in_memory(plan.work, step, results)
        if isinstance(step, Table) and step.target and step.phase in phases:
            io.write_csv(step.target, results[step].frame)
        for need in step.needs:
            if last[need] <= place:
                results.forget(need)
    return results


def _publish_in_memory(work: Work, stage: Stage, results: Found) -> None:
    """Write what is published of a stage, and how it came about."""
    output = stage.output
    if stage.stream is not None:
        _stream_in_memory(work, stage)
        return
    found: Any = results[stage]
    if output is None:
        # Now: what it reads is forgotten after its turn.
        found.tables(0)
        return
    for path, picture in found.made.pictures.items():
        if picture.dtype.kind == "f":
            io.write_image_tiff(path, picture[..., None], spacing=work.spacing)
        else:
            io.write_labels_tiff(path, picture, spacing=work.spacing)
    if output.target is None:
        return
    target, spacing = output.target, output.spacing
    if output.channels:
        io.write_image_tiff(target.with_suffix(".tif"), found.array, spacing=spacing)
        _write_planes(output, found.array)
        return
    if not output.light:
        io.write_labels_zarr(target.with_suffix(".zarr"), found.array, spacing=spacing)
    io.write_labels_tiff(target.with_suffix(".tif"), found.array, spacing=spacing)


def _write_planes(output: Output, array: np.ndarray) -> None:
    """An array with channels, in one piece."""
    assert output.target is not None
    with io.create_planes(
        output.target.with_suffix(".zarr"),
        shape=array.shape,
        chunks=array.shape,
        dtype=array.dtype,
        spacing=output.spacing,
        channel_names=output.channels,
    ) as store:
        store[...] = array


def _stream_in_memory(work: Work, stage: Stage) -> None:
    """Fill an array that does not fit memory, such as planes, slab by slab."""
    output, shape = stage.output, stage.grid.shape
    assert output is not None
    assert output.target is not None
    assert stage.stream is not None
    planes = len(output.channels)
    with (
        progress(f"{stage.name} {work.name}") as advance,
        io.create_planes(
            output.target,
            shape=(*shape, planes),
            chunks=(*(output.chunks or shape), planes),
            dtype=output.dtype,
            spacing=output.spacing,
            channel_names=output.channels,
        ) as store,
    ):
        stage.stream(Box((0,) * len(shape), shape), store, advance)


# ---------------------------------------------------------------------------------- by blocks


def run_by_blocks(plans: Sequence[Plan], phase: str) -> bool:
    """Do this job's blocks of all stages of a phase, in turns for all images.

    Parameters
    ----------
    plans : of all images
    phase : whose stages are done

    Returns
    -------
    whether all is done, by all jobs; only then tables are written

    Raises
    ------
    ConfigError : what another phase makes is missing
    Interrupted : other jobs have not done their blocks yet
    """
    if not plans:
        return True
    config = plans[0].work.config
    results = [Found(plan.work, plan.steps) for plan in plans]
    await_needs(plans, {phase})
    turns = [levels(plan.steps, phase) for plan in plans]
    count = max(map(len, turns))
    for number in range(count):
        begun = []
        for plan, found, turn in zip(plans, results, turns, strict=True):
            for stage in turn[number] if number < len(turn) else ():
                ledger = _begin(plan, stage, found)
                _do(plan, stage, ledger, found)
                begun.append((plan.work, stage, ledger))
        waiting = [one for one in begun if not is_complete(one[2])]
        if waiting and number < count - 1:
            await_others(config, [ledger for *_, ledger in waiting], waiting[0][1].done)
        for work, stage, ledger in begun:
            if is_complete(ledger):
                finish(work, stage, ledger)
        if waiting and number == count - 1:
            return False
    for plan, found in zip(plans, results, strict=True):
        for step in with_needs(plan.steps):
            mine = isinstance(step, Table) and step.phase == phase and step.target is not None
            if mine and not step.target.exists():  # type: ignore[union-attr]
                io.write_csv(step.target, found[step].frame)  # type: ignore[union-attr, arg-type]
    return True


def _begin(plan: Plan, stage: Stage, results: Found) -> Ledger:
    """Begin a stage, or go on with it."""
    # Looking at the whole volume is work that is done once.
    folder = plan.work.stage(stage.name)
    return open_stage(stage, folder, results, versions_of(stage))


def _do(plan: Plan, stage: Stage, ledger: Ledger, results: Found) -> None:
    """Do this job's blocks of a stage, in threads or on a cluster."""
    config, title = plan.work.config, f"{stage.name} of {plan.work.name}"
    own = own_blocks(config, ledger.grid)
    if blocks.finished(ledger).issuperset(own):
        return
    if stage.stream is not None:
        _stream_blocks(plan.work, stage, ledger, own)
        return
    with progress(title) as advance:
        if not config.blocks.scheduler or plan.remote is None:
            blocks.run_blocks(
                ledger,
                own,
                work_of(stage, ledger, results),
                workers=config.blocks.workers,
                on_progress=advance,
            )
            return
        text = json.dumps(to_plain(config))
        blocks.run_on_cluster(
            ledger,
            own,
            plan.remote,
            (text, plan.work.name, stage.phase, str(with_needs(plan.steps).index(stage))),
            address=config.blocks.scheduler,
            on_progress=advance,
        )


def work_there(plan: Plan, number: int) -> blocks.Work:
    """The work of a stage in another process, by its number; see :class:`Plan`."""
    steps = with_needs(plan.steps)
    stage = steps[number]
    assert isinstance(stage, Stage)
    return work_of(stage, ledger_of(plan.work, stage), Found(plan.work, steps))


def _stream_blocks(work: Work, stage: Stage, ledger: Ledger, own: range) -> None:
    """Fill the blocks of a job that are not done, region by region."""
    assert stage.output is not None
    assert stage.stream is not None
    done = blocks.finished(ledger)
    waiting = [number for number in own if number not in done]
    for box, numbers in blocks.regions(ledger.grid, waiting, len(stage.output.channels)):
        with progress(f"{stage.name} {work.name}") as advance, interruptible() as asked:
            stage.stream(box, blocks.BlockSink(ledger, numbers), _until(asked, ledger, advance))
    blocks.tidy(ledger)


def _until(
    asked: Callable[[], bool], ledger: Ledger, advance: Callable[[int, int], None]
) -> Callable[[int, int], None]:
    """What counts the tiles until the process is asked to stop: full blocks are kept by then."""

    def count(done: int, total: int) -> None:
        advance(done, total)
        if asked():
            raise blocks.stopped(ledger)

    return count


def finish(work: Work, stage: Stage, ledger: Ledger) -> None:
    """Publish a complete stage, and say what the user should know."""
    with progress(f"levels of {work.name}") as advance:
        blocks.publish(ledger, on_progress=advance)
    output, config = stage.output, work.config
    message = stage.warn(blocks.known_of(ledger))
    if message:
        warnings.warn(f"{work.name}: {message}", JaxsegWarning, stacklevel=2)
    if output is None or output.target is None or output.channels or not config.blocks.tiff:
        return
    tiff = output.target.with_suffix(".tif")
    if not tiff.exists():
        labels = io.open_labels(output.target, ndim=config.ndim)
        io.write_labels_tiff(tiff, labels, spacing=output.spacing, shared=True)


# -------------------------------------------------------------------------------- what is there


def published(plan: Plan, phases: Collection[str]) -> list[Stage]:
    """The stages of some phases whose arrays are results of their own."""
    return [
        step
        for step in with_needs(plan.steps)
        if isinstance(step, Stage) and step.phase in phases and step.output is not None
        if step.output.target is not None and not step.output.light
    ]


def target_of(stage: Stage) -> Path | None:
    """Where the array of a stage is published."""
    return stage.output.target if stage.output else None


def needs_of(plan: Plan, phases: Collection[str]) -> list[Stage]:
    """The stages of other phases that some phases read."""
    found: dict[Stage, None] = {}

    def visit(step: Step) -> None:
        for need in step.needs:
            if isinstance(need, Stage) and need.phase not in phases:
                found[need] = None
            else:
                visit(need)

    for step in with_needs(plan.steps):
        if not isinstance(step, View) and step.phase in phases:
            visit(step)
    return list(found)


def await_needs(plans: Sequence[Plan], phases: Collection[str]) -> None:
    """Wait until what other phases make is there, if the configuration grants the time.

    Parameters
    ----------
    plans : of all images
    phases : which phases read it

    Raises
    ------
    ConfigError : it was not begun
    Interrupted : other jobs are not as far yet
    """
    waiting: list[tuple[Work, Stage, Ledger]] = []
    for plan in plans:
        for need in needs_of(plan, phases):
            target = target_of(need)
            if target is not None and target.exists():
                continue
            if not is_begun(plan.work, need):
                raise not_made(plan.work, need)
            if target is not None or plan.work.config.blocks.wait:
                waiting.append((plan.work, need, ledger_of(plan.work, need)))
    if waiting:
        ledgers = [ledger for *_, ledger in waiting]
        await_others(waiting[0][0].config, ledgers, waiting[0][1].done)
    for work, need, ledger in waiting:
        finish(work, need, ledger)


def not_made(work: Work, stage: Stage, fix: str = "") -> ConfigError:
    """The error of a stage that nobody has begun."""
    target, word = (stage.output.target, stage.output.word) if stage.output else (None, stage.done)
    return ConfigError(
        f"this image was not {word}",
        file=target or work.stage(stage.name),
        fix=fix or f"--phases {stage.phase}",
    )


def await_others(config: Config, ledgers: Sequence[Ledger], word: str) -> None:
    """Wait until all blocks of some stages are done, if the configuration grants the time.

    Parameters
    ----------
    ledgers : of the stages
    word : what is done to a block there, for the message

    Raises
    ------
    Interrupted : other jobs are not as far yet
    """
    end = time.monotonic() + 60 * config.blocks.wait
    while waiting := [ledger for ledger in ledgers if not is_complete(ledger)]:
        left = end - time.monotonic()
        if left <= 0:
            raise Interrupted(
                f"other jobs have not {word} all their blocks yet",
                file=waiting[0].folder,
                fix="run the same command again when they have, or --blocks.wait MINUTES",
            )
        time.sleep(min(PATIENCE, left))
