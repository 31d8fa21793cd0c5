"""The tasks by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from jaxseg.config import Config
from jaxseg.data.truth import Truth, parts_read
from jaxseg.tasks.detection import DETECTION
from jaxseg.tasks.instances import INSTANCES
from jaxseg.tasks.semantic import SEMANTIC
from jaxseg.tasks.synapses import SYNAPSES
from jaxseg.tasks.task import Task

TASKS: Mapping[str, Task] = MappingProxyType(
    {task.name: task for task in (INSTANCES, SEMANTIC, DETECTION, SYNAPSES)}
)


def truth_of(config: Config) -> Truth:
    """The arrays of the truth beside every image of a configuration."""
    return parts_read(task_of(config).truth, config.channels)


def task_of(config: Config) -> Task:
    """The task of a configuration: a row of the table, or one of its own."""
    return config.task if isinstance(config.task, Task) else TASKS[str(config.task)]
