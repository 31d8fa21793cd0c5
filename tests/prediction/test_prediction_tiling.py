"""The choice of tiles: legal, frugal, and few shapes."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxseg.config import Blocks, Config, Predict
from jaxseg.errors import ConfigError
from jaxseg.geometry import TileGrid
from jaxseg.prediction import choose_tile, chunk_shape
from jaxseg.prediction.predictor import tiling_of
from jaxseg.prediction.sight import Sight
from jaxseg.tasks.checking import check

DEEP = {"reach": (100, 100), "stride": (16, 16)}


@given(st.data(), st.integers(2, 3), st.integers(1, 5), st.integers(1, 4))
def test_any_image_gets_a_legal_grid(
    data: st.DataObject, ndim: int, batch: int, devices: int
) -> None:
    def each(low: int, high: int) -> tuple[int, ...]:
        return tuple(data.draw(st.integers(low, high)) for _ in range(ndim))

    shape, patch, reach = each(1, 3000), each(8, 300), each(0, 150)
    stride = tuple(2**n for n in each(0, 4))
    options = {"reach": reach, "stride": stride, "batch": batch, "devices": devices}
    tiling = choose_tile(shape, patch, **options, open_ends=data.draw(st.booleans()))
    grid = tiling.grid(shape)
    assert len(grid) >= 1
    assert tiling.batch % devices == 0
    assert tiling.batch < max(batch, 1) + devices
    for axis in range(ndim):
        assert tiling.halo[axis] <= max(reach[axis], patch[axis] // 8 + 1) + stride[axis] - 1
        assert grid.count[axis] == 1 or tiling.tile[axis] >= patch[axis]
        assert tiling.overlap[axis] == 0 or tiling.halo[axis] < reach[axis]


def test_a_small_image_is_one_tile() -> None:
    tiling = choose_tile((256, 256), (256, 256), batch=8, **DEEP)
    assert len(tiling.grid((256, 256))) == tiling.batch == 1
    assert tiling.tile == (320, 320)  # the patch and two halos


def test_a_tile_does_not_exceed_the_voxels_of_a_call() -> None:
    for devices in (1, 2):
        tiling = choose_tile((9000, 9000), (256, 256), batch=8, devices=devices, **DEEP)
        assert tiling.batch * math.prod(tiling.tile) <= 2**21


def test_little_is_computed_twice() -> None:
    shape = (9000, 9000)
    tiling = choose_tile(shape, (256, 256), **DEEP)
    assert len(tiling.grid(shape)) * math.prod(tiling.tile) < 1.3 * math.prod(shape)


def test_images_of_many_sizes_need_few_shapes(rng: np.random.Generator) -> None:
    sizes = rng.integers(100, 1200, (200, 2))
    tilings = [choose_tile((int(y), int(x)), (256, 256), batch=1, **DEEP) for y, x in sizes]
    assert len({tiling.tile for tiling in tilings}) <= 64
    seen = sum(
        len(t.grid((y, x))) * math.prod(t.tile) for t, (y, x) in zip(tilings, sizes, strict=True)
    )
    assert seen < 2.2 * sizes.prod(axis=1).sum()


@pytest.mark.parametrize(
    ("shape", "patch", "reach", "stride", "most", "ratio"),
    [
        ((1024, 1024), (256, 256), (107, 107), (16, 16), 2896**2, 1.0),
        ((256, 256), (256, 256), (107, 107), (16, 16), 2896**2, 1.0),
        ((520, 696), (256, 256), (107, 107), (16, 16), 2896**2, 1.25),
        ((64, 512, 512), (32, 64, 64), (51, 51, 51), (8, 8, 8), 222**3, 1.2),
    ],
)
def test_ends_like_those_of_a_patch_cost_nothing(
    shape: tuple[int, ...],
    patch: tuple[int, ...],
    reach: tuple[int, ...],
    stride: tuple[int, ...],
    most: int,
    ratio: float,
) -> None:
    sizes = {"reach": reach, "stride": stride, "max_voxels": most, "batch": 4}
    tiling = choose_tile(shape, patch, **sizes, open_ends=True)
    grid = tiling.grid(shape)
    assert len(grid) * math.prod(tiling.tile) <= ratio * math.prod(shape)
    for count, halo, size, tile in zip(grid.count, tiling.halo, shape, tiling.tile, strict=True):
        assert (halo == 0) == (count == 1)
        assert count > 1 or tile >= size
    # A halo that is asked for is seen at the ends, too.
    given_halo = choose_tile(shape, patch, **sizes, halo=stride, open_ends=True)
    assert given_halo.halo == stride


def test_own_networks_see_open_ends_unless_a_border_is_asked_for() -> None:
    own = Sight((100, 100), (16, 16), patches=True)
    assert tiling_of(Config(ndim=2), own, (256, 256)).halo == (0, 0)
    mirrored = Config(ndim=2, predict=Predict(border="reflect"))
    assert tiling_of(mirrored, own, (256, 256)).halo == (32, 32)
    assert tiling_of(Config(ndim=2), own._replace(patches=False), (256, 256)).halo == (32, 32)


def test_what_is_given_is_kept() -> None:
    tiling = choose_tile(
        (500, 500), (64, 64), tile=(128, 96), halo=(4, 4), overlap=(8, 8), batch=2, **DEEP
    )
    assert tiling == ((128, 96), (4, 4), (8, 8), (16, 16), 2)


def test_no_blending_where_the_halo_covers_the_receptive_field() -> None:
    tiling = choose_tile((500, 500), (256, 256), reach=(20, 20), stride=(4, 4))
    assert (tiling.halo, tiling.overlap) == ((20, 20), (0, 0))


@pytest.mark.parametrize(
    ("shape", "largest", "chunks"),
    [
        ((100, 150), 200, (100, 150)),  # one tile: any chunk is written at once
        ((100, 150), 100, (100, 75)),
        ((1000, 1000), 250, (240, 240)),  # many tiles: the step
        ((1000, 1000), 100, (80, 80)),  # or an even part of it
    ],
)
def test_chunks_fit_the_tiles(
    shape: tuple[int, int], largest: int, chunks: tuple[int, int]
) -> None:
    grid = TileGrid(shape, (256, 256), (8, 8), (0, 0), (8, 8))
    assert chunk_shape(grid, largest=largest) == chunks


def test_an_image_as_a_whole_is_one_tile() -> None:
    config = Config(predict=Predict(full_image=True))
    sight = Sight((100, 100), (16, 32))
    tiling = tiling_of(config, sight, (250, 300))
    assert (tiling.tile, tiling.halo, tiling.overlap) == ((256, 320), (0, 0), (0, 0))
    assert len(tiling.grid((250, 300))) == 1
    with pytest.raises(ConfigError, match="one size only"):
        tiling_of(config, sight._replace(tile=(64, 64)), (250, 300))
    for predict in (Predict(full_image=True, tile=(64, 64)), Predict(tta_mode="max"),
                    Predict(full_image_names=True)):  # fmt: skip
        assert any("predict" in str(problem.where) for problem in check(Config(predict=predict)))
    blocks = replace(config, blocks=Blocks(size=(64, 64)))
    assert any("full_image" in str(problem.where) for problem in check(blocks))
