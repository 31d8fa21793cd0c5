"""Versions of inputs: content where it is cheap, else sizes, times and pieces; bounded, once."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from jaxseg.runs import fingerprint as module
from jaxseg.runs.fingerprint import fingerprint, forget_versions, input_version, input_versions


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that small files reach."""
    for name, value in {"WHOLE": 1000, "READ_FILES": 20, "PIECES": 4, "PIECE": 10}.items():
        monkeypatch.setattr(module, name, value)


def store(root: Path, files: int) -> Path:
    for number in range(files):
        path = root / "0" / str(number % 7) / str(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes([number % 256]) * 50)
    return root


def rewrite(path: Path, at: int) -> None:
    """Another byte in place; the time stays."""
    before, content = path.stat(), bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_the_same_content_is_the_same_wherever_and_whenever(tmp_path: Path) -> None:
    first = fingerprint(store(tmp_path / "a.zarr", 15))
    shutil.copytree(tmp_path / "a.zarr", tmp_path / "b.zarr", copy_function=shutil.copyfile)
    assert fingerprint(tmp_path / "b.zarr") == first
    (tmp_path / "b.zarr/0/3/3").rename(tmp_path / "b.zarr/0/3/4")
    assert fingerprint(tmp_path / "b.zarr") != first


@pytest.mark.parametrize("files", [1, 15])
def test_a_byte_of_a_file_of_the_same_size_and_time(files: int, tmp_path: Path) -> None:
    root = store(tmp_path / "a.zarr", files)
    first = fingerprint(root)
    rewrite(root / "0/0/0", 20)
    assert fingerprint(root) != first


@pytest.mark.parametrize("at", [0, 5, -1])
def test_pieces_of_a_large_file(at: int, tmp_path: Path, small: None) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(bytes(2000))
    first = fingerprint(path)
    rewrite(path, at)
    assert fingerprint(path) != first
    assert set(first) == {"bytes", "files", "mtime_ns", "pieces"}


def test_times_of_a_large_file(tmp_path: Path, small: None) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(bytes(2000))
    first = fingerprint(path)
    os.utime(path, (1, 1))
    assert fingerprint(path) != first


def test_many_chunks_are_asked_for_once_and_a_bounded_number_of_them(
    tmp_path: Path, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, asked = store(tmp_path / "a.zarr", 60), []
    scan = os.scandir

    def counted(folder):
        asked.append(folder)
        return scan(folder)

    monkeypatch.setattr(os, "scandir", counted)
    assert fingerprint(root)["files"] == 60
    assert len(asked) == len(set(asked)) == 9
    monkeypatch.setattr(module, "MOST_FILES", 30)
    assert fingerprint(root)["files"] == 30


def test_links_to_folders_are_not_followed(tmp_path: Path) -> None:
    root = store(tmp_path / "a.zarr", 3)
    (root / "0" / "again").symlink_to(root)
    assert fingerprint(root)["files"] == 3


def test_a_version_is_found_once_per_start(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(b"1")
    forget_versions()
    first = input_version(path)
    path.write_bytes(b"2")
    assert input_versions({"a": path}) == {"a": first}
    forget_versions()
    assert input_version(path) != first


def test_two_images_of_one_file_have_two_versions(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(b"1")
    first, second = (f"{path}#series={number}" for number in (0, 1))
    assert len({input_version(place) for place in (path, first, second)}) == 3
    assert fingerprint(second) == fingerprint(path) | {"inside": "series=1"}
