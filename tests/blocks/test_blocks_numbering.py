"""Pieces of blocks to objects: comparison in the band, joining, numbering."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from support.blockwise import canonical
from support.synthetic_objects import same_partition

from jaxseg.blocks import BlockGrid
from jaxseg.labels.contacts import face_connected
from jaxseg.stages.contacts import contacts, same_objects, slabs_of
from jaxseg.stages.numbering import NOWHERE, number_objects
from jaxseg.stages.pieces import pieces_of


def test_sharing_must_be_more_than_the_threshold_and_is_symmetric(rng: np.random.Generator) -> None:
    one, other = np.array([[1, 1, 2, 2, 2, 0]]), np.array([[7, 8, 9, 9, 0, 9]])
    assert same_objects(one, other, threshold=0.4).tolist() == [[1, 7], [1, 8], [2, 9]]
    assert same_objects(one, other).tolist() == [[2, 9]]
    one, other = rng.integers(0, 4, (2, 6, 10))
    pairs = same_objects(one, other, threshold=0.2).tolist()
    back = same_objects(other, one, threshold=0.2).tolist()
    assert pairs == sorted([b, a] for a, b in back)
    assert same_objects(np.zeros((2, 2), int), np.ones((2, 2), int)).shape == (0, 2)


def test_branches_that_meet_outside_are_compared_one_by_one() -> None:
    """One block sees two branches as one object, the other one as two of different size."""
    one, other = np.zeros((2, 4, 9), int)
    one[:, :5], one[:, 7:] = 1, 1
    other[:, :5], other[:, 7:] = 1, 2
    assert same_objects(one, other).tolist() == [[1, 1], [1, 2]]


def test_a_tip_that_does_not_cross_the_boundary_joins_nothing() -> None:
    one, other = np.zeros((2, 4, 8), int)
    one[:, 7], other[:, 7] = 3, 4
    sides = [np.s_[:, :4], np.s_[:, 4:]]
    assert same_objects(one, other).tolist() == [[3, 4]]
    assert same_objects(one, other, sides=sides).tolist() == []
    one[:, 3:], other[:, 3:] = 3, 4
    assert same_objects(one, other, sides=sides).tolist() == [[3, 4]]


@given(st.integers(0, 10**6), st.integers(2, 3))
def test_any_cut_of_labels_gives_them_back(seed: int, ndim: int) -> None:
    """Pieces cut out of labels of connected objects are joined to exactly these objects."""
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(3, 14, ndim))
    noise = ndimage.gaussian_filter(rng.normal(size=shape), 1)
    labels, _ = face_connected(noise > 0)
    block = tuple(int(n) for n in rng.integers(2, 8, ndim))
    grid = BlockGrid(tuple(map(int, shape)), block, (2,) * ndim, (1,) * ndim)
    assert np.array_equal(merged(grid, lambda block: labels[block.read.slices]), canonical(labels))


def merged(grid: BlockGrid, decode) -> np.ndarray:
    """All stages in memory."""
    found = [pieces_of(grid, block, decode(block)) for block in grid]
    slabs = [slabs_of(grid, block, p.labels) for block, p in zip(grid, found, strict=True)]
    offsets = np.concatenate([[0], np.cumsum([len(p.voxels) for p in found])])
    pairs = [np.zeros((0, 2), np.int64)]
    for block in grid:
        for other, ids in contacts(grid, block, lambda number: slabs[number]):
            pairs.append(ids - 1 + [offsets[block.number], offsets[other]])
    numbering = number_objects(
        np.concatenate([p.voxels for p in found]),
        np.concatenate([p.first for p in found]),
        np.concatenate(pairs),
    )
    whole = np.zeros(grid.shape, np.uint64)
    for block, piece in zip(grid, found, strict=True):
        own = numbering.ids[offsets[block.number] : offsets[block.number + 1]]
        core = piece.labels[block.core.relative_to(block.wide.start).slices]
        whole[block.core.slices] = np.concatenate([[0], own]).astype(np.uint64)[core]
    return whole


@pytest.mark.parametrize("line", ["edge", "corner"])
def test_objects_through_an_edge_or_a_corner(line: str) -> None:
    labels = np.zeros((12, 12, 12), int)
    for step in range(3, 9):
        labels[step : step + 2, step : step + 2, 5 if line == "edge" else step] = 1
        if line == "corner":
            labels[step : step + 2, step : step + 2, step + 1] = 1
    grid = BlockGrid((12,) * 3, (6,) * 3, (3,) * 3, (2,) * 3)
    assert same_partition(merged(grid, lambda block: labels[block.read.slices]), labels)


def test_an_object_split_by_one_block_only() -> None:
    """The larger half continues the object of the neighbour, the smaller one is another."""
    labels = np.ones((8, 8), int)
    grid = BlockGrid((8, 8), (8, 4), (3, 3), (3, 3))

    def decode(block):
        found = labels[block.read.slices].copy()
        if block.number:
            found[:2] = 2
        return found

    whole = merged(grid, decode)
    assert whole.max() == 2
    assert (whole[:, :4] == 1).all()
    assert (whole[2:, 4:] == 1).all()
    assert (whole[:2, 4:] == 2).all()


@given(st.integers(0, 10**6))
def test_joining_is_that_of_a_plain_search(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 30))
    pairs = rng.integers(0, count, (int(rng.integers(0, 20)), 2))
    voxels = rng.integers(0, 5, count)
    first = np.where(voxels > 0, rng.permutation(1000)[:count], NOWHERE)
    parts = np.arange(count)
    for _ in range(count):
        for a, b in pairs:
            parts[[a, b]] = parts[[a, b]].min()
    sizes = {p: voxels[parts == p].sum() for p in set(parts.tolist())}
    order = sorted((first[parts == p].min(), p) for p, size in sizes.items() if size >= 2)
    expected = {p: rank for rank, (_, p) in enumerate(order, start=1)}
    found = number_objects(voxels, first, pairs, min_size=2)
    wanted = [expected.get(p, 0) if v else 0 for p, v in zip(parts.tolist(), voxels, strict=True)]
    assert found.ids.tolist() == wanted
    assert found.objects == len(order)
    shuffled = number_objects(voxels, first, rng.permutation(pairs)[:, ::-1], min_size=2)
    assert np.array_equal(shuffled.ids, found.ids)


def test_nothing_to_number() -> None:
    found = number_objects(np.zeros(0, int), np.zeros(0, int), np.zeros((0, 2), int))
    assert (len(found.ids), found.objects, found.joined) == (0, 0, 0)


def test_where_an_object_is_cut_by_the_halo() -> None:
    labels = np.zeros((4, 20), int)
    labels[1, 1:15] = 7
    labels[3, 8] = 9
    grid = BlockGrid((4, 20), (4, 5), (2, 3), (1, 2))
    cut = [pieces_of(grid, block, labels[block.read.slices]).touching for block in grid]
    assert cut == [1, 1, 1, 0]
