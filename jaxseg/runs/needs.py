"""What phases need of one another: whether it is there, and waiting for other jobs."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from jaxseg import blocks, io
from jaxseg.blocks import Ledger
from jaxseg.blocks.stage import Stage, Step, with_needs
from jaxseg.config import Config
from jaxseg.errors import ConfigError, Interrupted, JaxsegWarning
from jaxseg.progress import progress
from jaxseg.runs.layout import Work
from jaxseg.runs.results import is_begun, ledger_of

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


def is_complete(ledger: Ledger) -> bool:
    """Whether all blocks of all jobs are done."""
    return len(blocks.finished(ledger)) == len(ledger.grid)


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
        if step.phase in phases:
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
        where=target or work.stage(stage.name),
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
                where=waiting[0].folder,
                fix="run the same command again when they have, or --blocks.wait MINUTES",
            )
        time.sleep(min(PATIENCE, left))
