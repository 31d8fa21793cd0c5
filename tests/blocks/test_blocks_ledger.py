"""What is done stays done; what is not is named; other values are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support import blockwise
from support.block_ledgers import GRID, decode, state

from jaxseg import blocks, io
from jaxseg.blocks import BlockGrid, BlocksFailed, Ledger, Stage
from jaxseg.cli import app, status
from jaxseg.errors import ConfigError, InputError, ResourceError
from jaxseg.measurements import measure
from jaxseg.stages import joining


def opened(folder: Path, grid: BlockGrid, values: dict[str, int]) -> Ledger:
    """A stage that does nothing."""
    stage = Stage(name="instance_creation", phase="", grid=grid, values=values)
    return blocks.open_stage(stage, folder, {})


def test_running_again_writes_nothing(labels: np.ndarray, tmp_path: Path) -> None:
    first = blockwise.instances(tmp_path, GRID, labels, decode)
    assert np.array_equal(first, blockwise.canonical(labels))
    before = state(tmp_path)
    again = blockwise.instances(tmp_path, GRID, labels, decode)
    assert np.array_equal(first, again)
    assert state(tmp_path) == before
    assert not list(tmp_path.rglob("*.partial"))


@pytest.mark.parametrize(
    ("jobs", "cuts"),
    [(2, (5, 8, 20)), *(pytest.param(n, range(21), marks=pytest.mark.slow) for n in (2, 3, 5))],
)
def test_any_split_equals_one_job(
    labels: np.ndarray, tmp_path: Path, jobs: int, cuts: range, no_sync: None
) -> None:
    whole = blockwise.instances(tmp_path / "one", GRID, labels, decode)
    for cut in cuts:
        folder = tmp_path / str(cut)
        for numbers in (GRID.layers(cut), GRID.layers(0, cut) if cut else range(0)):
            for job in reversed(range(jobs)):
                part = blocks.shard_of(numbers, f"{job}/{jobs}")
                created = blockwise.create(folder, GRID, labels, decode, part)
        assert np.array_equal(blockwise.labels_of(blockwise.merge(folder, created)), whole)


def test_merging_refuses_missing_blocks_and_names_them(labels: np.ndarray, tmp_path: Path) -> None:
    created = blockwise.create(tmp_path, GRID, labels, decode, range(2, 6))
    with pytest.raises(ConfigError, match=r"5 of 9 blocks are missing(.|\n)*not done: 0-1, 6-8"):
        blockwise.merge(tmp_path, created)


def test_other_values_are_refused_by_name(labels: np.ndarray, tmp_path: Path) -> None:
    opened(tmp_path / "a", GRID, {"watershed.min_seed": 10, "seed": 0})
    with pytest.raises(ConfigError, match=r"watershed\.min_seed(.|\n)*expected 10; found 20"):
        opened(tmp_path / "a", GRID, {"watershed.min_seed": 20, "seed": 0})
    other = BlockGrid((20, 22), (8, 8), (5, 4), (2, 2))
    with pytest.raises(ConfigError, match=r"grid\.halo"):
        opened(tmp_path / "a", other, {"watershed.min_seed": 10, "seed": 0})


def test_results_of_others_are_not_replaced(labels: np.ndarray, tmp_path: Path) -> None:
    created = blockwise.create(tmp_path, GRID, labels, decode)
    (tmp_path / "final" / "labels.zarr").mkdir(parents=True)
    with pytest.raises(ConfigError, match="not of this instance_merging"):
        blockwise.merge(tmp_path, created)


def test_a_ledger_changed_by_hand(tmp_path: Path) -> None:
    opened(tmp_path, GRID, {"seed": 0})
    file = tmp_path / "ledger.json"
    file.write_text(file.read_text().replace('"seed": 0', '"seed": 1'))
    with pytest.raises(InputError, match="changed or damaged after"):
        blocks.read_ledger(tmp_path)
    file.write_text("{")
    with pytest.raises(InputError, match="not a readable ledger"):
        blocks.read_ledger(tmp_path)


def test_a_failing_block_does_not_stop_the_others(labels: np.ndarray, tmp_path: Path) -> None:
    poison = [True]

    def fragile(box: np.ndarray) -> np.ndarray:
        if poison[0] and 6 in box:
            raise RuntimeError("poison")
        return box

    with pytest.raises(BlocksFailed, match=r"4 of 9 blocks(.|\n)*poison") as caught:
        blockwise.create(tmp_path, GRID, labels, fragile)
    assert caught.value.exit_code == 1
    ledger = blocks.read_ledger(tmp_path / "instance_creation")
    assert blocks.failed(ledger) == [0, 1, 3, 4]
    assert len(blocks.finished(ledger)) == 5
    assert status.describe(ledger) == ("5 of 9 blocks, 4 failed: 0-1, 3-4", False)
    poison[0] = False
    whole = blockwise.instances(tmp_path, GRID, labels, fragile)
    assert np.array_equal(whole, blockwise.canonical(labels))
    assert blocks.failed(ledger) == []


def test_a_full_disk_stops_the_job(labels: np.ndarray, tmp_path: Path, monkeypatch) -> None:
    calls = []

    def full(ledger, number, arrays):
        calls.append(number)
        raise ResourceError("the disk is full")

    monkeypatch.setattr("jaxseg.blocks.stored.write_table", full)
    with pytest.raises(ResourceError):
        blockwise.create(tmp_path, GRID, labels, decode)
    assert len(calls) < len(GRID)


def test_status_and_verify(labels: np.ndarray, tmp_path: Path, capsys) -> None:
    created = blockwise.create(tmp_path, GRID, labels, decode, range(8))
    assert app.main(["status", str(tmp_path)]) == 1
    assert "8 of 9 blocks, to do: 8" in capsys.readouterr().out
    blockwise.instances(tmp_path, GRID, labels, decode)
    assert app.main(["status", str(tmp_path)]) == 0
    assert capsys.readouterr().out.count("9 of 9 blocks") == 3
    assert app.main(["verify", str(tmp_path)]) == 0
    assert capsys.readouterr().out.count("9 of 9 finished blocks are whole") == 3
    created.table(4).write_bytes(created.table(4).read_bytes()[:-20])
    chunk = created.data / "0" / "c" / "1" / "2"
    chunk.write_bytes(chunk.read_bytes()[:-1] + b"?")
    (tmp_path / "final/labels.zarr/0/c/0/0").unlink()
    assert app.main(["verify", str(tmp_path)]) == 5
    out = capsys.readouterr().out
    assert "block 4: " in out
    assert "block 5: " in out
    assert "instance_merging: 8 of 9 finished blocks are whole" in out
    assert app.main(["verify", str(tmp_path / "final")]) == 5
    assert "no results here" in capsys.readouterr().err


def test_merging_notices_pieces_that_changed(labels: np.ndarray, tmp_path: Path) -> None:
    created = blockwise.create(tmp_path, GRID, labels, decode)
    (created.data / "0" / "c" / "0" / "0").unlink()  # reads as background, without an error
    with pytest.raises(BlocksFailed, match="not what was written"):
        blockwise.merge(tmp_path, created)


def test_more_objects_than_16_bits(tmp_path: Path) -> None:
    labels = np.arange(1, 320 * 300 + 1).reshape(320, 300)
    grid = BlockGrid(labels.shape, (128, 128), (4, 4), (2, 2))
    whole = blockwise.instances(tmp_path, grid, labels, decode)
    assert whole.dtype == np.uint32
    assert np.array_equal(whole, labels)


@pytest.mark.parametrize(
    ("before", "dtype"),
    [
        (2**16 - 5, np.uint32),
        (2**24 - 5, np.uint32),
        (2**32 - 5, np.uint64),
        (2**40, np.uint64),
        (2**53, np.uint64),
    ],
)
def test_ids_past_a_number_of_bits(
    labels: np.ndarray, tmp_path: Path, before: int, dtype: type, monkeypatch
) -> None:
    """As if so many objects came before: no id is narrowed on its way into any file."""
    number = joining.number_objects

    def shifted(*args, **options):
        found = number(*args, **options)
        ids = np.where(found.ids > 0, found.ids + np.uint64(before), np.uint64(0))
        return found._replace(ids=ids, objects=found.objects + before)

    monkeypatch.setattr(joining, "number_objects", shifted)
    whole = blockwise.instances(tmp_path, GRID, labels, decode)
    assert whole.dtype == dtype
    wanted = blockwise.canonical(labels).astype(np.uint64)
    wanted = np.where(wanted > 0, wanted + np.uint64(before), 0)
    assert np.array_equal(whole, wanted)
    io.write_csv(tmp_path / "a.csv", measure(whole))
    assert pd.read_csv(tmp_path / "a.csv")["label"].tolist() == np.unique(wanted)[1:].tolist()
    if dtype == np.uint64:
        with pytest.raises(ConfigError, match="do not fit a TIFF"):
            io.write_labels_tiff(tmp_path / "a.tif", whole, spacing=(1.0, 1.0))
        return
    io.write_labels_tiff(tmp_path / "a.tif", whole, spacing=(1.0, 1.0))
    assert np.array_equal(io.open_labels(tmp_path / "a.tif", ndim=2).array(), wanted)


@pytest.mark.parametrize("name", ["done", "tables", "a.zarr", "a.partial", "ledger", "manifests"])
def test_ledgers_of_images_are_found_whatever_they_are_called(
    name: str, labels: np.ndarray, tmp_path: Path
) -> None:
    made = blockwise.create(tmp_path / "blocks", GRID, labels, decode)
    place = tmp_path / "blocks/predict" / name
    place.parent.mkdir()
    made.folder.rename(place)
    (tmp_path / "manifests/predict").mkdir(parents=True)
    (tmp_path / "manifests/predict/ledger.json").write_text("{}")
    assert list(blocks.ledger_folders(tmp_path)) == [place]
