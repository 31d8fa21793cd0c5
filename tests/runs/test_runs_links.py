"""Links inside the results, and disks that take no more files."""

from __future__ import annotations

import dataclasses
import errno
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from jaxseg.config import Config
from jaxseg.errors import ResourceError
from jaxseg.io import write_json
from jaxseg.io.atomic import refusal
from jaxseg.runs import manifest as runs


@pytest.mark.parametrize(
    "place",
    ["results", "results/a_1", "results/a_1/per_image", "checkpoints/a_1", "results/a_1/x.csv"],
)
def test_links_inside_the_output_are_not_followed(place: str, tmp_path: Path) -> None:
    outside, link = tmp_path / "outside", tmp_path / "out/a" / place
    outside.mkdir()
    link.parent.mkdir(parents=True)
    link.symlink_to(outside)
    config = Config(out=str(tmp_path / "out"), name="a")
    with pytest.raises(ResourceError, match="a link inside the results") as caught:
        runs.open_run(config)
    assert str(link) in str(caught.value)
    assert list(outside.iterdir()) == []


def test_the_output_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "disk")
    runs.open_run(Config(out=str(tmp_path / "out"), name="a"))
    assert (tmp_path / "disk/a/results/a_1").is_dir()


def test_no_more_files_is_not_a_full_disk(tmp_path: Path, monkeypatch) -> None:
    def about(files: int) -> SimpleNamespace:
        room = {"f_bavail": 9, "f_bfree": 9, "f_blocks": 9, "f_frsize": 4096}
        return SimpleNamespace(f_files=files, f_favail=0, **room)

    full, target = OSError(errno.ENOSPC, "No space left on device"), tmp_path / "a.json"
    assert "the disk is full" in str(refusal(full, target))
    monkeypatch.setattr(os, "statvfs", lambda path: about(10))
    assert "takes no more files" in str(refusal(full, target))
    # A file system that does not count its files.
    monkeypatch.setattr(os, "statvfs", lambda path: about(0))
    assert "the disk is full" in str(refusal(full, target))


def test_two_runs_of_a_name_do_not_share_a_link_check(tmp_path: Path) -> None:
    config = Config(out=str(tmp_path / "out"), name="a")
    run = runs.open_run(config)
    write_json(run.results / "summary.json", {})
    (tmp_path / "out/a/results/a_1/here").symlink_to(tmp_path)
    runs.open_run(dataclasses.replace(config, run="2"))
