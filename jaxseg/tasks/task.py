"""A task: what is true, what becomes of planes, and how results are compared with the truth."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from jaxseg.blocks.stage import Step
from jaxseg.config import Config, Source
from jaxseg.data.samples import Opened
from jaxseg.data.truth import CLASSES, OBJECTS, Truth
from jaxseg.errors import ConfigError, JaxsegError
from jaxseg.runs.layout import Run, Work
from jaxseg.runs.results import Found
from jaxseg.stages.shown import Shown, Steps
from jaxseg.tasks.comparing import compared, compared_files, overlaps

Open = Callable[[Config, Source, Callable[[Source], Opened]], Opened]


@dataclass(frozen=True, kw_only=True)
class Task:
    """One row of the table; one of your own is given to a configuration as it is.

    What is learned of the truth are the channels, each by the target of its row.

    Parameters
    ----------
    name : str
        As configurations have it.
    truth : tuple of Part
        The arrays that the label files hold: those that channels name, or the first one if they
        name none.
    phases : tuple of str
        Of its stages between planes and results, by blocks; in memory they are one, decode.
    steps : callable
        From predicted planes to results of an image: arrays and tables. What is learned is all
        that is shown where the predicted planes are the result.
    open : callable
        (configuration, source, a function that opens images and labels) to the images of a source
        with their truth.
    count : callable
        (work, shown) to the step that compares one result with the truth, a stage block by block.
    files : callable
        (work, all shown) to the files that are compared of an image, by names that a user
        understands.
    gather : callable
        (work, shown, stage, results) to what ``compare`` is told of an image.
    compare : callable
        All images: tables and pictures.
    objects : callable
        Whether objects with ids are made, which may be changed and measured.
    decodes : bool
        Whether the decoder of the configuration makes them, whose options can be tuned.
    rules : callable
        What of a configuration does not go with the task, told together with all that is wrong.
    problems : callable
        What would stop the stages of a configuration that breaks no rule.
    stacks : bool
        Whether 2D images may be predicted one by one and their results made in 3D.
    """

    name: str
    truth: Truth = (OBJECTS, CLASSES)
    phases: tuple[str, ...] = ()
    steps: Callable[[Work], Steps]
    open: Open = lambda config, source, opened: opened(source)
    count: Callable[[Work, Shown], Step] = overlaps
    files: Callable[[Work, Sequence[Shown]], dict[str, str]] = compared_files
    gather: Callable[[Work, Shown, Any, Found], Any] = compared
    compare: Callable[[Config, Run, Sequence[Any], Console], None]
    objects: Callable[[Config], bool] = lambda config: False
    decodes: bool = False
    rules: Callable[[Config], Iterable[ConfigError]] = lambda config: ()
    problems: Callable[[Config], list[JaxsegError]] = lambda config: []
    stacks: bool = False

    def __call__(self, work: Work) -> Steps:
        """All that is made of an image."""
        return self.steps(work)
