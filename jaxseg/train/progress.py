"""What a person sees of a training run: a bar on a terminal, a line per epoch in a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class Display(NamedTuple):
    """How a run reports what it does."""

    at: Callable[[int, int, str], None]
    """(steps done, steps in all, short text)"""
    line: Callable[[str], None]
    """A line that stays."""


@contextmanager
def display(done: int) -> Iterator[Display]:
    """A bar with the remaining time on a terminal; elsewhere only the lines.

    Parameters
    ----------
    done : steps taken by an earlier start of the same run

    Yields
    ------
    Display
    """
    console = Console(soft_wrap=True)
    if not console.is_terminal:
        yield Display(lambda done, total, text: None, lambda text: print(text, flush=True))
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("compiling", total=None, completed=done)
        yield Display(
            lambda done, total, text: bar.update(
                task, completed=done, total=total, description=text
            ),
            lambda text: console.print(text, markup=False, highlight=False),
        )
