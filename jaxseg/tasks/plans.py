"""What a configuration makes of its task: which phases, which steps, and what would stop it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from jaxseg import blocks
from jaxseg.blocks.stage import levels
from jaxseg.config import Config
from jaxseg.config.load import from_plain
from jaxseg.config.stack import of_results
from jaxseg.data.samples import Sample, empty_index
from jaxseg.errors import ConfigError, JaxsegError, raise_all
from jaxseg.normalize import Stats
from jaxseg.runs import manifest as runs
from jaxseg.runs.division import DECODE, division_of_results
from jaxseg.runs.executor import work_there
from jaxseg.runs.layout import Work, run_of
from jaxseg.runs.needs import Plan
from jaxseg.stages.chosen import chosen_decoder
from jaxseg.tasks.checking import check
from jaxseg.tasks.comparing import EVALUATE
from jaxseg.tasks.inputs import Samples, open_data
from jaxseg.tasks.problems import planes_problems, range_problems
from jaxseg.tasks.stacking import result_works
from jaxseg.tasks.table import task_of
from jaxseg.tasks.tuning import TUNE, tuned_options
from jaxseg.train import tensorboard
from jaxseg.volume import Volume


def phases_of(config: Config) -> tuple[str, ...]:
    """The phases asked for, in their order; by blocks decoding is divided as the task says."""
    passed = {"predict"} if config.predict.reuse else set()
    chosen: set[str] = {phase for phase in config.phases if phase not in passed}
    if DECODE in chosen:
        divided = division_of_results(config).phases(task_of(config).phases)
        chosen = chosen - {DECODE} | set(divided)
    return tuple(phase for phase in runs.ORDER if phase in chosen)


def plan_of(work: Work, phase: str) -> Plan:
    """What a phase does with an image."""
    task = task_of(work.config)
    steps, shown = task.steps(work)
    if phase == EVALUATE:
        steps = tuple(task.count(work, one) for one in shown)
    return Plan(work, steps, remote)


def turns_of(config: Config) -> dict[str, int]:
    """How often jobs that share the work wait for one another, by phase of a task.

    Parameters
    ----------
    config : of a run; none where its results are made in memory. Its images are not asked for
    """
    if division_of_results(config).whole:
        return {}
    shape = tuple(2 * side for side in config.blocks.size)
    nothing = np.broadcast_to(np.float32(0), (*shape, 1))
    image = Volume(nothing, "zyxc"[-len(shape) - 1 :], (1.0,) * len(shape), "image")
    sample = Sample(image, {}, Stats((), ()), "image", empty_index(len(shape)))
    task, config = task_of(config), _with_most_turns(config)
    steps = task.steps(Work(config, run_of(config), sample)).steps
    return {phase: len(levels(steps, phase)) for phase in task.phases}


def _with_most_turns(config: Config) -> Config:
    """The same with what tuning may choose and jobs wait for; a turn too many does nothing."""
    if TUNE not in config.phases or not config.tune.use or "convex" not in tuned_options(config):
        return config
    row, options, _ = chosen_decoder(config)
    if options.convex != "none":
        return config
    return replace(config, **{row.name: replace(options, convex="both")})


def remote(text: str, name: str, phase: str, number: str) -> blocks.Work:
    """The work of a stage in another process, which knows nothing but the configuration.

    Parameters
    ----------
    text : the configuration as JSON
    name, phase, number : of the image, of the phase, and of the stage among its steps
    """
    config = from_plain(json.loads(text))
    samples, _ = open_data(config)
    sample = next(sample for sample in samples["test"] if sample.name == name)
    work = Work(config, runs.open_run(config), sample)
    return work_there(plan_of(work, phase), int(number))


def results_problems(config: Config, samples: Sequence[Sample]) -> list[JaxsegError]:
    """Results that are compared, and that this start does not make, but are not there.

    Parameters
    ----------
    samples : the test images
    """
    task, found = task_of(config), []
    if EVALUATE not in config.phases or {DECODE, *task.phases} & set(config.phases):
        return []
    made: set[str] = set(config.phases)
    for work in result_works(config, run_of(config), samples):
        try:
            shown = task.steps(work).shown
            there = [one for one in shown if one.result.phase not in made]
            if there or not shown:
                task.files(work, there)
        except JaxsegError as problem:
            found.append(problem)
    return found


def checked(config: Config) -> Samples:
    """The images of a configuration that is sound.

    Raises
    ------
    JaxsegError : all that is wrong with the configuration and the data
    """
    wrong: list[JaxsegError] = [*check(config)]
    if not wrong:
        wrong += task_of(config).problems(of_results(config))
    if "train" in config.phases and config.train.tensorboard:
        try:
            tensorboard.refuse_missing()
        except ConfigError as problem:
            wrong.append(problem)
    samples, more = open_data(config)
    if not wrong:
        more += planes_problems(config, samples.get("test", ()))
        more += range_problems(config, samples.get("test", ()))
        more += results_problems(config, samples.get("test", ()))
    raise_all([*wrong, *more])
    return samples
