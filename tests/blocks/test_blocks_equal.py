"""Blocks of any size give the labels of the whole volume, to the last voxel."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest
from support import blockwise
from support.synthetic_objects import neurites, touching_balls

from jaxseg.blocks import BlockGrid
from jaxseg.channels import encode
from jaxseg.config import Channel, Watershed, ch
from jaxseg.decoding import block_problems, watershed
from jaxseg.metrics import matching

pytestmark = pytest.mark.usefixtures("quick_compilation", "no_sync")

SHAPE = (60, 66, 70)
SETS: dict[str, tuple[Channel, ...]] = {
    "F C": (ch("F"), ch("C")),
    "F C Db": (ch("F"), ch("C"), ch("Db")),
    "A": (ch("A"),),
    "F HVZ": (ch("F"), ch("H"), ch("V"), ch("Z")),
    "D": (ch("D"),),
}


@functools.cache
def balls(seed: int = 0) -> np.ndarray:
    return touching_balls(np.random.default_rng(seed), SHAPE, count=60, radii=(5, 9))


@functools.cache
def planes_of(name: str, seed: int = 0) -> np.ndarray:
    return np.asarray(encode(balls(seed), SETS[name]))


def cubes(size: int, *, halo: int = 12, shape: tuple[int, ...] = SHAPE) -> BlockGrid:
    ndim = len(shape)
    return BlockGrid(shape, (size,) * ndim, (halo,) * ndim, (4,) * ndim)


def check(
    name: str, size: int, folder: Path, seed: int = 0, options: Watershed | None = None
) -> None:
    planes, grid = planes_of(name, seed), cubes(size)
    whole = blockwise.canonical(watershed(planes, SETS[name], options=options))
    decode = blockwise.decoder(planes, SETS[name], grid, options)
    labels = blockwise.instances(folder, grid, planes, decode)
    assert labels.dtype == np.uint16
    assert np.array_equal(labels, whole)


@pytest.mark.parametrize(("name", "size"), [("F C", 28), ("F C", 40), ("F C", 56), ("F C", 70)])
def test_blocks_equal_the_whole(name: str, size: int, tmp_path: Path) -> None:
    check(name, size, tmp_path)


@pytest.mark.parametrize(
    "name", ["F C Db", *(pytest.param(n, marks=pytest.mark.slow) for n in ("A", "F HVZ", "D"))]
)
def test_blocks_equal_the_whole_whatever_the_channels(name: str, tmp_path: Path) -> None:
    check(name, 40, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("size", [28, 40, 56, 70])
def test_blocks_equal_the_whole_for_every_seed(
    seed: int, name: str, size: int, tmp_path: Path
) -> None:
    check(name, size, tmp_path, seed)


def test_automatic_thresholds_are_those_of_the_whole(tmp_path: Path) -> None:
    options = Watershed(seed_thresholds=("auto", "auto"), growth_thresholds=("auto",))
    check("F C", 40, tmp_path, options=options)


def test_the_smallest_size_counts_whole_objects(tmp_path: Path) -> None:
    """An object of which a block holds a small piece is as large as it is."""
    name, grid = "F C Db", cubes(28)
    sizes = np.bincount(balls().ravel())[1:]
    options = Watershed(min_size=int(np.median(sizes)))
    planes = planes_of(name)
    whole = blockwise.canonical(watershed(planes, SETS[name], options=options))
    decode = blockwise.decoder(planes, SETS[name], grid)
    labels = blockwise.instances(tmp_path, grid, planes, decode, min_size=options.min_size)
    assert 0 < whole.max() < len(sizes)
    assert np.array_equal(labels, whole)


@pytest.mark.parametrize("value", [0.0, 0.01, 0.5, "noise"])
def test_a_volume_without_objects(value: float | str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    planes = rng.random((24, 24, 24, 2), np.float32)
    if value != "noise":
        planes = (value + 0.002 * (planes - 0.5)).astype(np.float32)
    grid = cubes(12, halo=4, shape=(24, 24, 24))
    decode = blockwise.decoder(planes, SETS["F C"], grid)
    assert blockwise.instances(tmp_path, grid, planes, decode).max() == 0


def test_one_object_that_fills_everything(tmp_path: Path) -> None:
    """A block inside an object shows one value only, and that is no noise."""
    planes = np.ones((24, 24, 24, 1), np.float32)
    planes[:, :, -4:] = 0
    grid = cubes(8, halo=4, shape=(24, 24, 24))
    decode = blockwise.decoder(planes, (ch("F"),), grid)
    labels = blockwise.instances(tmp_path, grid, planes, decode)
    assert np.array_equal(labels, planes[..., 0] > 0)


def test_two_dimensions(tmp_path: Path) -> None:
    truth = touching_balls(np.random.default_rng(1), (90, 100), count=30)
    planes = np.asarray(encode(truth, SETS["F C"]))
    grid = cubes(40, halo=14, shape=(90, 100))
    labels = blockwise.instances(
        tmp_path, grid, planes, blockwise.decoder(planes, SETS["F C"], grid)
    )
    assert np.array_equal(labels, blockwise.canonical(watershed(planes, SETS["F C"])))


def test_contours_alone_cannot_be_decoded_by_blocks() -> None:
    assert block_problems((ch("C"),), ndim=3)
    assert not block_problems((ch("C"), ch("F")), ndim=3)
    assert not block_problems((ch("H"), ch("V")), ndim=2)


@pytest.mark.slow
def test_neurites(rng: np.random.Generator, tmp_path: Path) -> None:
    """Long thin objects that reach far beyond any halo."""
    truth = neurites(rng, (96, 128, 128), count=100)
    planes = np.asarray(encode(truth, SETS["F C"]))
    whole = watershed(planes, SETS["F C"])
    grid = cubes(64, halo=24, shape=truth.shape)
    labels = blockwise.instances(
        tmp_path, grid, planes, blockwise.decoder(planes, SETS["F C"], grid)
    )
    found = matching(whole, labels, thresholds=(0.99,))[0]
    assert abs(int(labels.max()) - int(whole.max())) <= 0.005 * whole.max()
    assert found.tp >= 0.995 * whole.max()
