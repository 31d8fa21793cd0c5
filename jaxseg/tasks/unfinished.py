"""What is left to do of a run: every phase, stage and table that its configuration asks for.

What was begun can be read in ledgers and markers. What never began left none, and is known by the
stages of the configuration alone.
"""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxseg import blocks, io
from jaxseg.blocks.ledger import ranges
from jaxseg.blocks.stage import Stage, Step, Table, with_needs
from jaxseg.config import Config
from jaxseg.data.pairing import paired
from jaxseg.data.samples import UNFITTED, Sample, empty_index
from jaxseg.errors import InputError, JaxsegError
from jaxseg.runs import manifest as runs
from jaxseg.runs.division import DECODE
from jaxseg.runs.layout import Run, Work, run_of
from jaxseg.runs.needs import target_of
from jaxseg.runs.results import is_begun, ledger_of
from jaxseg.stages.planes import PREDICT
from jaxseg.tasks.comparing import EVALUATE
from jaxseg.tasks.inputs import open_data
from jaxseg.tasks.plans import phases_of, plan_of
from jaxseg.tasks.stacking import result_works
from jaxseg.tasks.table import task_of
from jaxseg.tasks.tuning import TUNE, tunes
from jaxseg.volume import Volume


class Left(NamedTuple):
    """Something that is not done.

    Parameters
    ----------
    phase : that does it
    what : in words
    """

    phase: str
    what: str


def left_to_do(config: Config, run: Run) -> Iterator[Left]:
    """All that is not done of a run.

    Parameters
    ----------
    config : of the run, as it was saved; the phases that it names and those that were entered
        before are asked for
    run : its folders, wherever they are now

    Yields
    ------
    Left, in the order of the phases
    """
    run = replace(run, images=run_of(config).images)
    entered = {phase for phase in runs.ORDER if run.manifest(phase).exists()}
    names = image_names(config, run)
    for phase in (one for one in runs.ORDER if one in entered | set(phases_of(config))):
        if phase == TUNE and not tunes(config):
            continue
        if phase not in entered:
            yield Left(phase, f"{phase} was never begun")
        elif phase in ("train", TUNE):
            yield from _of_all(run, phase)
        elif phase == PREDICT:
            for name in names:
                yield from _of_prediction(config, run, name)
        else:
            yield from _of_results(config, run, names, phase)
            yield from _of_all(run, phase) if phase == EVALUATE else ()


def how_to_finish(config: Config, run: Run, left: Iterable[Left]) -> str:
    """The command that does what is left to do.

    Parameters
    ----------
    config : as it was saved, perhaps by a single job of several
    run : whose file it is in
    left : to do
    """
    phases = {one.phase for one in left}
    words = ["jaxseg", "run", "--config", str(run.config_file), "--phases"]
    words += [phase for phase in runs.ORDER if phase in phases]
    if config.blocks.is_part:
        words += ["--blocks.shard", "", "--blocks.z-start=-1", "--blocks.z-end=-1"]
    return shlex.join(words)


def _of_all(run: Run, phase: str) -> Iterator[Left]:
    """Whether a phase that sees all images together is left to be finished."""
    with contextlib.suppress(InputError):  # a damaged manifest is told as such
        if not runs.is_over(run, phase):
            yield Left(phase, f"{phase} is not finished")


def image_names(config: Config, run: Run) -> list[str]:
    """The names of the images that a run predicts.

    Parameters
    ----------
    config, run : where the images themselves are gone, those count that something was made of
    """
    filtered = config.data.filter.by == "image" and config.data.filter.test
    try:
        if filtered or config.data.cross_val.as_test:
            return [sample.name for sample in open_data(config)[0].get("test", ())]
        formats = tuple(map(io.format_named, config.data.formats))
        try:
            pairs = paired(config.data.test, config.data.pair, formats)
        except InputError:
            # The truth may be other files than images.
            pairs = io.pair_files(config.data.test.raw, formats=formats)
    except JaxsegError:
        return sorted(_seen(run))
    return [pair.stem for pair in pairs]


def _seen(run: Run) -> set[str]:
    """The images that something was made of."""
    markers = run.marker(PREDICT, "*").parent.glob("*.json")
    ledgers = run.stage(PREDICT, "*").parent.glob("*/ledger.json")
    return {path.stem for path in markers} | {path.parent.name for path in ledgers}


def _of_prediction(config: Config, run: Run, name: str) -> Iterator[Left]:
    """What is left to predict of an image."""
    folder = run.stage(PREDICT, name)
    if (folder / "ledger.json").exists() and (text := _blocks_left(folder)):
        yield Left(PREDICT, f"{PREDICT} of {name}: {text}")
    elif runs.marked(run, PREDICT, name) is None or not run.planes(name).exists():
        yield Left(PREDICT, f"{PREDICT} of {name} is not done")


def _of_results(config: Config, run: Run, names: Sequence[str], phase: str) -> Iterator[Left]:
    """What is left to do of the results of all images, which may be one stack."""
    shapes = {name: _shape(config, run, name) for name in names}
    known = {name: shape for name, shape in shapes.items() if shape is not None}
    for name in names:
        if name not in known:
            yield Left(phase, f"{phase} of {name} was never begun")
    if len(known) < len(names) and config.data.as_3d_stack:
        return
    samples = [_nominal(config, name, shape) for name, shape in known.items()]
    for work in result_works(config, run, samples):
        yield from _of_work(work, phase)


def _of_work(work: Work, phase: str) -> Iterator[Left]:
    """What is left to do of the results of an image."""
    division = work.division
    phases = (
        (phase,) if phase == EVALUATE else division.together(phase, task_of(work.config).phases)
    )
    try:
        steps = with_needs(plan_of(work, phase).steps)
    except JaxsegError as problem:
        yield Left(phase, f"{phase} of {work.name}: {problem.what}")
        return
    mine = [step for step in steps if step.phase in phases]
    if not division.whole:
        yield from (Left(phase, text) for step in mine for text in _of_blocks(work, step))
    elif phase == DECODE and runs.marked(work.run, DECODE, work.name) is None:
        yield Left(phase, f"{phase} of {work.name} is not done")
    tables = [step for step in mine if isinstance(step, Table) and step.target]
    for table in tables:
        if not table.target.exists():  # type: ignore[union-attr]
            yield Left(phase, f"{table.name} of {work.name} is missing")


def _of_blocks(work: Work, step: Step) -> Iterator[str]:
    """What is left to do of a stage by blocks, in words."""
    if not isinstance(step, Stage):
        return
    if not is_begun(work, step):
        yield f"{step.name} of {work.name} was never begun"
    elif text := _blocks_left(ledger_of(work, step).folder):
        yield f"{step.name} of {work.name}: {text}"
    elif (target := target_of(step)) is not None and not target.exists():
        yield f"{step.name} of {work.name} is not in its place {target}"


def _blocks_left(folder: Path) -> str:
    """Which blocks of a ledger are not done, in words; empty if all are."""
    try:
        ledger = blocks.read_ledger(folder)
    except InputError as error:
        return error.what
    done = blocks.finished(ledger)
    missing = [number for number in range(len(ledger.grid)) if number not in done]
    return f"to do are {ranges(missing)} of {len(ledger.grid)} blocks" if missing else ""


def _shape(config: Config, run: Run, name: str) -> tuple[int, ...] | None:
    """Voxels of an image as it was predicted, None where that was not begun."""
    try:
        if run.planes(name).exists():
            return io.open_image(run.planes(name), ndim=config.ndim).spatial_shape
        return blocks.read_ledger(run.stage(PREDICT, name)).grid.shape
    except JaxsegError:
        return None


def _nominal(config: Config, name: str, shape: tuple[int, ...]) -> Sample:
    """An image of that size, of which no voxel is asked for."""
    nothing = np.broadcast_to(np.float32(0), (*shape, 1))
    axes = "zyxc"[-len(shape) - 1 :]
    image = Volume(nothing, axes, config.data.spacing or (1.0,) * len(shape), name)
    return Sample(image, {}, UNFITTED, name, empty_index(len(shape)))
