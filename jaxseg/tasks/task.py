"""A task: what becomes of planes, and how results are compared with the truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from jaxseg.config import Config
from jaxseg.errors import JaxsegError
from jaxseg.runs.layout import Run, Work
from jaxseg.stages.shown import Steps
from jaxseg.tasks.comparing import LABELS, Judge
from jaxseg.tasks.inputs import Truth


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
    judge : how one result of an image is compared
    truth : the images of a source with their truth: (configuration, source, a function that opens
        images and labels) to what that function gives
    """

    name: str
    phases: tuple[str, ...]
    steps: Callable[[Work], Steps]
    compare: Callable[[Config, Run, Sequence[Any], Console], None]
    problems: Callable[[Config], list[JaxsegError]] = lambda config: []
    judge: Judge = LABELS
    truth: Truth = lambda config, source, opened: opened(source)
