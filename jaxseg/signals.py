"""Stopping on request: what is in hand is finished, or given up cleanly, before anything ends.

A request is noted, and acted on at the next safe point: no error is raised at an arbitrary place,
where a callback could swallow it. A program calls :func:`take_over` before it imports anything
else. From then on every request to stop ends it with exit code 75, however busy it is: at once
while nothing is begun, at the next safe point while something is in hand, after :data:`GRACE`
seconds otherwise, and at once when asked a second time. What was begun then is as after a kill,
which every writer of this package survives.

In a notebook or a test nothing is taken over, and a process is never ended from here: a request
outside of :func:`interruptible` raises KeyboardInterrupt, as Python does.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

# Ctrl-C, the end of a batch job, and the warning that clusters can send before it.
REQUESTS = ("SIGINT", "SIGTERM", "SIGUSR1")
# Exit code of a program that was stopped on request.
STOPPED = 75
# Seconds in which a program that has nothing in hand must come to a safe point.
GRACE = 3.0

NOTHING, RUNNING, ENDED = "nothing", "running", "ended"


class _Process:
    """What this process knows of requests to stop."""

    def __init__(self) -> None:
        self.pending: list[int] = []
        self.taken_over = False
        self.stage = NOTHING
        self.code = STOPPED
        self.in_hand = 0
        self.last_acts: list[Callable[[], None]] = []
        self.ends: tuple[socket.socket, ...] = ()


_process = _Process()


class Asked:
    """Tells whether the process was asked to stop."""

    def __init__(self, asked: Callable[[], bool], *, holding: bool) -> None:
        self._asked, self._holds = asked, False
        if holding:
            self.hold()

    def __call__(self) -> bool:
        """Whether it was."""
        return self._asked()

    def hold(self) -> None:
        """From now on something is in hand that is worth finishing, however long it takes."""
        _process.in_hand += not self._holds
        self._holds = True

    def _release(self) -> None:
        _process.in_hand -= self._holds
        self._holds = False


@contextmanager
def interruptible(*, holding: bool = True) -> Iterator[Asked]:
    """Note requests to stop instead of dying from them; whoever holds something acts on them.

    A second request acts at once, as without this. So does the first one at the end, unless an
    error is raised: nobody acted on it. In a thread other than the main one nothing is noted by a
    process that was not taken over, as Python delivers signals to the main thread only.

    Parameters
    ----------
    holding : whether something is in hand from the beginning, see :meth:`Asked.hold`

    Yields
    ------
    a function that tells whether the process was asked to stop

    >>> with interruptible() as asked:
    ...     asked()
    False
    """
    noted: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        del frame
        noted.append(number)
        restore()

    restore = (lambda: None) if _process.taken_over else _handled(note)
    asked = Asked(lambda: bool(noted or _process.pending), holding=holding)
    try:
        yield asked
    finally:
        asked._release()
        restore()
    if _process.taken_over:
        safe_point()
    elif noted:
        signal.raise_signal(noted[0])


@contextmanager
def stoppable() -> Iterator[None]:
    """Let requests to stop end the work in it with KeyboardInterrupt, which removes leftovers.

    Where an error handler swallows it, the request is still known at the next safe point.

    >>> try:
    ...     with stoppable():
    ...         signal.raise_signal(signal.SIGTERM)
    ... except KeyboardInterrupt:
    ...     print("interrupted")
    interrupted
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        del frame
        _process.pending.append(number)
        raise KeyboardInterrupt

    restore = (lambda: None) if _process.taken_over else _handled(interrupt)
    _process.stage = RUNNING
    try:
        if _process.taken_over:
            safe_point()
        yield
    finally:
        restore()
        if not _process.taken_over:
            _process.pending.clear()


def safe_point() -> None:
    """Stop here if the process was asked to, and nothing is in hand.

    Raises
    ------
    KeyboardInterrupt : it was asked
    """
    if _process.pending and not _process.in_hand:
        raise KeyboardInterrupt


def at_last(act: Callable[[], None]) -> Callable[[], None]:
    """Do something even when the process ends at once; returns what takes that back."""
    _process.last_acts.append(act)

    def forget() -> None:
        if act in _process.last_acts:
            _process.last_acts.remove(act)

    return forget


# ------------------------------------------------------------------------------- programs


def take_over() -> None:
    """Handle all requests to stop of this process from now on, see the module.

    Signals that the process was told to ignore stay ignored.
    """
    numbers = {number for number in _numbers() if signal.getsignal(number) is not signal.SIG_IGN}
    # Sockets, since Windows tells of signals through them alone.
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    # The thread hears of a signal even while the main one is busy outside of Python.
    threading.Thread(target=_watch, args=(reader, numbers), daemon=True).start()
    _process.taken_over = True
    for number in numbers:
        signal.signal(number, _note)
    signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    _process.ends = reader, writer
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_as_usual)


def ended(code: int) -> int:
    """The work is over: whatever is asked from now on, the process ends with this code."""
    _process.stage, _process.code = ENDED, code
    return code


def _note(number: int, frame: FrameType | None) -> None:
    del frame
    _process.pending.append(number)


def _watch(reader: socket.socket, numbers: set[int]) -> None:
    """Act on every signal that arrives."""
    count = 0
    while arrived := reader.recv(1):
        if arrived[0] not in numbers:
            continue
        count += 1
        if _process.stage != RUNNING or count > 1:
            _leave()
        _process.pending.append(arrived[0])
        threading.Thread(target=_limit, daemon=True).start()


def _limit() -> None:
    """End the process when it does not come to a safe point."""
    since = time.monotonic()
    while _process.stage == RUNNING:
        time.sleep(0.05)
        if _process.in_hand:
            since = time.monotonic()
        if time.monotonic() - since > GRACE:
            _leave()


def _leave() -> NoReturn:
    """End the process now."""
    if _process.stage != ENDED:
        text = "interrupted at once; run the same command again to continue\n"
        if _process.stage == NOTHING:
            text = "interrupted before anything was done; run the same command again\n"
        os.write(2, text.encode())
    for act in reversed(_process.last_acts):
        try:
            act()
        except Exception:
            continue
    os._exit(_process.code)


def _as_usual() -> None:
    """A forked process is none of this one's business: it dies of signals as any other."""
    if not _process.taken_over:
        return
    signal.set_wakeup_fd(-1)
    for number in _numbers():
        if signal.getsignal(number) is _note:
            signal.signal(number, signal.SIG_DFL)
    _process.taken_over = False


def _numbers() -> list[int]:
    return [int(getattr(signal, name)) for name in REQUESTS if hasattr(signal, name)]


def _handled(handler: Callable[[int, FrameType | None], None]) -> Callable[[], None]:
    """Handle requests from now on, except those this process was told to ignore; the way back."""
    if threading.current_thread() is not threading.main_thread():
        return lambda: None
    before = {number: signal.getsignal(number) for number in _numbers()}
    before = {number: was for number, was in before.items() if was is not signal.SIG_IGN}
    for number in before:
        signal.signal(number, handler)

    def restore() -> None:
        for number, was in before.items():
            signal.signal(number, was)

    return restore
