"""Coarser levels: right values at right places, ids intact, whole or not there at all."""

from __future__ import annotations

import itertools
import math
import os
import shutil
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaozarrs
import zarr
from support import blockwise
from support.block_ledgers import GRID, decode, labels_of, state

from jaxseg import blocks, io
from jaxseg.blocks.publishing import publish
from jaxseg.cli import app
from jaxseg.errors import InputError
from jaxseg.io import levels, ngff_store
from jaxseg.io.levels import average, level_steps, majority


def cells(values: np.ndarray, step: tuple[int, ...]) -> dict[tuple[int, ...], np.ndarray]:
    """The values of every cell, one by one."""
    counts = [range(-(-size // factor)) for size, factor in zip(values.shape, step, strict=True)]
    return {
        place: values[tuple(slice(at * f, (at + 1) * f) for at, f in zip(place, step, strict=True))]
        for place in itertools.product(*counts)
    }


@pytest.mark.parametrize("step", [(2, 2, 2), (1, 2, 2), (2, 1, 2), (1, 1, 1)])
@pytest.mark.parametrize("dtype", ["uint8", "uint64"])
def test_majority_of_every_cell(rng: np.random.Generator, step: tuple[int, ...], dtype: str):
    labels = rng.integers(0, 4, (5, 6, 7)).astype(dtype)
    labels[labels == 3] = np.iinfo(dtype).max
    found = majority(labels, step)
    assert found.dtype == labels.dtype
    for place, cell in cells(labels, step).items():
        padded = np.pad(cell, [(0, f - n) for f, n in zip(step, cell.shape, strict=True)], "edge")
        votes = Counter(padded.ravel().tolist())
        assert votes[found[place].item()] == max(votes.values())
        tied = [value for value, count in votes.items() if count == max(votes.values())]
        assert found[place] > 0 or tied == [0]


@pytest.mark.parametrize("step", [(2, 2), (1, 2), (2, 1)])
def test_average_of_every_cell(rng: np.random.Generator, step: tuple[int, ...]) -> None:
    values = rng.random((7, 9), np.float32)
    found = average(values, step)
    for place, cell in cells(values, step).items():
        assert np.isclose(found[place], cell.mean())


@pytest.mark.parametrize(
    ("shape", "spacing"),
    [
        ((2000, 3000), (1.0, 1.0)),
        ((64, 2048, 2048), (2.0, 0.25, 0.25)),
        ((3000, 40, 50), (8.0, 1.0, 1.0)),
        ((1, 5000, 1), (1.0, 3.0, 0.1)),
        ((700, 300, 500), (1.0, 1.3, 1.5)),
        ((256, 256), (1.0, 1.0)),
    ],
)
def test_levels_end_small_and_become_cubic(shape: tuple[int, ...], spacing: tuple[float, ...]):
    sizes, lengths = list(shape), list(spacing)
    for step in level_steps(shape, spacing):
        assert max(sizes) > levels.LARGEST_SIDE
        before = _anisotropy(sizes, lengths)
        sizes = levels.coarser(sizes, step)
        lengths = [length * factor for length, factor in zip(lengths, step, strict=True)]
        assert _anisotropy(sizes, lengths) <= max(before, 2)
    assert max(sizes) <= levels.LARGEST_SIDE


def _anisotropy(sizes: list[int], lengths: list[float]) -> float:
    """The ratio of the sides of a voxel, of axes that can be halved still."""
    kept = [length for size, length in zip(sizes, lengths, strict=True) if size > 1]
    return max(kept) / min(kept)


@pytest.fixture
def small_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Levels of small images."""
    monkeypatch.setattr(levels, "LARGEST_SIDE", 6)


SPACING = (2.0, 0.5, 0.5)


@pytest.fixture(params=[(4, 8, 16), (3, 5, 7)])
def store(request, tmp_path: Path, rng, small_levels: None) -> tuple[Path, np.ndarray]:
    labels = rng.integers(0, 3, (7, 45, 38)) * (2**40 + 1)
    path = tmp_path / "a.ome.zarr"
    io.write_labels_zarr(path, labels, spacing=SPACING, chunks=request.param)
    return path, labels


def test_a_label_image_and_its_levels(store: tuple[Path, np.ndarray]) -> None:
    path, labels = store
    yaozarrs.validate_zarr_store(path)
    assert np.array_equal(zarr.open_array(path / "0", mode="r")[...], labels)
    ome = yaozarrs.open_group(path).ome_metadata()
    found = ome.multiscales[0].datasets
    assert [item.path for item in found] == ["0", "1", "2", "3"]
    expected, spacing = labels.astype(np.uint64), np.array(SPACING)
    for item, step in zip(found[1:], level_steps(labels.shape, SPACING), strict=True):
        expected, spacing = majority(expected, step), spacing * step
        array = zarr.open_array(path / item.path, mode="r")
        assert np.array_equal(array[...], expected)
        assert array.nchunks_initialized == array.nchunks
        scale, translation = item.coordinateTransformations
        assert np.allclose(scale.scale, spacing)
        # Where the corner of the volume is, half a voxel before the centre of the first, stays.
        assert np.allclose(np.array(translation.translation) - spacing / 2, -np.array(SPACING) / 2)
    assert max(expected.shape) <= 6
    assert spacing.max() / spacing.min() < 2


def test_levels_of_planes_are_means(tmp_path: Path, small_levels: None) -> None:
    planes = np.random.default_rng(0).random((10, 21, 3), np.float32)
    path = tmp_path / "a.zarr"
    with io.create_planes(path, shape=(10, 21, 3), chunks=(8, 8, 3), spacing=(1.0, 1.0)) as out:
        out[...] = planes
    yaozarrs.validate_zarr_store(path)
    first = zarr.open_array(path / "1", mode="r")[...]
    assert np.allclose(first, average(planes, (2, 2, 1)).transpose(2, 0, 1))
    whole = zarr.open_array(path / "1", mode="r").nchunks
    assert whole == 2


def test_levels_take_the_memory_of_a_few_chunks(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(ngff_store, "THREADS", 1)
    shape, chunks = (64, 384, 384, 2), (32, 64, 64, 2)
    one = np.random.default_rng(0).random(chunks, np.float32)
    planes = io.make_planes(
        tmp_path / "a", name="a", shape=shape, chunks=chunks, spacing=(1.0, 1.0, 1.0)
    )
    for corner in itertools.product(*map(range, [0] * 3, shape[:3], chunks[:3])):
        planes[tuple(slice(at, at + n) for at, n in zip(corner, chunks, strict=False))] = one
    tracemalloc.start()
    io.write_levels(tmp_path / "a", tmp_path / "a")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * one.nbytes < math.prod(shape) * 4 / 7


def test_levels_of_other_stores_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="damaged"):
        io.write_levels(tmp_path, tmp_path)


# --- by blocks ----------------------------------------------------------------------------------


def test_blocks_publish_the_same_store(
    tmp_path: Path, rng: np.random.Generator, small_levels: None, no_sync: None
) -> None:
    labels = labels_of(rng)
    whole = blockwise.instances(tmp_path / "blocks", GRID, labels, decode)
    path = tmp_path / "blocks/final/labels.zarr"
    io.write_labels_zarr(tmp_path / "whole.zarr", whole, spacing=(1.0, 1.0))
    yaozarrs.validate_zarr_store(path)
    for name in "012":
        arrays = [
            zarr.open_array(root / name, mode="r") for root in (path, tmp_path / "whole.zarr")
        ]
        assert np.array_equal(arrays[0][...], arrays[1][...])
    assert not list((tmp_path / "blocks").rglob("levels*"))
    assert not list((tmp_path / "blocks").rglob("*.partial"))
    before = state(tmp_path)
    blockwise.instances(tmp_path / "blocks", GRID, labels, decode)
    assert state(tmp_path) == before


@pytest.fixture
def ready(
    tmp_path: Path, rng: np.random.Generator, small_levels: None, no_sync: None, monkeypatch
) -> Path:
    """The folder of a volume whose labels are complete and not published."""
    folder = tmp_path / "ready"
    with monkeypatch.context() as patch:
        patch.setattr("jaxseg.blocks.publish", lambda ledger: None)
        blockwise.merge(folder, blockwise.create(folder, GRID, labels_of(rng), decode))
    return folder


def check_published(folder: Path) -> None:
    """All levels are there, made of the level before, and nothing is left beside them."""
    ledger = blocks.read_ledger(folder / "instance_merging")
    yaozarrs.validate_zarr_store(ledger.final)
    level = blockwise.labels_of(ledger)
    for name, step in zip(io.level_names(ledger.final), [(2, 2)] * 2, strict=True):
        level = majority(level, step)
        assert np.array_equal(zarr.open_array(ledger.final / name, mode="r")[...], level)
    assert app.main(["verify", str(folder)]) == 0
    assert not list(folder.rglob("levels*"))


class Killed(BaseException):
    """The end of a process."""


def test_killed_at_any_step_of_publishing(ready: Path, tmp_path: Path, monkeypatch) -> None:
    """Nothing has the final name before all is there, and the next job completes it."""
    for at in itertools.count():
        shutil.copytree(ready, tmp_path / str(at))
        ledger, steps = (
            blocks.read_ledger(tmp_path / str(at) / "instance_merging"),
            itertools.count(),
        )

        def killed(call: Callable, at: int = at, steps: Iterator[int] = steps) -> Callable:
            def wrapped(*args: Any, **options: Any) -> Any:
                if next(steps) == at:
                    raise Killed
                return call(*args, **options)

            return wrapped

        with monkeypatch.context() as patch:
            for name in ("rename", "replace"):
                patch.setattr(os, name, killed(getattr(os, name)))
            with suppress(Killed):
                publish(ledger)
        finished = next(steps) <= at
        assert ledger.final.exists() == finished
        publish(ledger)
        check_published(tmp_path / str(at))
        if finished:
            break
    assert at > 5


def test_several_jobs_publish_at_once(ready: Path, tmp_path: Path) -> None:
    for number in range(10):
        shutil.copytree(ready, tmp_path / str(number))
        ledger = blocks.read_ledger(tmp_path / str(number) / "instance_merging")
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(publish, [ledger] * 3))
        check_published(tmp_path / str(number))
