"""Stopped at any point, a run by blocks is continued to the same bits."""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import blockwise
import numpy as np
import pytest
from killed_blocks import GRID, decode, labels

from jaxseg import verify
from jaxseg.blocks import BlocksFailed
from jaxseg.errors import ResourceError

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


def run(folder: Path, monkeypatch: pytest.MonkeyPatch, **state: Any) -> int:
    """All stages with a failure at one operation; how many operations there were."""
    state["numbers"] = itertools.count(1)
    with monkeypatch.context() as patch:
        for name in CALLS:
            patch.setattr(os, name, failing(getattr(os, name), state))
        blockwise.instances(folder, GRID, labels(), decode)
    return next(state["numbers"]) - 1


def complete_looking(folder: Path) -> bool:
    return (folder / "final").exists()


@pytest.fixture(scope="module")
def operations(tmp_path_factory: pytest.TempPathFactory) -> int:
    with pytest.MonkeyPatch.context() as patch:
        return run(tmp_path_factory.mktemp("whole"), patch, at=0, after=False)


def check_every(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    points: range,
    error: BaseException,
    after: bool,
) -> None:
    expected = blockwise.canonical(labels())
    for at in points:
        folder = tmp_path / str(at)
        # A folder that cannot be made but is there already is no failure, so some points have none.
        with contextlib.suppress(Crash, BlocksFailed, ResourceError, OSError):
            run(folder, monkeypatch, at=at, error=error, after=after)
        if complete_looking(folder):
            assert verify.main([str(folder)]) == 0
        found = blockwise.instances(folder, GRID, labels(), decode)
        assert np.array_equal(found, expected), f"operation {at}"
        assert verify.main([str(folder)]) == 0


STEPS = [
    pytest.param(97, id="some"),
    pytest.param(1, id="every", marks=pytest.mark.slow),
]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("after", [False, True])
def test_a_crash_at_every_operation(
    step: int, after: bool, operations: int, tmp_path: Path, monkeypatch, capsys
) -> None:
    assert operations > 100
    points = range(1 + (step > 1) * 4 * after, operations + 1, step)
    check_every(tmp_path, monkeypatch, points, Crash(), after)


@pytest.mark.parametrize("step", STEPS)
def test_a_full_disk_at_every_operation(
    step: int, operations: int, tmp_path: Path, monkeypatch, capsys
) -> None:
    error = OSError(errno.ENOSPC, "No space left on device")
    check_every(tmp_path, monkeypatch, range(11, operations + 1, step), error, False)


@pytest.mark.parametrize(
    "kills", [pytest.param(3, id="3"), pytest.param(200, id="200", marks=pytest.mark.slow)]
)
def test_killed_at_random_moments(kills: int, tmp_path: Path) -> None:
    # A process of its own that started no thread, and so can fork.
    script = Path(__file__).with_name("killed_blocks.py")
    command = [sys.executable, str(script), str(tmp_path), str(kills), "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["kills"] == kills
    assert result["failures"] == 0, done.stderr
    assert result["repeated"] == 0
    for number in range(result["runs"]):
        ledger = blockwise.blocks.read_ledger(tmp_path / f"run{number}" / "labels")
        assert np.array_equal(blockwise.labels_of(ledger), blockwise.canonical(labels()))
        assert verify.main([str(tmp_path / f"run{number}")]) == 0


@pytest.mark.parametrize(
    "runs", [pytest.param(2, id="2"), pytest.param(50, id="50", marks=pytest.mark.slow)]
)
def test_two_jobs_on_the_same_blocks_at_once(runs: int, tmp_path: Path) -> None:
    script = Path(__file__).with_name("killed_blocks.py")
    command = [sys.executable, str(script), str(tmp_path), str(runs), "together"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["failures"] == 0, done.stderr
    for number in range(runs):
        ledger = blockwise.blocks.read_ledger(tmp_path / f"run{number}" / "labels")
        assert np.array_equal(blockwise.labels_of(ledger), blockwise.canonical(labels()))
        assert verify.main([str(tmp_path / f"run{number}")]) == 0
