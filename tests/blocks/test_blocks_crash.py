"""Stopped at any point, a run by blocks is continued to the same bits."""

from __future__ import annotations

import contextlib
import errno
import functools
import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from support.block_stages import STAGES, check_published, contents

from jaxseg.blocks import BlocksFailed
from jaxseg.cli import app
from jaxseg.errors import ResourceError

pytestmark = pytest.mark.full

CALLS = ("fsync", "replace", "rename", "open", "mkdir", "unlink")


class Crash(BaseException):
    """The end of a process, as far as one can have it without one."""


def failing(call: Callable[..., Any], state: dict[str, Any]) -> Callable[..., Any]:
    """A function of the operating system that fails at its n-th use, before or after its work."""

    def wrapped(*args: Any, **options: Any) -> Any:
        hit = next(state["numbers"]) == state["at"]  # several threads count
        if hit and not state["after"]:
            raise state["error"]
        result = call(*args, **options)
        if hit:
            if isinstance(result, int):
                os.close(result)
            raise state["error"]
        return result

    return wrapped


class Whole(NamedTuple):
    """What a stage does when nothing stops it."""

    operations: int
    files: dict[str, bytes]


def run(stage: str, folder: Path, **state: Any) -> int:
    """A stage with a failure at one operation; how many operations there were."""
    state["numbers"] = itertools.count(1)
    with pytest.MonkeyPatch.context() as patch:
        for name in CALLS:
            patch.setattr(os, name, failing(getattr(os, name), state))
        STAGES[stage](folder)
    return next(state["numbers"]) - 1


@functools.cache
def whole(stage: str) -> Whole:
    with tempfile.TemporaryDirectory() as folder:
        operations = run(stage, Path(folder), at=0, after=False)
        return Whole(operations, contents(Path(folder) / "final"))


def check_some(
    stage: str, folder: Path, *, first: int, count: int, error: BaseException, after: bool = False
) -> None:
    """Fail at some operations, evenly spread, or at every one if ``count`` is 0."""
    wanted = whole(stage)
    assert wanted.operations > 50
    points = range(first, wanted.operations + 1, wanted.operations // count if count else 1)
    for at in points:
        place = folder / str(at)
        # A folder that cannot be made but is there already is no failure, so some points have none.
        with contextlib.suppress(Crash, BlocksFailed, ResourceError, OSError):
            run(stage, place, at=at, error=error, after=after)
        check_published(place, wanted.files)
        STAGES[stage](place)
        assert contents(place / "final") == wanted.files, f"operation {at}"
        assert app.main(["verify", str(place)]) == 0


def slow(*values: Any) -> Any:
    return pytest.param(*values, marks=pytest.mark.slow)


# Objects take seven stages, so that every operation would take most of an hour.
SOME = {"objects": 60}
EVERY = [(stage, 5) for stage in STAGES] + [slow(stage, SOME.get(stage, 0)) for stage in STAGES]


@pytest.mark.parametrize(("stage", "count"), EVERY)
@pytest.mark.parametrize("after", [False, True])
def test_a_crash_at_every_operation(
    stage: str, count: int, after: bool, tmp_path: Path, capsys
) -> None:
    first = 1 + (count > 0) * (7 + 4 * after)
    check_some(stage, tmp_path, first=first, count=count, error=Crash(), after=after)


@pytest.mark.parametrize(("stage", "count"), EVERY)
def test_a_full_disk_at_every_operation(stage: str, count: int, tmp_path: Path, capsys) -> None:
    error = OSError(errno.ENOSPC, "No space left on device")
    check_some(stage, tmp_path, first=1 + (count > 0) * 15, count=count, error=error)


def script(*args: object) -> dict[str, Any]:
    """Run the script of kills: a process of its own that started no thread, and so can fork."""
    command = [
        sys.executable,
        str(Path(__file__).parents[1] / "support" / "killed_blocks.py"),
        *map(str, args),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["failures"] == 0, done.stderr
    return found


def check_runs(stage: str, folder: Path, runs: int) -> None:
    for number in range(runs):
        place = folder / f"run{number}"
        assert contents(place / "final") == whole(stage).files
        assert app.main(["verify", str(place)]) == 0


@pytest.mark.parametrize(
    ("stage", "kills"), [("predict", 3), *(slow(stage, 200) for stage in STAGES)]
)
def test_killed_at_random_moments(stage: str, kills: int, tmp_path: Path) -> None:
    found = script(stage, tmp_path, kills, "killed")
    assert found["kills"] == kills
    assert found["repeated"] == 0
    check_runs(stage, tmp_path, found["runs"])


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_asked_to_stop_at_random_moments(stage: str, tmp_path: Path) -> None:
    """SIGINT, SIGTERM and SIGUSR1 in turn, 21 times: exit code 75 within ten seconds."""
    found = script(stage, tmp_path, 21, "asked")
    assert found["kills"] == 21
    assert found["repeated"] == 0
    assert found["longest"] < 10
    check_runs(stage, tmp_path, found["runs"])


@pytest.mark.parametrize(
    ("stage", "runs"), [("instances", 2), *(slow(stage, 50) for stage in STAGES)]
)
def test_two_jobs_on_the_same_blocks_at_once(stage: str, runs: int, tmp_path: Path) -> None:
    script(stage, tmp_path, runs, "together")
    check_runs(stage, tmp_path, runs)
