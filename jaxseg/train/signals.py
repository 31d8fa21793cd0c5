"""Stopping on request: the step in hand is finished before anything ends."""

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

    A second request acts at once, as without this. In a thread other than the main one nothing is
    noted, as Python delivers signals to the main thread only.

    Yields
    ------
    a function that tells whether the process was asked to stop
    """
    asked = threading.Event()
    numbers = [getattr(signal, name) for name in REQUESTS if hasattr(signal, name)]
    main = threading.current_thread() is threading.main_thread()
    before = {number: signal.getsignal(number) for number in numbers if main}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def note(number: int, frame: FrameType | None) -> None:
        del number, frame
        asked.set()
        restore()

    for number in before:
        signal.signal(number, note)
    try:
        yield asked.is_set
    finally:
        restore()
