"""A task: what becomes of planes, and how results are compared with the truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import Console

from jaxseg.config import Config
from jaxseg.errors import JaxsegError
from jaxseg.runs.layout import Run, Work
from jaxseg.stages.shown import Steps
from jaxseg.tasks.comparing import Compared


@dataclass(frozen=True, kw_only=True)
class Task:
    """One row of the table.

    Parameters
    ----------
    name : as configurations have it
    phases : of its stages from planes to results, by blocks
    steps : from predicted planes to results of an image
    compare : all images with the truth: tables and pictures
    problems : what would stop the stages, told by the configuration alone
    """

    name: str
    phases: tuple[str, ...]
    steps: Callable[[Work], Steps]
    compare: Callable[[Config, Run, Sequence[Compared], Console], None]
    problems: Callable[[Config], list[JaxsegError]] = lambda config: []
