"""Tasks: what is learned of images, one row each."""

from jaxseg.tasks.plans import checked, phases_of, plan_of, remote, turns_of
from jaxseg.tasks.stacking import all_works
from jaxseg.tasks.table import TASKS, task_of
from jaxseg.tasks.task import Task

__all__ = [
    "TASKS",
    "Task",
    "all_works",
    "checked",
    "phases_of",
    "plan_of",
    "remote",
    "task_of",
    "turns_of",
]
