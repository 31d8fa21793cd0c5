"""The command line from outside: two trainings of one run, and requests to stop at any instant."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from support import small_runs
from support.two_processes import ended, start

from jaxseg import checkpoint

pytestmark = pytest.mark.slow
ALONE = {"JAX_NUM_CPU_DEVICES": "2", "PJRT_NPROC": "16"}


def words(folder: Path) -> list[str]:
    folder.mkdir(exist_ok=True)
    if not (folder / "data").exists():
        small_runs.write(folder / "data")
    made = small_runs.command(folder, ndim=2, channels="(ch('F'),)", patch=(16, 16))
    return [*made, "--phases", "train", "--train.epochs", "20", "--train.steps", "5"]


def result(folder: Path) -> tuple[str, list[float]]:
    found = checkpoint.newest(folder / "out/discs/checkpoints/discs_1/last")
    assert found is not None
    return found.identity, [row["val_loss"] for row in found.meta["record"]["history"]]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[float]]:
    """What a training leaves that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    code, text = ended(start(words(folder), ALONE))
    assert code == 0, text
    return result(folder)


@pytest.mark.parametrize("delay", [0.0, 2.0])
def test_two_trainings_of_one_run(delay: float, whole, tmp_path: Path) -> None:
    first = start(words(tmp_path), ALONE)
    time.sleep(delay)
    second = start(words(tmp_path), ALONE)
    (one, text), (other, more) = ended(first), ended(second)
    assert sorted([one, other]) == [0, 2]
    assert "another process writes this run" in text + more
    assert "Traceback" not in text + more
    assert result(tmp_path) == whole


def test_requests_to_stop_at_any_instant(whole, tmp_path: Path) -> None:
    rng, requests = np.random.default_rng(3), ("SIGTERM", "SIGINT", "SIGUSR1")
    began = time.monotonic()
    assert ended(start(words(tmp_path / "paced"), ALONE))[0] == 0
    seconds, codes = time.monotonic() - began, []
    for number in range(6):
        process = start(words(tmp_path / "run"), ALONE)
        # The interpreter itself has to begin before anything can be handled.
        time.sleep(rng.uniform(0.3, 0.9 * seconds))
        os.kill(process.pid, getattr(signal, requests[number % 3]))
        sent = time.monotonic()
        code, text = ended(process)
        codes.append(code)
        assert code in (0, 75), text
        assert "Traceback" not in text
        assert ("stopped" in text or "interrupted" in text) == (code == 75), text
        assert time.monotonic() - sent < 30
    assert 75 in codes
    assert ended(start(words(tmp_path / "run"), ALONE))[0] == 0
    assert result(tmp_path / "run") == whole
