"""The one executor of stages: an image as one block in memory, or in blocks that jobs share.

In memory, intermediate results stay there, and only what is published is written. By blocks every
stage has a ledger, its blocks are done in threads, in shards or on a cluster, and the store is the
truth: what is done is never done again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from jaxseg import blocks, io
from jaxseg.blocks import BlockGrid, Ledger
from jaxseg.blocks.stage import Output, Stage, Table, levels, with_needs
from jaxseg.blocks.stored import open_stage, work_of
from jaxseg.config import Config
from jaxseg.config.load import to_plain
from jaxseg.geometry import Box
from jaxseg.progress import progress
from jaxseg.runs.division import Division
from jaxseg.runs.layout import Work
from jaxseg.runs.needs import Plan, await_needs, await_others, finish, is_complete
from jaxseg.runs.results import Found, ledger_of, versions_of
from jaxseg.signals import interruptible


def own_blocks(config: Config, grid: BlockGrid) -> range:
    """Numbers of the blocks that this job does."""
    layers = grid.layers(config.blocks.z_start, config.blocks.z_end)
    return blocks.shard_of(layers, config.blocks.shard)


def run_plans(
    plans: Sequence[Plan], phases: Collection[str], division: Division
) -> list[Found] | None:
    """Do all stages of some phases, in memory or by blocks.

    Parameters
    ----------
    plans : of the images
    phases : whose stages are done; of images in blocks one after another
    division : how the images are divided there

    Returns
    -------
    what all steps of every image made; None = other jobs have not done all their blocks yet
    """
    if division.whole:
        return [run_in_memory(plan, phases) for plan in plans]
    if all(run_by_blocks(plans, phase) for phase in phases):
        return [Found(plan.work, plan.steps) for plan in plans]
    return None


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
