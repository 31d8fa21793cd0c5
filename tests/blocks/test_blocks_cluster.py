"""Blocks on a dask cluster whose processes die."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from support import blockwise
from support.block_stages import GRID, decode, labels
from support.cluster_work import make_work

from jaxseg import blocks
from jaxseg.blocks import BlockGrid, BlocksFailed, Ledger
from jaxseg.errors import ConfigError, Interrupted

pytestmark = pytest.mark.full

# For many deaths.
MANY = BlockGrid((48, 56), (6, 7), (4, 4), (2, 2))


def begin(folder: Path, grid: BlockGrid = GRID) -> Ledger:
    stage = blockwise.creation(grid, labels(grid.shape), decode)
    return blocks.open_stage(stage, folder / stage.name, {})


def visits(folder: Path) -> list[int]:
    """How often every block was begun."""
    files = sorted(folder.glob("visited*"), key=lambda file: int(file.name[len("visited") :]))
    return [len(file.read_text()) for file in files]


def on_cluster(ledger: Ledger, behaviour: str, address: str = "local:2") -> None:
    arguments = (str(ledger.folder), behaviour)
    numbers = range(len(ledger.grid))
    blocks.run_on_cluster(ledger, numbers, make_work, arguments, address=address, retries=3)


def started(*words: str) -> subprocess.Popen[bytes]:
    """A process of a cluster, which finds the work that the tests define."""
    path = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
    # Workers otherwise start their processes anew for a minute after the scheduler has gone.
    words = (*words, "--death-timeout", "5", "--nthreads", "1") if words[0] == "worker" else words
    command = [sys.executable, "-m", "dask", *words]
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path})


def kill_after_some(ledger: Ledger, server: subprocess.Popen[bytes]) -> None:
    while len(blocks.finished(ledger)) < 3:
        time.sleep(0.05)
    server.kill()


def check(folder: Path, grid: BlockGrid = GRID) -> None:
    planes = labels(grid.shape)
    created = blockwise.create(folder, grid, planes, decode, range(0))
    found = blockwise.labels_of(blockwise.merge(folder, created))
    assert np.array_equal(found, blockwise.canonical(planes))


def test_without_dask_the_extra_is_named(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ConfigError, match=r"jaxseg\[cluster\]"):
        on_cluster(begin(tmp_path), "good")


@pytest.fixture
def dask() -> None:
    pytest.importorskip("distributed", reason="needs jaxseg[cluster]")


@pytest.mark.usefixtures("dask")
@pytest.mark.filterwarnings("default")
def test_a_cluster_of_threads(tmp_path: Path) -> None:
    """A poisoned block is put aside; mended, it alone is done."""
    from distributed import LocalCluster

    ledger = begin(tmp_path)
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None
    ) as cluster:
        with pytest.raises(BlocksFailed, match="poison") as caught:
            on_cluster(ledger, "poison", cluster.scheduler_address)
        assert caught.value.exit_code == 1
        assert blocks.finished(ledger) == {0, 1, 3}
        before = visits(tmp_path)
        on_cluster(ledger, "good", cluster.scheduler_address)
    assert visits(tmp_path) == [before[0], before[1], before[2] + 1, before[3]]
    check(tmp_path)


@pytest.mark.slow
@pytest.mark.usefixtures("dask")
@pytest.mark.filterwarnings("default")
class TestCluster:
    def test_all_blocks_are_done_once(self, tmp_path: Path) -> None:
        ledger = begin(tmp_path)
        on_cluster(ledger, "good")
        on_cluster(ledger, "good")
        assert visits(tmp_path) == [1] * len(GRID)
        check(tmp_path)

    def test_every_block_kills_its_process_once(self, tmp_path: Path) -> None:
        on_cluster(begin(tmp_path), "once")
        check(tmp_path)

    def test_processes_that_die_again_and_again(self, tmp_path: Path) -> None:
        """22 deaths: no block that is done is done again, and no innocent one is blamed."""
        on_cluster(begin(tmp_path, MANY), "often")
        assert visits(tmp_path) == [1 + (number % 3 == 0) for number in range(len(MANY))]
        assert sum(visits(tmp_path)) - len(MANY) >= 20
        check(tmp_path, MANY)

    @pytest.mark.parametrize("behaviour", ["poison", "deadly"])
    def test_a_fatal_block_is_put_aside(self, tmp_path: Path, behaviour: str) -> None:
        ledger = begin(tmp_path)
        with pytest.raises(BlocksFailed, match=r"1 of 4 blocks could not be done: 2"):
            on_cluster(ledger, behaviour)
        assert blocks.finished(ledger) == {0, 1, 3}
        on_cluster(ledger, "good")
        assert not blocks.failed(ledger)
        check(tmp_path)

    def test_nobody_at_the_address(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="no scheduler answers"):
            on_cluster(begin(tmp_path), "good", "tcp://127.0.0.1:1")

    def test_a_killed_scheduler_is_no_endless_wait(self, tmp_path: Path) -> None:
        ledger, file = begin(tmp_path, MANY), tmp_path / "scheduler.json"
        server = started("scheduler", "--scheduler-file", str(file), "--no-dashboard")
        worker = started("worker", "--scheduler-file", str(file), "--no-dashboard")
        try:
            while not file.exists():
                time.sleep(0.1)
            address = json.loads(file.read_text())["address"]
            killer = threading.Thread(target=kill_after_some, args=(ledger, server))
            killer.start()
            with pytest.raises(Interrupted, match="what is done is kept"):
                on_cluster(ledger, "slow", address)
            killer.join()
        finally:
            for process in (server, worker):
                process.kill()
                process.wait()
        before = visits(tmp_path)
        done = blocks.finished(ledger)
        assert 3 <= len(done) < len(MANY)
        on_cluster(ledger, "good")
        assert all(visits(tmp_path)[number] == before[number] for number in done)
        check(tmp_path, MANY)

    def test_a_lost_scheduler_loses_nothing(self, tmp_path: Path) -> None:
        from distributed import LocalCluster

        ledger = begin(tmp_path)
        cluster = LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None)

        def stop() -> None:
            while not blocks.finished(ledger):
                time.sleep(0.05)
            cluster.close()

        stopper = threading.Thread(target=stop)
        stopper.start()
        with pytest.raises(Interrupted, match="what is done is kept"):
            on_cluster(ledger, "slow", cluster.scheduler_address)
        stopper.join()
        done = {n: ledger.marker(n).stat().st_mtime_ns for n in blocks.finished(ledger)}
        assert done
        on_cluster(ledger, "good")
        assert done.items() <= {n: ledger.marker(n).stat().st_mtime_ns for n in range(4)}.items()
        check(tmp_path)
