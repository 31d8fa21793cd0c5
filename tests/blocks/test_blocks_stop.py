"""Asked to stop, a job ends soon, with exit code 75, and is continued without repeating a block."""

from __future__ import annotations

import itertools
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from support import block_stages
from support.block_stages import GRID, STAGES, contents, markers

from jaxseg import blocks, main
from jaxseg.errors import Interrupted
from jaxseg.signals import REQUESTS, interruptible, stoppable


def ask(name: str) -> None:
    os.kill(os.getpid(), getattr(signal, name))


def asking(name: str, at: int, function):
    """A function during whose n-th call the process is asked to stop."""
    calls = []

    def wrapped(box: np.ndarray) -> np.ndarray:
        calls.append(box)
        if len(calls) == at:
            ask(name)
        return function(box)

    return wrapped


@pytest.mark.parametrize(
    ("stage", "name"), list(zip(STAGES, itertools.cycle(REQUESTS), strict=False))
)
def test_a_request_ends_a_stage_and_loses_nothing(
    stage: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    STAGES[stage](tmp_path / "whole")
    before = [signal.getsignal(getattr(signal, request)) for request in REQUESTS]
    with monkeypatch.context() as patch:
        # Where measuring begins, all other blocks were decoded.
        at = 2 + len(GRID) * (stage == "measurements")
        patch.setattr(block_stages, "decode", asking(name, at, block_stages.decode))
        forward = asking(name, 9, block_stages.forward)
        stages = STAGES | {"predict": lambda folder: block_stages.predict(folder, forward=forward)}
        with pytest.raises(Interrupted, match=r"stopped with \d+ of \d+ blocks done") as caught:
            stages[stage](tmp_path / "stopped")
    assert caught.value.exit_code == 75
    assert before == [signal.getsignal(getattr(signal, request)) for request in REQUESTS]
    done = markers(tmp_path / "stopped")
    assert 0 < len(done) < len(markers(tmp_path / "whole"))
    STAGES[stage](tmp_path / "stopped")
    assert done.items() <= markers(tmp_path / "stopped").items()
    assert contents(tmp_path / "stopped/final") == contents(tmp_path / "whole/final")


def test_blocks_in_hand_are_finished_and_no_other_is_begun(tmp_path: Path) -> None:
    ledger = blocks.open_ledger(tmp_path / "a", "a", GRID, {})
    begun = []

    def work(number: int) -> dict[str, int]:
        begun.append(number)
        if number == 1:
            ask("SIGTERM")
        return {}

    with pytest.raises(Interrupted):
        blocks.run_blocks(ledger, range(len(GRID)), work)
    assert set(begun) == blocks.finished(ledger)
    assert len(begun) < len(GRID)


def test_a_request_that_came_too_late_acts_afterwards(tmp_path: Path) -> None:
    ledger = blocks.open_ledger(tmp_path / "a", "a", GRID, {})

    def work(number: int) -> dict[str, int]:
        if number == len(GRID) - 1:
            ask("SIGUSR1")
        return {}

    with stoppable(), pytest.raises(KeyboardInterrupt):
        blocks.run_blocks(ledger, range(len(GRID)), work)
    assert len(blocks.finished(ledger)) == len(GRID)


def test_a_second_request_acts_at_once() -> None:
    def twice() -> None:
        with interruptible() as asked:
            ask("SIGUSR1")
            assert asked()
            ask("SIGTERM")
            pytest.fail("still running")

    with stoppable(), pytest.raises(KeyboardInterrupt):
        twice()


def test_what_the_process_was_told_to_ignore_stays_ignored() -> None:
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        with stoppable(), interruptible() as asked:
            ask("SIGUSR1")
            assert not asked()
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_outside_of_blocks_a_request_is_an_interruption(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Reading, decoding in memory, evaluation: what they are writing is given up."""
    monkeypatch.setattr("jaxseg.workflows.run", lambda config: ask("SIGTERM"))
    monkeypatch.setattr("jaxseg.runtime.configure", lambda **options: False)
    assert main.main([]) == 75
    assert "run the same command again" in capsys.readouterr().err
