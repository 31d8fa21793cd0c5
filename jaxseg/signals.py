"""Stopping on request: what is in hand is finished, or given up cleanly, before anything ends."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

# Ctrl-C, the end of a batch job, and the warning that clusters can send before it.
REQUESTS = ("SIGINT", "SIGTERM", "SIGUSR1")


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Note requests to stop instead of dying from them.

    A second request acts at once, as without this. So does the first one at the end, unless an
    error is raised: nobody acted on it. In a thread other than the main one nothing is noted, as
    Python delivers signals to the main thread only.

    Yields
    ------
    a function that tells whether the process was asked to stop

    >>> with interruptible() as asked:
    ...     asked()
    False
    """
    asked: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        del frame
        asked.append(number)
        restore()

    restore = _handled(note)
    try:
        yield lambda: bool(asked)
    finally:
        restore()
    if asked:
        signal.raise_signal(asked[0])


@contextmanager
def stoppable() -> Iterator[None]:
    """Let every request to stop raise KeyboardInterrupt, so that what is half written is removed.

    >>> try:
    ...     with stoppable():
    ...         signal.raise_signal(signal.SIGTERM)
    ... except KeyboardInterrupt:
    ...     print("interrupted")
    interrupted
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        del number, frame
        raise KeyboardInterrupt

    restore = _handled(interrupt)
    try:
        yield
    finally:
        restore()


def _handled(handler: Callable[[int, FrameType | None], None]) -> Callable[[], None]:
    """Handle requests from now on, except those this process was told to ignore; the way back."""
    if threading.current_thread() is not threading.main_thread():
        return lambda: None
    numbers = [getattr(signal, name) for name in REQUESTS if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    before = {number: was for number, was in before.items() if was is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, handler)

    def restore() -> None:
        for number, was in before.items():
            signal.signal(number, was)

    return restore
