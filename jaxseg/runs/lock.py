"""One writer of a run at a time: a lock that says who holds it, and that outlives no one.

A lock is a file that appears with its content in one step (a hard link, which is atomic on network
file systems, too). Its holder touches it every few seconds. A lock whose process died on this
machine is taken over at once, one of another machine when it was not touched for a while; times
are compared as the file system counts them, so that clocks may differ.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import json
import os
import random
import socket
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jaxseg.errors import ConfigError
from jaxseg.signals import at_last

# Seconds between two signs of life, and without one after which a holder counts as dead.
BEAT, STALE = 5.0, 60.0
# What a file system says that knows no hard links.
NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


class Lock:
    """A lock that this process holds; see :func:`locked`."""

    def __init__(self, path: Path, token: str) -> None:
        self.path, self.token = path, token
        self._end = threading.Event()
        self._lost = False
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()
        self._forget = at_last(self._remove)

    def guard(self) -> None:
        """Refuse to write after another process took the lock over.

        Raises
        ------
        ConfigError : it did, since this one gave no sign of life
        """
        if self._lost or _read(self.path).get("token") != self.token:
            raise ConfigError(
                "another process took this run over, as this one gave no sign of life for long",
                where=self.path,
                found=_described(_read(self.path)),
                fix="let the other one finish",
            )

    def release(self) -> None:
        """Give the lock back."""
        self._end.set()
        self._forget()
        self._remove()

    def _remove(self) -> None:
        if _read(self.path).get("token") == self.token:
            with contextlib.suppress(OSError):
                self.path.unlink()

    def _beat(self) -> None:
        while not self._end.wait(BEAT):
            try:
                if _read(self.path).get("token") == self.token:
                    os.utime(self.path)
                    continue
            except OSError:
                continue  # a file system that is away for a moment
            self._lost = not self._end.is_set()
            return


@contextmanager
def locked(paths: Sequence[Path]) -> Iterator[Callable[[], None]]:
    """Hold locks while something is written.

    Parameters
    ----------
    paths : of the locks, taken in this order

    Yields
    ------
    a function that raises ConfigError when one of them was taken over

    Raises
    ------
    ConfigError : another process holds one; who it is

    >>> import tempfile
    >>> place = Path(tempfile.mkdtemp()) / "train"
    >>> with locked([place]) as guard:
    ...     guard(), place.exists()
    (None, True)
    >>> place.exists()
    False
    """
    held: list[Lock] = []

    def guard() -> None:
        for lock in held:
            lock.guard()

    try:
        for path in paths:
            held.append(take(path))
            _held[path] = held[-1]
        yield guard
    finally:
        for lock in reversed(held):
            _held.pop(lock.path, None)
            lock.release()


def paths_of(results: Path, phases: Collection[str], *, shared: bool) -> list[Path]:
    """The locks that some phases need.

    Parameters
    ----------
    results : folder of the run's results
    phases : that are to run
    shared : jobs share the phases after the training block by block

    >>> [path.name for path in paths_of(Path("a"), ("train", "predict"), shared=False)]
    ['train', 'results']
    """
    names = ["train"] if "train" in phases else []
    names += ["results"] if set(phases) - {"train"} and not shared else []
    return [results / "locks" / name for name in names]


def guard(path: Path) -> None:
    """Refuse to write where this process took a lock and lost it.

    Raises
    ------
    ConfigError : another process took it over
    """
    if path in _held:
        _held[path].guard()


_held: dict[Path, Lock] = {}


def take(path: Path) -> Lock:
    """Take one lock, of a dead holder, too.

    Raises
    ------
    ConfigError : another process holds it; who it is
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    me = {**_here(), "token": uuid.uuid4().hex, "since": time.strftime("%Y-%m-%d %H:%M:%S")}
    mine = path.with_name(f"{path.name}.{me['token']}")
    try:
        mine.write_text(json.dumps(me))
        while not _linked(mine, path, me):
            holder = _read(path)
            if _is_alive(path, holder, mine):
                raise _refusal(path, holder, mine)
            _set_aside(path, holder, mine)
    finally:
        mine.unlink(missing_ok=True)
    return Lock(path, str(me["token"]))


def _linked(mine: Path, path: Path, me: dict[str, Any]) -> bool:
    """Give a finished file the name of the lock, unless there is one."""
    try:
        os.link(mine, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        except FileExistsError:
            return False
        with os.fdopen(descriptor, "w") as stream:
            stream.write(json.dumps(me))
    return True


def _set_aside(path: Path, holder: dict[str, Any], mine: Path) -> None:
    """Remove the lock of a dead holder; that of a faster process stays."""
    # Of several that wait for the same dead holder, one shall be first.
    time.sleep(random.uniform(0, 0.1))
    if _read(path) != holder:
        return
    old = mine.with_suffix(".old")
    with contextlib.suppress(FileNotFoundError):
        os.rename(path, old)
        if _read(old).get("token") != holder.get("token"):
            # Another process was faster by an instant: the lock is its own.
            with contextlib.suppress(OSError):
                os.link(old, path)
        old.unlink()


def _is_alive(path: Path, holder: dict[str, Any], mine: Path) -> bool:
    """Whether the holder of a lock still gives signs of life."""
    here = _here()
    if holder and all(holder.get(name) == here[name] for name in ("host", "boot", "pids")):
        return _started(holder.get("pid", 0)) == holder.get("started")
    first = _touched(path)
    while first is not None:
        os.utime(mine)
        age = mine.stat().st_mtime - first
        if age < 2.5 * BEAT:
            return True
        if age > STALE:
            return False
        time.sleep(min(1.0, BEAT))
        now = _touched(path)
        if now is not None and now != first:
            return True
        first = now
    return False


def _refusal(path: Path, holder: dict[str, Any], mine: Path) -> ConfigError:
    os.utime(mine)
    age = max(0.0, mine.stat().st_mtime - (_touched(path) or 0.0))
    return ConfigError(
        "another process writes this run",
        where=path,
        found=f"{_described(holder)}, last sign of life {age:.0f} s ago",
        fix="wait until it ends, or --run ANOTHER_NAME",
    )


def _described(holder: dict[str, Any]) -> str:
    names = ("pid", "host", "since")
    if not all(name in holder for name in names):
        return "an unknown process"
    return f"process {holder['pid']} on {holder['host']} since {holder['since']}"


def _read(path: Path) -> dict[str, Any]:
    """Who holds a lock; nothing where it is not there or not written yet."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _touched(path: Path) -> float | None:
    """When a lock was touched last; opened, so that a network file system asks its server."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        return os.fstat(descriptor).st_mtime
    finally:
        os.close(descriptor)


def _here() -> dict[str, Any]:
    """What tells this process from others: a number alone is used again and again."""
    return {
        "host": socket.gethostname(),
        "boot": _text("/proc/sys/kernel/random/boot_id"),
        "pids": _link("/proc/self/ns/pid"),
        "pid": os.getpid(),
        "started": _started(os.getpid()),
    }


def _started(pid: int) -> str:
    """When a process of this machine began; empty if there is none."""
    text = _text(f"/proc/{pid}/stat")
    if text:
        # The second field is a name, which may hold anything, in brackets.
        return text.rpartition(")")[2].split()[19]
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except OSError:
        pass
    return "alive"


@functools.cache
def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _text(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""
