"""All that is wrong with a configuration before any file is opened, its task included."""

from __future__ import annotations

import functools
from collections.abc import Iterator

from jaxseg.config import Config
from jaxseg.config.rules import check as check_options
from jaxseg.config.rules.postprocessing import object_problems, without_objects
from jaxseg.config.schema import BY_BLOCKS
from jaxseg.data.truth import SITES
from jaxseg.errors import ConfigError
from jaxseg.runs.division import DECODE
from jaxseg.tasks.table import TASKS, task_of
from jaxseg.tasks.task import Task


def check(config: Config) -> list[ConfigError]:
    """All problems of a configuration that show before any file is opened.

    Parameters
    ----------
    config : Config

    Returns
    -------
    list of ConfigError
        Those of the options, and those of the task with them; empty when it is sound.
    """
    if not isinstance(config.task, Task) and config.task not in TASKS:
        return check_options(config)
    task = task_of(config)
    more = (truth_problems, phase_problems, result_problems)
    return check_options(config, task.rules, *(functools.partial(one, task) for one in more))


def truth_problems(task: Task, config: Config) -> Iterator[ConfigError]:
    """Channels whose true values come of another truth than the task has.

    Parameters
    ----------
    task : of the configuration
    config : of the run
    """
    sites = [channel.name for channel in config.channels if channel.options.truth == SITES.name]
    if sites and SITES not in task.truth:
        yield ConfigError("channels of synaptic sites", where="channels", found=sites,
                          fix="--task synapses")  # fmt: skip


def result_problems(task: Task, config: Config) -> Iterator[ConfigError]:
    """Mistakes in what is done to objects, or that there are none.

    Parameters
    ----------
    task : of the configuration
    config : of the run
    """
    yield from (object_problems if task.objects(config) else without_objects)(config)


def phase_problems(task: Task, config: Config) -> Iterator[ConfigError]:
    """Phases that a task does not have, and those that a part of the work cannot be.

    Parameters
    ----------
    task : of the configuration
    config : of the run
    """
    blocks = config.blocks
    if foreign := set(BY_BLOCKS) & set(config.phases) - set(task.phases):
        yield ConfigError(
            f"the task {task.name} has no such phase",
            where="phases",
            found=min(foreign),
            fix=DECODE,
        )
    whole = blocks.decode == "whole"
    divided = tuple(task.phases) or (DECODE,)
    alone = {"train", "tune"} | ({"evaluate"} if whole else set())
    alone |= {DECODE} if whole or DECODE not in divided else set()
    if blocks.is_part and alone & set(config.phases):
        yield ConfigError(
            "only a part of the work is to be done",
            where="phases",
            expected=f"some of {', '.join(('predict', *divided, 'evaluate'))}",
            found=" ".join(config.phases),
        )
