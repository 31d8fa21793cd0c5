"""Several processes train one network: the same bits as one process with as many devices."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from support import small_runs
from support.two_processes import ended, start, together

from jaxseg import checkpoint, hosts
from jaxseg.errors import ConfigError

pytestmark = pytest.mark.full

TASK = {"SLURM_JOB_ID": "7", "SLURM_STEP_NODELIST": "node[1-2]", "SLURM_PROCID": "1",
        "SLURM_LOCALID": "0", "SLURM_NTASKS": "2"}  # fmt: skip
THREE = {"JAX_COORDINATOR_ADDRESS": "a:1", "JAX_NUM_PROCESSES": "3", "JAX_PROCESS_ID": "2"}


def test_the_others_are_found() -> None:
    assert hosts.find({}) is None
    assert hosts.find(TASK) == (1, 2, "")
    assert hosts.find(TASK | {"SLURM_NTASKS": "1", "SLURM_PROCID": "0"}) is None
    assert hosts.find(THREE) == (2, 3, "a:1")
    # A job of SLURM outside of srun is one process.
    assert hosts.find({"SLURM_JOB_ID": "7", "SLURM_NTASKS": "2"}) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"JAX_NUM_PROCESSES": "3"},
        THREE | {"JAX_PROCESS_ID": "3"},
        THREE | {"JAX_PROCESS_ID": "x"},
        TASK | {"SLURM_NTASKS": "two"},
    ],
)
def test_variables_that_contradict_each_other(wrong: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        hosts.find(wrong)


def test_processes_together_only_train(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in THREE.items():
        monkeypatch.setenv(name, value)
    assert not hosts.join(("predict", "decode"))
    with pytest.raises(ConfigError, match="3 processes train together"):
        hosts.join(("train", "predict"))
    assert hosts.is_first()
    assert hosts.any_of(True)


def words(folder: Path) -> list[str]:
    folder.mkdir(exist_ok=True)
    if not (folder / "data").exists():
        small_runs.write(folder / "data")
    made = small_runs.command(folder, ndim=2, channels="(ch('F'),)", patch=(16, 16))
    return [*made, "--phases", "train", "--train.epochs", "40", "--train.steps", "5"]


def result(folder: Path) -> tuple[Any, ...]:
    """All that a training leaves, but for times and places."""
    root = folder / "out/discs/checkpoints/discs_1"
    found = [checkpoint.newest(root / kind) for kind in ("last", "best")]
    assert found[0] is not None
    assert found[1] is not None
    rows = [{**row, "seconds": 0} for row in found[0].meta["record"]["history"]]
    return [one.identity for one in found if one], rows, found[0].meta["machine"]


@pytest.mark.slow
def test_two_processes_equal_two_devices_killed_stopped_and_resumed(tmp_path: Path) -> None:
    one = start(words(tmp_path / "one"), {"JAX_NUM_CPU_DEVICES": "2", "PJRT_NPROC": "16"})
    assert ended(one)[0] == 0
    wanted = result(tmp_path / "one")
    for number, act in enumerate((None, signal.SIGKILL, signal.SIGTERM)):
        folder = tmp_path / str(number)
        both = together(words(folder))
        if act is not None:
            log = folder / "out/discs/results/discs_1/train_logs/log.jsonl"
            while not log.exists() and both[0].poll() is None:
                time.sleep(0.05)
            time.sleep(0.3)
            # Killed, or the second one alone is asked to stop: they agree where.
            for process in both if act == signal.SIGKILL else both[1:]:
                os.kill(process.pid, act)
            codes = [ended(process)[0] for process in both]
            assert codes == ([-9, -9] if act == signal.SIGKILL else [75, 75])
            assert len(log.read_text().splitlines()) < 40, "it was done before"
            both = together(words(folder))
        ends = [ended(process) for process in both]
        assert [code for code, _ in ends] == [0, 0], ends
        assert "epoch" not in ends[1][1]
        assert result(folder) == wanted


@pytest.mark.slow
def test_what_the_first_process_refuses_ends_all(tmp_path: Path) -> None:
    first = start(words(tmp_path), {"JAX_NUM_CPU_DEVICES": "2", "PJRT_NPROC": "16"})
    assert ended(first)[0] == 0
    both = together([*words(tmp_path), "--train.patience", "9"])
    ends = [ended(process, timeout=200) for process in both]
    assert [code for code, _ in ends] == [2, 2]
    assert "train.patience" in ends[0][1]
