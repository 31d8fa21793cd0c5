"""A stage by blocks, killed at random moments and continued.

As a script::

    python tests/killed_blocks.py STAGE FOLDER KILLS MODE

with ``killed``, ``asked`` to stop, or ``together``, not stopped but done by two processes at once.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from jaxseg.errors import Interrupted
from jaxseg.signals import REQUESTS, stoppable
from support.block_stages import PAUSE, STAGES, markers


def in_a_child(
    stage: str, folder: Path, after: float = 0, number: int = 0
) -> tuple[int, float, float]:
    """A stage in a fork of this process, which gets a signal after some seconds.

    Returns
    -------
    how it ended as ``subprocess`` says it, seconds, and the seconds since the signal
    """
    began = sent = time.monotonic()
    with stoppable():  # from its first instant
        child = os.fork()
        if not child:
            os._exit(outcome(stage, folder))
    if number:
        time.sleep(after)
        sent = time.monotonic()
        os.kill(child, number)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return status, time.monotonic() - began, time.monotonic() - sent


def outcome(stage: str, folder: Path) -> int:
    """Exit code of a stage."""
    try:
        STAGES[stage](folder)
    except KeyboardInterrupt:
        return Interrupted.exit_code
    except Interrupted as error:
        return error.exit_code
    return 0


def killed(stage: str, folder: Path, kills: int, mode: str) -> dict[str, float]:
    """Run again and again in new folders until a process was stopped so many times."""
    rng, numbers = np.random.default_rng(1), [getattr(signal, name) for name in REQUESTS]
    ends = {-signal.SIGKILL} if mode == "killed" else {Interrupted.exit_code}
    failures, seconds, _ = in_a_child(stage, folder / "run0")
    hits, runs, repeated, longest = 0, 1, 0, 0.0
    while hits < kills:
        place, before = folder / f"run{runs}", markers(folder / f"run{runs}")
        number = signal.SIGKILL if mode == "killed" else numbers[hits % len(numbers)]
        status, _, late = in_a_child(stage, place, rng.uniform(0.02, 1) * seconds, number)
        after = markers(place)
        repeated += sum(after.get(name) != when for name, when in before.items())
        hits += status in ends
        failures += status not in {0, *ends}
        longest = max(longest, late)
        runs += status == 0  # it was at its end already: another one
    failures += in_a_child(stage, folder / f"run{runs}")[0]
    found = {"failures": failures, "runs": runs + 1, "kills": hits, "repeated": repeated}
    return found | {"longest": longest}


def together(stage: str, folder: Path, runs: int) -> dict[str, int]:
    """Two processes that do all blocks of the same folder at the same time."""
    failures = 0
    for number in range(runs):
        children = [os.fork() for _ in range(2) if os.getpid() == PARENT]
        if 0 in children or os.getpid() != PARENT:
            STAGES[stage](folder / f"run{number}")
            os._exit(0)
        failures += sum(os.waitpid(child, 0)[1] != 0 for child in children)
    return {"failures": failures, "runs": runs}


if __name__ == "__main__":
    name, where, count, mode = sys.argv[1:]
    PAUSE[0], PARENT = 0.02, os.getpid()
    if mode == "together":
        print(json.dumps(together(name, Path(where), int(count))))
    else:
        print(json.dumps(killed(name, Path(where), int(count), mode)))
