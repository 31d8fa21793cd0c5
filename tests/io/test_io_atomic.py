"""A final name holds a whole file or what was there before, whatever fails while writing."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pandas as pd
import pytest

from jaxseg import io
from jaxseg.errors import ResourceError

LABELS = np.arange(600).reshape(20, 30)


def write_planes(path: Path) -> None:
    with io.create_planes(path, shape=(20, 30, 2), chunks=(16, 16, 2), spacing=(1.0, 1.0)) as out:
        out[...] = np.ones((20, 30, 2))


WRITERS: dict[str, Callable[[Path], None]] = {
    "text.txt": lambda path: io.write_text(path, "text"),
    "data.json": lambda path: io.write_json(path, {"a": 1}),
    "table.csv": lambda path: io.write_csv(path, pd.DataFrame({"a": [1, 2]})),
    "picture.png": lambda path: io.write_png(path, np.zeros((4, 5, 3), np.uint8)),
    "labels.tif": lambda path: io.write_labels_tiff(path, LABELS, spacing=(1.0, 1.0)),
    "rgb.tif": lambda path: io.write_rgb_tiff(
        path, np.zeros((*LABELS.shape, 3), np.uint8), spacing=(1.0, 1.0)
    ),
    "image.tif": lambda path: io.write_image_tiff(path, LABELS.astype("f4"), spacing=(1.0, 1.0)),
    "labels.zarr": lambda path: io.write_labels_zarr(path, LABELS, spacing=(1.0, 1.0)),
    "planes.zarr": write_planes,
}


def content(path: Path) -> dict[str, bytes]:
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    return {str(item.relative_to(path)): item.read_bytes() for item in files if item.is_file()}


def failing(call: Callable[..., Any], at: int, counter: list[int]) -> Callable[..., Any]:
    """A function of the operating system that runs out of room at its n-th use."""

    def wrapped(*args: Any, **options: Any) -> Any:
        counter[0] += 1
        if counter[0] == at:
            raise OSError(errno.ENOSPC, "No space left on device")
        return call(*args, **options)

    return wrapped


@pytest.mark.parametrize("name", WRITERS)
def test_every_failure_leaves_the_old_state(tmp_path: Path, monkeypatch: Any, name: str) -> None:
    """Fail at the first, second, ... fsync or rename until writing succeeds."""
    for before in (False, True):
        folder = tmp_path / str(before)
        path = folder / name
        if before:
            WRITERS[name](path)
        old = content(path) if before else None
        for at in range(1, 60):
            counter = [0]
            with monkeypatch.context() as patch:
                for call in ("fsync", "replace"):
                    patch.setattr(os, call, failing(getattr(os, call), at, counter))
                try:
                    WRITERS[name](path)
                    break
                except ResourceError as error:
                    message = str(error)
            assert "disk is full" in message
            assert not list(folder.glob("*.partial"))
            if path.exists():
                # The failure came before the rename, or after it: old or new, never torn.
                new = folder / "new" / name
                WRITERS[name](new)
                assert content(path) in (old, content(new))
        assert counter[0] < at
        assert path.exists()


@pytest.mark.parametrize("name", WRITERS)
def test_written_in_order(tmp_path: Path, monkeypatch: Any, name: str) -> None:
    """The content is on disk before the name, and the name before the call returns."""
    events = []

    def record(call: Callable[..., Any], word: str) -> Callable[..., Any]:
        def wrapped(*args: Any, **options: Any) -> Any:
            folder = word == "fsync" and stat.S_ISDIR(os.fstat(args[0]).st_mode)
            events.append("fsync folder" if folder else word)
            return call(*args, **options)

        return wrapped

    path = tmp_path / name
    monkeypatch.setattr(os, "fsync", record(os.fsync, "fsync"))
    monkeypatch.setattr(os, "replace", record(os.replace, "replace"))
    WRITERS[name](path)
    last = len(events) - 1 - events[::-1].index("replace")
    assert events[last:] == ["replace", "fsync folder"]
    assert events[:last].count("fsync") >= len(content(path))


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_in_between(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), io.atomic_path(tmp_path / "a.txt") as partial:  # noqa: PT012
        partial.write_text("half")
        raise error
    with (  # noqa: PT012
        pytest.raises(error),
        io.create_planes(tmp_path / "a", shape=(4, 4, 1), chunks=(2, 2, 1), spacing=(1, 1)) as out,
    ):
        out[:2, :2] = np.ones((2, 2, 1))
        raise error
    assert not list(tmp_path.iterdir())


def test_unwritten_chunks_are_not_published(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match="only 1 of 4 chunks"),
        io.create_planes(tmp_path / "a", shape=(4, 4, 1), chunks=(2, 2, 1), spacing=(1, 1)) as out,
    ):
        out[:2, :2] = np.ones((2, 2, 1))
    assert not list(tmp_path.iterdir())


def test_leftovers_of_a_killed_process_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "planes.zarr.partial").mkdir()
    (tmp_path / "planes.zarr.partial" / "junk").write_text("junk")
    (tmp_path / "text.txt.partial").write_text("half")
    write_planes(tmp_path / "planes.zarr")
    io.write_text(tmp_path / "text.txt", "whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["planes.zarr", "text.txt"]
    assert not list(tmp_path.rglob("junk"))


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match="cannot be written"):
        io.write_text(tmp_path / "file" / "a.txt", "text")


def test_an_error_about_another_file_passes(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), io.atomic_path(tmp_path / "a.txt"):
        raise PermissionError(errno.EACCES, "no", "/elsewhere/input.tif")


def test_json_is_legal_json(tmp_path: Path) -> None:
    data = {
        "n": np.int64(3),
        "x": np.float32(0.5),
        "bad": float("nan"),
        "t": (1, 2),
        4: np.arange(2),
        "p": tmp_path,
    }
    io.write_json(tmp_path / "a.json", data)
    expected = {"n": 3, "x": 0.5, "bad": None, "t": [1, 2], "4": [0, 1], "p": str(tmp_path)}
    assert json.loads((tmp_path / "a.json").read_text()) == expected


def test_png_and_csv(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (7, 8, 3), np.uint8)
    io.write_png(tmp_path / "a.png", picture[:, ::-1])
    np.testing.assert_array_equal(
        imagecodecs.png_decode((tmp_path / "a.png").read_bytes()), picture[:, ::-1]
    )
    io.write_csv(tmp_path / "a.csv", pd.DataFrame({"label": [1], "area": [2.5]}))
    assert (tmp_path / "a.csv").read_text() == "label,area\n1,2.5\n"
