"""Two writers of one run: the second says who the first is; a dead one holds nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jaxseg.errors import ConfigError
from jaxseg.runs import lock
from jaxseg.runs.lock import locked, take


def holder(path: Path, **changes: object) -> None:
    """A lock as another process would leave it."""
    document = {"host": "elsewhere", "boot": "b", "pids": "p", "pid": 7, "started": "1"}
    document |= {"token": "t", "since": "2000-01-01 00:00:00"}
    path.write_text(json.dumps(document | changes))


def test_the_second_writer_is_told_who_the_first_is(tmp_path: Path) -> None:
    with locked([tmp_path / "train"]) as guard:
        with pytest.raises(ConfigError, match=f"process {os.getpid()} on .*last sign") as caught:
            take(tmp_path / "train")
        assert caught.value.exit_code == 2
        assert len(str(caught.value).splitlines()) <= 3
        guard()
    with locked([tmp_path / "train"]):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_dead_process_of_this_machine_holds_nothing(tmp_path: Path) -> None:
    code = "import os, sys; from pathlib import Path; from jaxseg.runs.lock import take\n"
    code += "take(Path(sys.argv[1])); os._exit(9)"
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "train")], check=False)
    assert (tmp_path / "train").exists()
    with locked([tmp_path / "train"]):
        pass


def test_a_number_of_a_process_that_is_used_again_is_another_process(tmp_path: Path) -> None:
    first = take(tmp_path / "train")
    document = json.loads((tmp_path / "train").read_text())
    first.release()
    holder(tmp_path / "train", **document | {"started": "another time"})
    take(tmp_path / "train").release()


def test_another_machine_holds_it_as_long_as_it_gives_signs(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(lock, "BEAT", 0.1)
    monkeypatch.setattr(lock, "STALE", 0.6)
    path = tmp_path / "train"
    holder(path)
    with pytest.raises(ConfigError, match="process 7 on elsewhere since 2000"):
        take(path)
    began = time.monotonic()
    old = time.time() - 0.4
    os.utime(path, (old, old))
    with locked([path]):  # waits for a sign, and none comes
        assert time.monotonic() - began > 0.1
    holder(path)
    os.utime(path, (1, 1))
    take(path).release()


def test_a_lock_without_content_is_somebodys_until_it_is_old(tmp_path: Path) -> None:
    (tmp_path / "train").touch()
    with pytest.raises(ConfigError, match="an unknown process"):
        take(tmp_path / "train")
    os.utime(tmp_path / "train", (1, 1))
    take(tmp_path / "train").release()


def test_whoever_lost_its_lock_writes_no_more(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(lock, "BEAT", 0.02)
    with locked([tmp_path / "train"]) as guard:
        guard()
        holder(tmp_path / "train")
        with pytest.raises(ConfigError, match="took this run over"):
            guard()
    assert json.loads((tmp_path / "train").read_text())["host"] == "elsewhere"


def test_without_hard_links(tmp_path: Path, monkeypatch) -> None:
    def link(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    with locked([tmp_path / "train"]), pytest.raises(ConfigError, match="another process"):
        take(tmp_path / "train")
    assert list(tmp_path.iterdir()) == []


RACE = """
import sys, time
from pathlib import Path
from jaxseg.errors import ConfigError
from jaxseg.runs.lock import take
path, log = Path(sys.argv[1]), open(sys.argv[2], "a", buffering=1)
done = 0
while done < 5:
    try:
        held = take(path)
    except ConfigError:
        time.sleep(0.002)
        continue
    log.write("begin\\n"); time.sleep(0.005); log.write("end\\n")
    held.release()
    done += 1
"""


def test_never_two_at_once(tmp_path: Path) -> None:
    path, log = tmp_path / "train", tmp_path / "log"
    holder(path)
    os.utime(path, (1, 1))
    command = [sys.executable, "-c", RACE, str(path), str(log)]
    racers = [subprocess.Popen(command) for _ in range(4)]
    assert [racer.wait(timeout=60) for racer in racers] == [0] * 4
    assert log.read_text().split() == ["begin", "end"] * 20
