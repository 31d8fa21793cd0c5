"""Blocks give what an image in one block gives: every decoder and every operation, one property."""

from __future__ import annotations

import dataclasses
import functools
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.blockwise import canonical
from support.stages import by_blocks, in_memory
from support.synthetic_objects import clustered_balls, same_partition, touching_balls

from jaxseg.blocks import BlockGrid, Output, Stage, View, whole_grid
from jaxseg.channels import encode
from jaxseg.config import Channel, Refine, Repair, StarDist, ch
from jaxseg.decoding import decoder_of
from jaxseg.decoding.table import DECODERS as TABLE
from jaxseg.decoding.table import row_of
from jaxseg.labels.refine import refine
from jaxseg.metrics import matching
from jaxseg.stages.changes import Operation, like, operated
from jaxseg.stages.decoders import decoded
from jaxseg.stages.decoding import Decoding
from jaxseg.stages.operations import refine_kind
from jaxseg.stages.repair import repaired

SHAPES = {2: (64, 70), 3: (18, 34, 36)}
# Larger than any object.
HALO = {2: (28, 28), 3: (14, 14, 14)}
DECODERS: dict[str, tuple[Channel, ...]] = {
    "watershed": (ch("F"), ch("C"), ch("Db")),
    "agglomeration": (ch("A"),),
    "stardist": (ch("Db"), ch("R")),
    "flow": (ch("F"), ch("Gv"), ch("Gh")),
    "embedseg": (ch("E"),),
    "mutex": (ch("A", offsets=((0, 1), (1, 0), (0, 5), (5, 0))),),
}
# The channels above are those of two dimensions.
FLAT = ("flow", "embedseg", "mutex")
# What is joined by overlap only may differ in a few voxels.
EXACT = ("watershed", "agglomeration", "stardist", "flow")
PACKAGES = {"stardist": "stardist", "mutex": "mwatershed"}
OPERATIONS = (
    Refine("fill_holes"), Refine("dilation", (2,)), Refine("erosion", (1,)), Refine("clear_border"),
    Refine("remove_small_objects", (40,)), Refine("remove_large_objects", (40,)), Repair(size=60),
)  # fmt: skip


@pytest.fixture(autouse=True)
def no_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forcing every block to disk takes longer than decoding it."""
    monkeypatch.setattr("os.fsync", lambda descriptor: None)


def test_every_decoder_has_channels_here() -> None:
    assert set(DECODERS) == set(TABLE)


@functools.cache
def planes_of(name: str, ndim: int, seed: int) -> np.ndarray:
    """True planes with noise added."""
    rng = np.random.default_rng(seed)
    truth = touching_balls(rng, SHAPES[ndim], count=10, radii=(4, 8) if ndim == 2 else (3, 5))
    planes = np.asarray(encode(truth.astype(np.int32), DECODERS[name]))
    return (planes + rng.normal(0, 0.02, planes.shape)).astype(np.float32)


@functools.cache
def clumps_of(name: str, ndim: int, seed: int) -> np.ndarray:
    """Planes in which two objects that touch are one, and others are cut in halves."""
    rng, radii = np.random.default_rng(seed), (6, 8) if ndim == 2 else (4, 5)
    truth = clustered_balls(rng, SHAPES[ndim], count=4, radii=radii)
    halves = truth + 4 * (np.indices(truth.shape)[-1] % 16 < 8)
    truth = np.where(truth > 2, halves, truth > 0) * (truth > 0)
    return np.asarray(encode(truth.astype(np.int32), DECODERS[name]), np.float32)


def objects(
    name: str,
    planes: np.ndarray,
    grid: BlockGrid,
    options: Any = None,
    mask: np.ndarray | None = None,
) -> Stage:
    """The stage that writes what a decoder finds."""
    region = None
    if mask is not None:
        region = View(name="region", shape=grid.shape, read=lambda box, results: mask[box.slices])
    source = View(name="planes", shape=grid.shape, read=lambda box, results: planes[box.slices])
    spacing, channels = (1.0,) * len(grid.shape), DECODERS[name]
    options = options or row_of(channels, name).options
    output = Output(spacing=spacing, dtype=np.uint32)
    return decoded(Decoding(source, source, region, grid, channels, name, options, output))


def cut(ndim: int, sides: tuple[int, ...]) -> BlockGrid:
    band = tuple(min(4, side) for side in sides)
    return BlockGrid(SHAPES[ndim], sides, HALO[ndim], band)


def sizes(ndim: int) -> st.SearchStrategy[tuple[int, ...]]:
    return st.tuples(*(st.integers(-(-side // 2), side) for side in SHAPES[ndim]))


@pytest.mark.parametrize(
    "name",
    [name if name in EXACT else pytest.param(name, marks=pytest.mark.full) for name in DECODERS],
)
@settings(max_examples=3)
@given(data=st.data())
def test_every_decoder(name: str, data: st.DataObject) -> None:
    pytest.importorskip(PACKAGES.get(name, "numpy"))
    ndim = data.draw(st.sampled_from([2] if name in FLAT else [2, 3]))
    planes = planes_of(name, ndim, data.draw(st.integers(0, 3)))
    whole = in_memory(objects(name, planes, whole_grid(SHAPES[ndim]))).array
    assert whole.max() > 2
    with tempfile.TemporaryDirectory() as folder:
        found = by_blocks(Path(folder), objects(name, planes, cut(ndim, data.draw(sizes(ndim)))))
        found = found.array[...]
    if name in EXACT:
        assert np.array_equal(canonical(found), canonical(whole))
    else:
        # The rim of a cut object may be one more object.
        assert matching(whole, found, thresholds=(0.9,))[0].f1 > 0.75


@pytest.mark.parametrize("name", ["watershed", "flow"])
@settings(max_examples=3)
@given(data=st.data())
def test_shapes_are_judged_when_pieces_are_joined(name: str, data: st.DataObject) -> None:
    """Bit for bit, since both number objects where they begin."""
    ndim = data.draw(st.sampled_from([2] if name in FLAT else [2, 3]))
    planes = clumps_of(name, ndim, data.draw(st.integers(0, 2)))
    plain = row_of(DECODERS[name], name).options
    options = dataclasses.replace(plain, convex="both", min_size=data.draw(st.integers(1, 90)))
    before = in_memory(objects(name, planes, whole_grid(SHAPES[ndim]), plain)).array
    whole = in_memory(objects(name, planes, whole_grid(SHAPES[ndim]), options)).array
    assert not same_partition(before, whole)
    with tempfile.TemporaryDirectory() as folder:
        grid = cut(ndim, data.draw(sizes(ndim)))
        found = by_blocks(Path(folder), objects(name, planes, grid, options)).array[...]
    assert found.dtype == whole.dtype
    assert np.array_equal(found, whole)


@pytest.mark.parametrize("name", ["watershed", "flow"])
@settings(max_examples=4)
@given(data=st.data())
def test_the_foreground_is_judged_when_pieces_are_joined(name: str, data: st.DataObject) -> None:
    ndim = data.draw(st.sampled_from([2] if name in FLAT else [2, 3]))
    planes = planes_of(name, ndim, data.draw(st.integers(0, 3))).copy()
    # Towards the far end of x the network is less sure.
    planes[..., 0] *= np.linspace(1, 0.6, planes.shape[-2], dtype=np.float32)
    plain = row_of(DECODERS[name], name).options
    changes = {"min_mean": 0.8, "convex": data.draw(st.sampled_from(["none", "both"]))}
    options = dataclasses.replace(plain, **changes)
    before = in_memory(objects(name, planes, whole_grid(SHAPES[ndim]), plain)).array
    whole = in_memory(objects(name, planes, whole_grid(SHAPES[ndim]), options)).array
    assert 0 < whole.max() < before.max()
    with tempfile.TemporaryDirectory() as folder:
        grid = cut(ndim, data.draw(sizes(ndim)))
        found = by_blocks(Path(folder), objects(name, planes, grid, options)).array[...]
    assert np.array_equal(canonical(found), canonical(whole))


@pytest.mark.parametrize("one", OPERATIONS, ids=str)
@settings(max_examples=3)
@given(data=st.data())
def test_every_operation(one: Any, data: st.DataObject) -> None:
    ndim = data.draw(st.sampled_from([2, 3]))
    planes = planes_of("watershed", ndim, data.draw(st.integers(0, 3)))
    grids = whole_grid(SHAPES[ndim]), cut(ndim, data.draw(sizes(ndim)))
    ones, found = (1.0,) * ndim, []
    for grid in grids:
        before = objects("watershed", planes, grid)
        output, near = like(before, ones), refine_kind(Refine("dilation", (1,)), ones)
        # Where joined objects are their measurements tell; here a change of nothing does.
        nothing = Operation(lambda labels: labels, near, {})
        before = operated(before, nothing, grid, name="same", output=output)
        if isinstance(one, Repair):
            stage = repaired(before, one, grid, before, "after", output=output)
        else:
            change = Operation(lambda labels: refine(labels, [one]), refine_kind(one, ones), {})
            stage = operated(before, change, grid, name="changed", output=output)
        with tempfile.TemporaryDirectory() as folder:
            made = in_memory(stage) if len(grid) == 1 else by_blocks(Path(folder), stage)
            found.append(canonical(made.array[...]))
    assert np.array_equal(*found)


def test_stars_keep_their_numbers_and_sizes(tmp_path: Path) -> None:
    """The best first; small ones are dropped by the voxels that they have in all blocks."""
    pytest.importorskip("stardist")
    planes = planes_of("stardist", 2, 1)
    plain = in_memory(objects("stardist", planes, whole_grid(SHAPES[2]))).array
    least = int(np.median(np.bincount(plain.ravel())[1:]))
    options = dataclasses.replace(StarDist(), min_size=least)
    whole = in_memory(objects("stardist", planes, whole_grid(SHAPES[2]), options)).array
    found = by_blocks(tmp_path, objects("stardist", planes, cut(2, (20, 23)), options)).array[...]
    assert 0 < whole.max() < plain.max()
    assert np.array_equal(found, whole)
    assert decoder_of(DECODERS["stardist"]) == "stardist"


@pytest.mark.parametrize("name", EXACT)
def test_masks_confine_objects(tmp_path: Path, name: str) -> None:
    pytest.importorskip(PACKAGES.get(name, "numpy"))
    planes, mask = planes_of(name, 2, 1), np.indices(SHAPES[2]).sum(axis=0) % 90 < 60
    whole = in_memory(objects(name, planes, whole_grid(SHAPES[2]), mask=mask)).array
    found = by_blocks(tmp_path, objects(name, planes, cut(2, (33, 37)), mask=mask)).array[...]
    assert whole.max() > 2
    assert not whole[~mask].any()
    assert np.array_equal(canonical(found), canonical(whole))


def test_noise_of_a_volume_has_no_objects_in_any_block(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("watershed", "stardist", "flow"):
        pytest.importorskip(PACKAGES.get(name, "numpy"))
        width = planes_of(name, 2, 0).shape[-1]
        noise = rng.random((*SHAPES[2], width), np.float32)
        found = by_blocks(tmp_path / name, objects(name, noise, cut(2, (33, 36)))).array[...]
        assert not found.any()
