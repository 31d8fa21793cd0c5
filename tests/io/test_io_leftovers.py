"""What dead writers left is removed, and nothing else."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import numpy as np
import pytest
from support import block_stages
from support.block_stages import GRID, contents

from jaxseg import io


def aged(path: Path, seconds: float = 7200) -> Path:
    """A file or folder, all of it last touched so many seconds ago."""
    when = time.time() - seconds
    for item in (*path.rglob("*"), path):
        os.utime(item, (when, when), follow_symlinks=False)
    return path


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder beside the results that must not be touched."""
    folder = tmp_path / "outside"
    (folder / "deep.partial").mkdir(parents=True)
    (folder / "a.partial").write_text("mine")
    return aged(folder)


def test_only_what_is_half_written_and_old_goes(tmp_path: Path, outside: Path) -> None:
    results = tmp_path / "results"
    for name in (
        "im.zarr.partial/0/c",
        "done/0",
        "step.orbax-checkpoint-tmp",
        "_trash",
        "old.zarr",
    ):
        (results / name).mkdir(parents=True)
    gone = ["a.tif.partial", "im.zarr.partial", "done/0/1.json.ab.partial", "0.__lock"]
    gone += ["step.orbax-checkpoint-tmp", "link.partial"]
    kept = ["a.tif", "_trash/b.partial", "old.zarr/c.partial", "partial", "link"]
    for name in (*gone, *kept):
        if not name.startswith("link") and not (results / name).exists():
            (results / name).write_text("x")
    (results / "link.partial").symlink_to(outside, target_is_directory=True)
    (results / "link").symlink_to(outside, target_is_directory=True)
    aged(results)
    (results / "new.partial").write_text("being written")
    (aged_folder := results / "folder.partial").mkdir()
    (aged_folder / "inner").write_text("being written")
    os.utime(aged_folder, (0, 0))
    before = contents_of(outside)
    assert sorted(io.sweep(results)) == sorted(results / name for name in gone)
    assert contents_of(outside) == before
    left = {"a.tif", "_trash", "old.zarr", "partial", "link", "new.partial", "folder.partial"}
    assert set(os.listdir(results)) == left | {"done"}
    assert io.sweep(results, untouched=0, stores=True)
    assert set(os.listdir(results / "old.zarr")) == set()
    assert (results / "_trash/b.partial").exists()


def contents_of(folder: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_mtime_ns for path in sorted(folder.rglob("*"))}


def test_what_cannot_be_removed_yet_hides_no_interruption(tmp_path: Path, monkeypatch) -> None:
    """A thread of Zarr that the interruption did not reach may still be writing there."""

    def busy(path: Path) -> None:
        raise OSError(errno.ENOTEMPTY, "Directory not empty", str(path))

    monkeypatch.setattr("jaxseg.io.atomic.shutil.rmtree", busy)
    with pytest.raises(KeyboardInterrupt), io.new_folder(tmp_path / "a"):
        raise KeyboardInterrupt
    monkeypatch.undo()
    assert len(io.sweep(tmp_path, untouched=0)) == 1
    assert not list(tmp_path.iterdir())


def test_a_killed_job_that_is_run_again_leaves_nothing(tmp_path: Path) -> None:
    whole, folder = tmp_path / "whole", tmp_path / "again"
    block_stages.instances(whole)

    def killed(box: np.ndarray) -> np.ndarray:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        block_stages.blockwise.create(folder, GRID, block_stages.labels(), killed)
    for place in (
        "instance_creation/data.zarr/0/c/0/1.ab.partial",
        "instance_creation/tables/0/1.npz.ab.partial",
    ):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_text("half")
    block_stages.instances(folder)
    assert not list(folder.rglob("*.partial"))
    assert contents(folder / "final") == contents(whole / "final")
