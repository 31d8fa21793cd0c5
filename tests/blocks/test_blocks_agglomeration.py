"""Agglomeration by blocks gives the labels of the whole volume, whatever the blocks."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from support import blockwise
from support.blockwise_affinities import agglomerated
from support.made_affinities import affinities
from support.synthetic_objects import neurites, touching_balls

from jaxseg.blocks import BlockGrid, stored
from jaxseg.channels import encode
from jaxseg.config import Agglomeration, Channel, ch
from jaxseg.decoding import agglomeration, agglomeration_steps
from jaxseg.decoding.affinities.edges import EdgeTable, added, contacts_of
from jaxseg.metrics import matching

pytestmark = pytest.mark.usefixtures("no_sync")

# Offsets of either sign, across corners, and longer ones, which do not count beside these.
OFFSETS = {
    "faces": {2: ((0, 1), (1, 0)), 3: ((0, 0, 1), (0, 1, 0), (1, 0, 0))},
    "signs": {2: ((0, -1), (1, 0), (5, 0)), 3: ((0, 0, -1), (0, 1, 0), (-1, 0, 0))},
    "corners": {2: ((0, 1), (1, -1), (1, 0)), 3: ((1, 1, 1), (0, 1, 0), (1, 0, -1))},
    "long": {2: ((0, 3), (-2, 0)), 3: ((0, 0, 2), (0, -3, 0), (2, 0, 0))},
}


def whole_and_blocks(
    planes: np.ndarray,
    channels: tuple[Channel, ...],
    sides: tuple[int, ...],
    band: int,
    **more: Any,
) -> tuple[np.ndarray, np.ndarray]:
    """The labels of both ways; what blocks have as a halo does not matter."""
    options, spacing = more.pop("options"), more.pop("spacing", None)
    shape = planes.shape[:-1]
    bands = tuple(min(band, side) for side in sides)
    grid = BlockGrid(shape, sides, bands, bands)
    with tempfile.TemporaryDirectory() as folder:
        found = agglomerated(Path(folder), grid, planes, channels, options, spacing=spacing, **more)
    return agglomeration(planes, channels, spacing=spacing, options=options), found


@pytest.mark.full
@settings(max_examples=10)
@given(st.data())
def test_blocks_equal_the_whole(data: st.DataObject) -> None:
    check_any(data)


@pytest.mark.slow
@settings(max_examples=300)
@given(st.data())
def test_blocks_equal_the_whole_many_times(data: st.DataObject) -> None:
    check_any(data)


def check_any(data: st.DataObject) -> None:
    """A small volume with any offsets, options and blocks."""
    ndim = data.draw(st.sampled_from([2, 3]))
    limits = {2: (12, 60), 3: (8, 26)}[ndim]
    shape = tuple(data.draw(st.integers(*limits)) for _ in range(ndim))
    sides = tuple(data.draw(st.integers(-(-size // 3), size)) for size in shape)
    offsets = OFFSETS[data.draw(st.sampled_from(list(OFFSETS)))][ndim]
    options = Agglomeration(
        threshold=(data.draw(st.sampled_from([0.3, 0.6, "auto"])),),
        inside=data.draw(st.sampled_from([0.5, 0.7])),
        merge=data.draw(st.sampled_from([0.4, 0.55, 0.7])),
        score=data.draw(st.sampled_from(["mean", "quantile"])),
        min_size=data.draw(st.sampled_from([1, 30])),
        fill_holes=data.draw(st.booleans()),
    )
    seed, smooth = data.draw(st.integers(0, 999)), data.draw(st.sampled_from([0.7, 1.5, 3.0]))
    whole, found = whole_and_blocks(
        affinities(seed, shape, len(offsets), smooth),
        (ch("A", offsets=offsets),),
        sides,
        data.draw(st.integers(1, 4)),
        options=options,
        spacing=data.draw(st.sampled_from([None, (3.7, 1.0, 1.1)[-ndim:]])),
    )
    assert found.dtype == whole.dtype
    assert np.array_equal(found, whole)


def test_objects_far_larger_than_blocks() -> None:
    """Plates and tubes through the whole volume, of which a block knows next to nothing."""
    planes = affinities(5, (14, 40, 44), 3, 2.0)
    planes = np.maximum(planes, 0.9 * (np.indices(planes.shape)[1] % 16 < 12)).astype(np.float32)
    options = Agglomeration(threshold=(0.4,), min_size=50)
    channels = (ch("A"),)
    whole, found = whole_and_blocks(planes, channels, (7, 9, 11), 2, options=options)
    assert whole.max() > 1
    widths = [max(s.stop - s.start for s in box) for box in ndimage.find_objects(whole)]
    assert max(widths) == 44
    assert np.array_equal(found, whole)


@pytest.mark.parametrize(
    "size", [40, *(pytest.param(size, marks=pytest.mark.slow) for size in (28, 56))]
)
def test_touching_objects(size: int) -> None:
    truth = touching_balls(np.random.default_rng(0), (60, 66, 70), count=60, radii=(5, 9))
    planes = np.asarray(encode(truth, (ch("A"),)))
    whole, found = whole_and_blocks(
        planes, (ch("A"),), (size,) * 3, 4, options=Agglomeration(min_size=20)
    )
    assert matching(truth, found)[0].f1 > 0.9
    assert np.array_equal(found, whole)


@pytest.mark.slow
@pytest.mark.parametrize("sides", [(28, 28, 28), (50, 64, 64)])
def test_neurites(sides: tuple[int, ...], rng: np.random.Generator) -> None:
    """Long thin objects that reach far beyond any halo, with boundaries that leak."""
    truth = neurites(rng, (60, 96, 96), count=60)
    planes = np.asarray(encode(truth, (ch("A"),)))
    planes = ndimage.gaussian_filter(planes, (0.7, 0.7, 0.7, 0)) * affinities(
        0, truth.shape, 3, 2.0
    )
    options = Agglomeration(threshold=(0.2,), min_size=100)
    whole, found = whole_and_blocks(planes, (ch("A"),), sides, 4, options=options)
    assert whole.max() > 10
    assert np.array_equal(found, whole)


def test_holes_across_blocks_are_filled_and_count() -> None:
    """One hole in four blocks, one at the side of the volume, one between two objects."""
    planes = np.ones((30, 40, 2), np.float32)
    planes[:, 22:24, 1], planes[9:11, :22, 0] = 0, 0
    for place in (np.s_[13:19, 8:14], np.s_[26:, 4:9], np.s_[2:6, 20:26]):
        planes[place] = 0
    sizes = {}
    for fill in (True, False):
        options = Agglomeration(threshold=(0.5,), fill_holes=fill)
        whole, found = whole_and_blocks(planes, (ch("A"),), (8, 11), 3, options=options)
        assert np.array_equal(found, whole)
        sizes[fill] = np.bincount(found.ravel())
    assert found[15, 10] == found[28, 6] == found[4, 23] == 0
    largest = int(sizes[True][1:].max())
    assert largest > sizes[False][1:].max()
    options = Agglomeration(threshold=(0.5,), min_size=largest)
    whole, found = whole_and_blocks(planes, (ch("A"),), (8, 11), 3, options=options)
    assert found.max() == 1
    assert np.array_equal(found, whole)


@pytest.mark.parametrize("value", [0.0, 0.01, 0.5, "noise", 1.0])
def test_a_volume_without_objects_and_one_that_is_one(value: float | str) -> None:
    rng = np.random.default_rng(0)
    planes = rng.random((14, 15, 16, 3), np.float32)
    if value != "noise":
        planes = (value - 0.002 * planes).astype(np.float32)
    whole, found = whole_and_blocks(planes, (ch("A"),), (8, 8, 7), 2, options=Agglomeration())
    assert whole.max() == (value == 1.0)
    assert np.array_equal(found, whole)


@pytest.mark.full
def test_the_order_of_blocks_does_not_matter_and_running_again_writes_nothing(
    tmp_path: Path,
) -> None:
    planes, channels = affinities(2, (24, 30, 28), 3, 1.0), (ch("A"),)
    grid = BlockGrid(planes.shape[:-1], (10, 12, 9), (3,) * 3, (3,) * 3)
    options = Agglomeration(threshold=(0.3,), score="mean")
    first = agglomerated(tmp_path / "a", grid, planes, channels, options)
    order = np.random.default_rng(0).permutation(len(grid)).tolist()
    other = agglomerated(tmp_path / "b", grid, planes, channels, options, numbers=order)
    assert np.array_equal(first, other)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert np.array_equal(agglomerated(tmp_path / "a", grid, planes, channels, options), first)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_interrupted_at_every_stage_and_continued(tmp_path: Path, monkeypatch) -> None:
    planes, channels = affinities(3, (40, 44), 2, 1.0), (ch("A"),)
    grid = BlockGrid(planes.shape[:-1], (15, 16), (3, 3), (3, 3))
    options = Agglomeration(threshold=(0.3,), min_size=5)
    for module, name, at in (
        (stored, "write_table", 5),
        (stored, "write_box", 8),
        (stored, "write_table", 3),
        (stored, "write_box", 3),
    ):
        write, calls = getattr(module, name), []

        def stop(*given: Any, write: Any = write, calls: list = calls, at: int = at) -> Any:
            calls.append(given)
            if len(calls) == at:
                raise KeyboardInterrupt
            return write(*given)

        with monkeypatch.context() as patch:
            patch.setattr(module, name, stop)
            with pytest.raises(KeyboardInterrupt):
                agglomerated(tmp_path, grid, planes, channels, options)
    found = agglomerated(tmp_path, grid, planes, channels, options)
    assert np.array_equal(found, agglomeration(planes, channels, options=options))


def test_fragments_are_numbered_by_their_first_voxels() -> None:
    found = agglomeration_steps(affinities(0, (40, 50), 2, 1.0), (ch("A"),)).seeds
    assert found.max() > 3
    assert np.array_equal(found, blockwise.canonical(found))


@given(st.integers(0, 999), st.booleans())
def test_tables_of_parts_add_up_in_any_order(seed: int, histogram: bool) -> None:
    rng = np.random.default_rng(seed)
    fragments, columns = rng.integers(0, 6, (9, 11)), rng.random((9, 11, 3)).astype(np.float32)
    offsets = ((0, 1), (-2, 1), (1, 0))
    whole = contacts_of(fragments, columns, offsets, histogram=histogram)
    cut = int(rng.integers(1, 9))
    parts = [
        contacts_of(fragments, columns[rows], offsets, histogram=histogram, start=(rows.start, 0))
        for rows in (slice(0, cut), slice(cut, 9))
    ]
    both: list[EdgeTable] = [added(parts), added(parts[::-1])]
    for found in both:
        assert all(np.array_equal(a, b) for a, b in zip(found, whole, strict=True))
