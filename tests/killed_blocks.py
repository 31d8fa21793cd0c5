"""A stage by blocks, killed at random moments and continued.

As a script::

    python tests/killed_blocks.py STAGE FOLDER KILLS SEED

or, with ``together`` instead of a seed, several times by two processes at once.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
from block_stages import PAUSE, STAGES, markers


def in_a_child(stage: str, folder: Path, after: float | None) -> tuple[int, float]:
    """A stage in a fork of this process, killed after some seconds; exit status and seconds."""
    began = time.monotonic()
    child = os.fork()
    if not child:
        STAGES[stage](folder)
        os._exit(0)
    if after is not None:
        time.sleep(after)
        os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1], time.monotonic() - began


def killed(stage: str, folder: Path, kills: int, seed: int) -> dict[str, int]:
    """Run again and again in new folders until a process was killed so many times."""
    rng = np.random.default_rng(seed)
    failures, seconds = in_a_child(stage, folder / "run0", None)
    hits, runs, repeated = 0, 1, 0
    while hits < kills:
        place = folder / f"run{runs}"
        before = markers(place)
        status, _ = in_a_child(stage, place, rng.uniform(0.02, 1) * seconds)
        after = markers(place)
        repeated += sum(after.get(name) != when for name, when in before.items())
        hits += status == signal.SIGKILL
        failures += status not in (0, signal.SIGKILL)
        runs += status == 0  # it was at its end already: another one
    failures += in_a_child(stage, folder / f"run{runs}", None)[0]
    return {"failures": failures, "runs": runs + 1, "kills": hits, "repeated": repeated}


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
    name, where, count, start = sys.argv[1:]
    PAUSE[0], PARENT = 0.02, os.getpid()
    if start == "together":
        print(json.dumps(together(name, Path(where), int(count))))
    else:
        print(json.dumps(killed(name, Path(where), int(count), int(start))))
