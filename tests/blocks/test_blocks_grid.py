"""The grid covers a volume once, however it is cut and shared."""

from __future__ import annotations

import itertools
import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxseg.blocks import BlockGrid, shard_of
from jaxseg.blocks.ledger import ranges
from jaxseg.blocks.store import chunk_of
from jaxseg.errors import ConfigError


@st.composite
def grids(draw: st.DrawFn, ndim: int | None = None) -> BlockGrid:
    axes = []
    for _ in range(ndim or draw(st.integers(2, 3))):
        block = draw(st.integers(1, 8))
        halo = draw(st.integers(1, 6))
        axes.append((draw(st.integers(1, 20)), block, halo, draw(st.integers(1, min(halo, block)))))
    return BlockGrid(*zip(*axes, strict=True))


@given(grids())
def test_cores_cover_the_volume_once(grid: BlockGrid) -> None:
    seen = np.zeros(grid.shape, int)
    for number, block in enumerate(grid):
        assert block.number == number
        assert grid.at(block.index) == block
        seen[block.core.slices] += 1
        assert block.core.intersection(block.wide) == block.core
        assert block.wide.intersection(block.read) == block.wide
    assert (seen == 1).all()
    assert BlockGrid.from_plain(json.loads(json.dumps(grid.to_plain()))) == grid


@given(grids())
def test_neighbours_are_the_blocks_whose_wide_boxes_meet(grid: BlockGrid) -> None:
    listed = {(a.number, b.number) for a in grid for b in grid.neighbours(a)}
    for a in grid:
        for b in grid:
            apart = max(abs(i - j) for i, j in zip(a.index, b.index, strict=True))
            assert ((a.number, b.number) in listed) == (apart == 1 and a.number < b.number)
            if apart == 1:
                axis = [i == j for i, j in zip(a.index, b.index, strict=True)].index(False)
                shared = a.wide.intersection(b.wide)
                slab = grid.slab(a, axis, b.index[axis] - a.index[axis])
                assert shared.size
                assert slab.intersection(shared) == shared


@given(grids(), st.lists(st.integers(0, 20), max_size=4), st.integers(1, 6))
def test_any_split_owns_every_block_once(grid: BlockGrid, cuts: list[int], jobs: int) -> None:
    edges = [-1, *sorted(cut for cut in cuts if cut > 0), -1]
    parts = [grid.layers(a, b) for a, b in itertools.pairwise(edges)]
    owners = Counter(number for part in parts for number in part)
    assert owners == Counter(range(len(grid)))
    shards = [shard_of(part, f"{i}/{jobs}") for part in parts for i in range(jobs)]
    assert Counter(number for shard in shards for number in shard) == owners


def test_the_mapping_of_z_is_the_documented_one() -> None:
    grid = BlockGrid((100, 10), (32, 10), (4, 4), (2, 2))
    assert grid.layers(1, 64) == range(1, 2)
    assert grid.layers(0, 1) == range(0, 1)
    assert grid.layers(97, 100) == range(4, 4)
    assert grid.layers(50, 1000) == range(2, 4)


@pytest.mark.parametrize("shard", ["3/3", "1", "-1/2", "a/b", "1/0", "1/2/3", " 1/2"])
def test_illegal_shards(shard: str) -> None:
    with pytest.raises(ConfigError, match="i/n"):
        shard_of(range(4), shard)


@pytest.mark.parametrize(
    "axis", [(0, 4, 2, 1), (9, 0, 2, 1), (9, 4, 2, 0), (9, 4, 2, 3), (9, 4, 9, 5)]
)
def test_illegal_grids(axis: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="axis 1 of the blocks"):
        BlockGrid(*zip((9, 4, 2, 1), axis, strict=True))


@given(st.lists(st.integers(1, 700), min_size=2, max_size=3))
def test_chunks_divide_blocks(block: list[int]) -> None:
    chunk = chunk_of(block)
    assert all(side % part == 0 for side, part in zip(block, chunk, strict=True))


def test_ranges_are_short() -> None:
    assert ranges(list(range(0, 40, 2)), most=2) == "0, 2 and 18 ranges more"
