"""Instances by blocks of drawn labels, killed at random moments and continued.

As a script::

    python tests/killed_blocks.py FOLDER KILLS SEED

or, with ``together`` instead of a seed, several times by two processes at once.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import blockwise
import numpy as np

from jaxseg.blocks import BlockGrid

GRID = BlockGrid((12, 14), (6, 7), (4, 4), (2, 2))
PAUSE = 0.0


def labels() -> np.ndarray:
    """Rectangles of 3 by 4, one voxel apart."""
    found = np.zeros(GRID.shape, np.int64)
    for number, (y, x) in enumerate(np.ndindex(3, 3)):
        found[4 * y : 4 * y + 3, 5 * x : 5 * x + 4] = number + 1
    return found


def decode(box: np.ndarray) -> np.ndarray:
    """The planes are labels; a network and a watershed take longer."""
    time.sleep(PAUSE)
    return box


def in_a_child(folder: Path, after: float | None) -> tuple[int, float]:
    """All stages in a fork of this process, killed after some seconds; exit status and seconds."""
    began = time.monotonic()
    child = os.fork()
    if not child:
        blockwise.instances(folder, GRID, labels(), decode)
        os._exit(0)
    if after is not None:
        time.sleep(after)
        os.kill(child, signal.SIGKILL)
    return os.waitpid(child, 0)[1], time.monotonic() - began


def markers(folder: Path) -> dict[str, int]:
    """When every block was marked."""
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("done/*/*.json")}


def killed(folder: Path, kills: int, seed: int) -> dict[str, int]:
    """Run again and again in new folders until a process was killed so many times."""
    rng = np.random.default_rng(seed)
    failures, seconds = in_a_child(folder / "run0", None)
    hits, runs, repeated = 0, 1, 0
    while hits < kills:
        place = folder / f"run{runs}"
        before = markers(place)
        status, _ = in_a_child(place, rng.uniform(0.02, 1) * seconds)
        after = markers(place)
        repeated += sum(after.get(name) != when for name, when in before.items())
        hits += status == signal.SIGKILL
        failures += status not in (0, signal.SIGKILL)
        runs += status == 0  # it was at its end already: another one
    failures += in_a_child(folder / f"run{runs}", None)[0]
    return {"failures": failures, "runs": runs + 1, "kills": hits, "repeated": repeated}


def together(folder: Path, runs: int) -> dict[str, int]:
    """Two processes that do all blocks of the same folder at the same time."""
    failures = 0
    for number in range(runs):
        children = [os.fork() for _ in range(2) if os.getpid() == PARENT]
        if 0 in children or os.getpid() != PARENT:
            blockwise.instances(folder / f"run{number}", GRID, labels(), decode)
            os._exit(0)
        failures += sum(os.waitpid(child, 0)[1] != 0 for child in children)
    return {"failures": failures, "runs": runs}


if __name__ == "__main__":
    where, count, start = sys.argv[1:]
    PAUSE, PARENT = 0.02, os.getpid()
    if start == "together":
        print(json.dumps(together(Path(where), int(count))))
    else:
        print(json.dumps(killed(Path(where), int(count), int(start))))
