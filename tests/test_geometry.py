from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxseg.errors import ConfigError
from jaxseg.geometry import Box, TileGrid, reflect_indices


@st.composite
def grids(draw: st.DrawFn) -> TileGrid:
    """Any legal grid of one to three axes, halos and overlaps of all sizes included."""
    axes = []
    for _ in range(draw(st.integers(1, 3))):
        stride = draw(st.integers(1, 4))
        halo, overlap = draw(st.integers(0, 6)), draw(st.integers(0, 6))
        least = -(-(2 * halo + overlap + stride) // stride)
        tile = stride * draw(st.integers(least, least + 4))
        axes.append((draw(st.integers(1, 30)), tile, halo, overlap, stride))
    return TileGrid(*(tuple(values) for values in zip(*axes, strict=True)))


@st.composite
def grids_with_box(draw: st.DrawFn) -> tuple[TileGrid, Box]:
    """A grid and any box in its image."""
    grid = draw(grids())
    start = tuple(draw(st.integers(0, n - 1)) for n in grid.shape)
    stop = tuple(draw(st.integers(a + 1, n)) for a, n in zip(start, grid.shape, strict=True))
    return grid, Box(start, stop)


@given(st.integers(1, 9), st.integers(0, 40), st.integers(0, 40))
def test_reflection_is_that_of_numpy(size: int, before: int, after: int) -> None:
    mode = "reflect" if size > 1 else "edge"
    expected = np.pad(np.arange(size), (before, after), mode=mode)
    np.testing.assert_array_equal(reflect_indices(-before, size + after, size), expected)


def test_reflection_of_an_empty_range_is_empty() -> None:
    assert reflect_indices(3, 3, 5).shape == (0,)


@given(grids())
def test_write_boxes_cover_the_image_and_come_from_the_core(grid: TileGrid) -> None:
    covered = np.zeros(grid.shape, int)
    for tile in (grid[i] for i in range(len(grid))):
        covered[tile.write.slices] += 1
        inner = Box(grid.halo, tuple(h + c for h, c in zip(grid.halo, grid.core, strict=True)))
        assert tile.crop.intersection(inner) == tile.crop
        assert tile.crop.shape == tile.write.shape
        assert tile.read.shape == grid.tile
        assert tile.core.shape == grid.core
        assert tile.write.size > 0
    assert covered.min() >= 1


@given(grids())
def test_tiles_start_in_phase_with_the_whole_image(grid: TileGrid) -> None:
    starts = np.array([grid[i].read.start for i in range(len(grid))])
    assert not (starts % np.array(grid.stride)).any()
    assert all(-s < o <= 0 for o, s in zip(grid.origin, grid.stride, strict=True))


@given(grids())
def test_neighbouring_cores_overlap_by_what_was_asked(grid: TileGrid) -> None:
    for core, step, overlap, stride in zip(
        grid.core, grid.step, grid.overlap, grid.stride, strict=True
    ):
        assert overlap <= core - step < overlap + stride


@given(grids_with_box())
def test_tiles_touching_a_box_are_those_whose_cores_meet_it(case: tuple[TileGrid, Box]) -> None:
    grid, box = case
    expected = [i for i in range(len(grid)) if grid[i].core.intersection(box).size]
    assert list(grid.tiles_touching(box)) == expected


def test_no_tile_touches_an_empty_box() -> None:
    grid = TileGrid((9, 9), (4, 4), (0, 0), (0, 0), (1, 1))
    assert list(grid.tiles_touching(Box((2, 2), (2, 5)))) == []


@given(grids())
def test_numbers_run_in_the_order_of_positions(grid: TileGrid) -> None:
    positions = [grid[i].index for i in range(len(grid))]
    assert positions == list(itertools.product(*(range(n) for n in grid.count)))
    assert all(grid.at(index) == grid[i] for i, index in enumerate(positions))


def test_a_number_outside_the_grid_is_refused() -> None:
    grid = TileGrid((9,), (4,), (0,), (0,), (1,))
    assert len(grid) == 3
    for number in (-1, 3):
        with pytest.raises(IndexError):
            grid[number]


def test_a_grid_of_a_huge_volume_is_only_arithmetic() -> None:
    grid = TileGrid((10**6,) * 3, (96,) * 3, (8,) * 3, (16,) * 3, (16,) * 3)
    assert len(grid) > 3 * 10**12
    last = grid[len(grid) - 1]
    assert last.write.stop == grid.shape
    assert list(grid.tiles_touching(last.write))[-1] == len(grid) - 1


@pytest.mark.parametrize(
    ("sides", "message"),
    [
        (((8, 8), (4,), (0,), (0,), (1,)), "length"),
        (((8,), (6,), (0,), (0,), (4,)), "use 8"),
        (((8,), (6,), (3,), (0,), (1,)), "at least 7"),
        (((8,), (6,), (2,), (2,), (1,)), "at least 7"),
        (((0,), (6,), (2,), (0,), (1,)), "size 0"),
        (((8,), (6,), (-1,), (0,), (1,)), "halo -1"),
    ],
)
def test_impossible_grids_are_refused_with_what_would_do(sides: tuple, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TileGrid(*sides)


def test_boxes_intersect_and_move() -> None:
    box = Box((1, 2), (5, 9))
    assert (box.shape, box.size) == ((4, 7), 28)
    assert box.intersection(Box((7, 0), (9, 9))).size == 0
    assert box.relative_to((1, 2)) == Box((0, 0), (4, 7))
    assert box.slices == (slice(1, 5), slice(2, 9))
    with pytest.raises(ValueError, match="before"):
        _ = Box((-1,), (3,)).slices
