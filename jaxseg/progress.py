"""Progress for people: a bar with the time left on a terminal, one line in a log file."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


@contextmanager
def progress(title: str) -> Iterator[Callable[[int, int], None]]:
    """A function to call with the number of steps done and of all steps.

    >>> with progress("count") as advance:
    ...     for number in range(3):
    ...         advance(number + 1, 3)  # doctest: +ELLIPSIS
    count: 3 of 3 in ...
    """
    console = Console()
    if console.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        with Progress(*columns, TimeRemainingColumn(), console=console) as bar:
            task = bar.add_task(title, total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total)
        return
    start, counts = time.monotonic(), [0, 0]

    def count(done: int, total: int) -> None:
        counts[:] = done, total

    yield count
    # A step that found everything done already has nothing to say.
    if counts[1]:
        seconds = time.monotonic() - start
        print(f"{title}: {counts[0]} of {counts[1]} in {seconds:.1f} s", flush=True)
