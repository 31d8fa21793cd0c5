"""Blocks on a dask cluster whose processes die."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import blockwise
import numpy as np
import pytest
from block_stages import GRID, decode, labels
from cluster_work import make_work

from jaxseg import blocks
from jaxseg.blocks import BlocksFailed, Ledger
from jaxseg.errors import ConfigError, Interrupted


def begin(folder: Path) -> Ledger:
    return blocks.open_creation(folder / "creation", GRID, {"seed": 0})


def on_cluster(ledger: Ledger, behaviour: str, address: str = "local:2") -> None:
    arguments = (str(ledger.folder), behaviour)
    numbers = range(len(GRID))
    blocks.run_on_cluster(ledger, numbers, make_work, arguments, address=address, retries=3)


def check(folder: Path) -> None:
    created = blockwise.create(folder, GRID, labels(), decode, range(0))
    found = blockwise.labels_of(blockwise.merge(folder, created))
    assert np.array_equal(found, blockwise.canonical(labels()))


def test_without_dask_the_extra_is_named(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ConfigError, match=r"jaxseg\[cluster\]"):
        on_cluster(begin(tmp_path), "good")


@pytest.fixture
def dask() -> None:
    pytest.importorskip("distributed")


@pytest.mark.slow
@pytest.mark.usefixtures("dask")
@pytest.mark.filterwarnings("default")
class TestCluster:
    def test_all_blocks_are_done_once(self, tmp_path: Path) -> None:
        ledger = begin(tmp_path)
        on_cluster(ledger, "good")
        on_cluster(ledger, "good")
        assert [len(file.read_text()) for file in tmp_path.glob("visited*")] == [1] * len(GRID)
        check(tmp_path)

    def test_every_block_kills_its_process_once(self, tmp_path: Path) -> None:
        on_cluster(begin(tmp_path), "once")
        check(tmp_path)

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
