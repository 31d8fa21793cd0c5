"""The sliding window: exact where it must be, and a true weighted mean elsewhere."""

from __future__ import annotations

import tracemalloc
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from jaxseg.errors import ConfigError
from jaxseg.geometry import Box, TileGrid
from jaxseg.prediction import chunk_shape, predict
from jaxseg.prediction.blend import blend_bytes, stripes, window

Array = np.ndarray | jax.Array


class Case(NamedTuple):
    """An image and a way to tile it."""

    image: np.ndarray
    tile: tuple[int, ...]
    halo: tuple[int, ...]
    overlap: tuple[int, ...]
    stride: tuple[int, ...]
    batch: int

    @property
    def options(self) -> dict[str, Any]:
        return {name: value for name, value in self._asdict().items() if name != "image"}

    @property
    def grid(self) -> TileGrid:
        return TileGrid(self.image.shape[:-1], self.tile, self.halo, self.overlap, self.stride)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """2D or 3D, axes of size 1, images smaller than a tile, any halo, overlap and batch."""
    ndim = draw(st.integers(2, 3))
    axes = []
    for _ in range(ndim):
        stride = draw(st.integers(1, 3))
        halo, overlap = draw(st.integers(0, 3)), draw(st.integers(0, 4))
        least = -(-(2 * halo + overlap + stride) // stride)
        tile = stride * draw(st.integers(least, least + 3))
        axes.append((draw(st.integers(1, 40 // ndim)), tile, halo, overlap, stride))
    shape, *sides = zip(*axes, strict=True)
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    scale = 10.0 ** draw(st.integers(-30, 30))
    image = (scale * rng.standard_normal((*shape, draw(st.integers(1, 2))))).astype(np.float32)
    return Case(image, *sides, draw(st.integers(1, 3)))


@st.composite
def cases_with_region(draw: st.DrawFn) -> tuple[Case, Box]:
    """A case and any part of its image."""
    case = draw(cases())
    shape = case.image.shape[:-1]
    start = tuple(draw(st.integers(0, n - 1)) for n in shape)
    stop = tuple(draw(st.integers(a + 1, n)) for a, n in zip(start, shape, strict=True))
    return case, Box(start, stop)


def identity(tiles: Array) -> Array:
    return tiles


def disagreeing(tiles: Array) -> Array:
    """A network whose tiles disagree wherever they overlap."""
    axes = tuple(range(1, tiles.ndim))
    return tiles + tiles.mean(axis=axes, keepdims=True)


def tiny_net(tiles: Array) -> jax.Array:
    """Convolution, pooling, convolution, upsampling, skip; receptive radius below 6, stride 2."""
    rng = np.random.default_rng(1)
    ndim = tiles.ndim - 2

    def conv(image: jax.Array, channels: int) -> jax.Array:
        kernel = rng.standard_normal((*(3,) * ndim, image.shape[-1], channels)) / 3**ndim
        letters = "DHW"[-ndim:]
        numbers = (f"N{letters}C", f"{letters}IO", f"N{letters}C")
        return jax.lax.conv_general_dilated(
            image, jnp.float32(kernel), (1,) * ndim, "SAME", dimension_numbers=numbers
        )

    fine = jnp.tanh(conv(jnp.asarray(tiles), 4))
    halves = [n for size in fine.shape[1:-1] for n in (size // 2, 2)]
    pooled = fine.reshape(len(fine), *halves, 4).max(axis=tuple(range(2, 2 * ndim + 1, 2)))
    coarse = jnp.tanh(conv(pooled, 4))
    for axis in range(1, ndim + 1):
        coarse = jnp.repeat(coarse, 2, axis=axis)
    return conv(jnp.concatenate([fine, coarse], axis=-1), 3)


# ---- exactness ---------------------------------------------------------------------------------


@given(cases())
def test_an_identity_network_returns_its_input_exactly(case: Case) -> None:
    np.testing.assert_array_equal(predict(identity, case.image, **case.options), case.image)


@given(cases_with_region())
def test_a_region_is_the_crop_of_the_whole(case_and_region: tuple[Case, Box]) -> None:
    case, region = case_and_region
    whole = predict(disagreeing, case.image, **case.options)
    part = predict(disagreeing, case.image, region=region, **case.options)
    np.testing.assert_array_equal(part, whole[region.slices])


@given(cases(), st.integers(0, 3000))
def test_cutting_into_stripes_changes_nothing(case: Case, budget: int) -> None:
    whole = predict(disagreeing, case.image, **case.options)
    cut = predict(disagreeing, case.image, budget_bytes=budget, **case.options)
    np.testing.assert_array_equal(cut, whole)


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_real_network_gives_the_same_bits_in_parts(ndim: int, rng: np.random.Generator) -> None:
    image = rng.standard_normal((*(9, 37, 31)[-ndim:], 1)).astype(np.float32)
    options = {"tile": (16,) * ndim, "halo": 2, "overlap": 4, "stride": 2, "batch": 3}
    forward = jax.jit(tiny_net)
    whole = predict(forward, image, **options)
    region = Box((3, 11, 8)[-ndim:], (8, 30, 29)[-ndim:])
    part = predict(forward, image, region=region, **options)
    np.testing.assert_array_equal(part, whole[region.slices])
    np.testing.assert_array_equal(predict(forward, image, budget_bytes=0, **options), whole)


# ---- tiles and the whole -----------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(41, 29), (7, 21, 26), (1, 18, 23)])
def test_tiles_equal_one_pass_over_the_mirrored_image(
    shape: tuple[int, ...], rng: np.random.Generator
) -> None:
    image = rng.standard_normal((*shape, 1)).astype(np.float32)
    padding = [(6, 6 + n % 2) for n in shape]
    modes = ["reflect" if n > 1 else "edge" for n in shape]
    padded = image
    for axis, (mode, pad) in enumerate(zip(modes, padding, strict=True)):
        width = [pad if a == axis else (0, 0) for a in range(image.ndim)]
        padded = np.pad(padded, width, mode=mode)
    inner = tuple(slice(6, 6 + n) for n in shape)
    whole = np.asarray(tiny_net(padded[None]))[0][inner]
    for overlap in (0, 2):
        sides = {"tile": (18,) * len(shape), "halo": 6, "overlap": overlap}
        tiled = predict(jax.jit(tiny_net), image, stride=2, batch=2, **sides)
        np.testing.assert_allclose(tiled, whole, atol=1e-6)
    # The comparison has teeth: too small a halo, or tiles out of phase, show.
    thin = predict(jax.jit(tiny_net), image, tile=(8,) * len(shape), halo=2, overlap=0, stride=2)
    assert np.abs(thin - whole).max() > 1e-3
    odd = predict(jax.jit(tiny_net), image, tile=(18,) * len(shape), halo=6, overlap=1, stride=1)
    assert np.abs(odd - whole).max() > 1e-3


def test_a_constant_image_stays_constant() -> None:
    image = np.full((45, 33, 1), 0.7, np.float32)
    inner = tiny_net(np.full((1, 32, 32, 1), 0.7, np.float32))[0, 16, 16]
    planes = predict(jax.jit(tiny_net), image, tile=(20, 20), halo=6, overlap=4, stride=2)
    np.testing.assert_allclose(planes, np.broadcast_to(inner, planes.shape), atol=1e-6)


@given(cases())
def test_overlapping_tiles_give_their_weighted_mean(case: Case) -> None:
    grid, image = case.grid, case.image.astype(np.float64)
    total, weights = np.zeros(image.shape), np.zeros(image.shape[:-1])
    windows = [window(c, s) for c, s in zip(grid.core, grid.step, strict=True)]
    for tile in (grid[i] for i in range(len(grid))):
        inside = tile.write.relative_to(tile.core.start).slices
        weight = np.ones(())
        for values, where in zip(windows, inside, strict=True):
            weight = np.multiply.outer(weight, values[where])
        value = sum(a * 7.0**-k for k, a in enumerate(tile.index))
        total[tile.write.slices] += weight[..., None] * value
        weights[tile.write.slices] += weight
    planes = predict(_named_by_position(grid), case.image, **case.options)
    np.testing.assert_allclose(planes, (total / weights[..., None])[..., :1], rtol=1e-5, atol=1e-6)


def _named_by_position(grid: TileGrid) -> Any:
    """A network that answers every tile with a number for its place in the grid."""
    numbers = iter(range(len(grid)))

    def forward(tiles: Array) -> Array:
        if isinstance(tiles, jax.core.Tracer):
            return tiles[..., :1]
        answer = np.zeros((*tiles.shape[:-1], 1), np.float32)
        for slot, number in zip(range(len(tiles)), numbers, strict=False):
            answer[slot] = sum(a * 7.0**-k for k, a in enumerate(grid[number].index))
        return answer

    return forward


@given(st.integers(1, 40), st.integers(1, 40))
def test_weights_of_neighbours_sum_to_one(core: int, step: int) -> None:
    step = min(step, core)
    weights = window(core, step)
    assert (weights > 0).all()
    assert (weights <= 1).all()
    np.testing.assert_array_equal(weights, weights[::-1])
    if 2 * step >= core:
        np.testing.assert_allclose(weights[: core - step] + weights[step:], 1, atol=1e-12)


# ---- input and output --------------------------------------------------------------------------


class Store:
    """An output that can only be written, and remembers where."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape, self.dtype = shape, np.dtype(np.float16)
        self.writes: list[tuple[slice, ...]] = []

    def __setitem__(self, where: tuple[slice, ...], values: np.ndarray) -> None:
        assert values.dtype == self.dtype
        assert values.shape[:-1] == tuple(s.stop - s.start for s in where[:-1])
        self.writes.append(where[:-1])


@pytest.mark.parametrize("budget", [0, 2**29])
def test_chunks_are_written_whole_and_once(budget: int) -> None:
    shape, sides = (50, 70, 61), {"tile": (24, 24, 24), "halo": 4, "overlap": 4, "stride": 4}
    grid = TileGrid(shape, (24,) * 3, (4,) * 3, (4,) * 3, (4,) * 3)
    chunks = chunk_shape(grid, largest=6)
    assert chunks == (6, 6, 6)
    store, written = Store((*shape, 1)), np.zeros(shape, int)
    image = np.zeros((*shape, 1), np.float32)
    predict(identity, image, store, budget_bytes=budget, batch=8, **sides)
    for where in store.writes:
        written[where] += 1
        for side, chunk, size in zip(where, chunks, shape, strict=True):
            assert side.start % chunk == 0
            assert side.stop % chunk == 0 or side.stop == size
    assert (written == 1).all()


def test_zarr_in_and_out(tmp_path: Any, rng: np.random.Generator) -> None:
    image = rng.integers(0, 256, (30, 40, 2)).astype(np.uint8)
    source = zarr.create_array(tmp_path / "in.zarr", data=image, chunks=(16, 16, 2))
    target = zarr.create_array(tmp_path / "out.zarr", shape=image.shape, chunks=(8, 8, 2),
                               dtype="float32")  # fmt: skip
    given_back = predict(identity, source, target, tile=(16, 16), halo=2, overlap=4, batch=4)
    assert given_back is target
    np.testing.assert_array_equal(target[...], image.astype(np.float32))


class Lazy:
    """An image that is read by boxes, and remembers how much was asked for."""

    def __init__(self, image: np.ndarray) -> None:
        self.image, self.shape, self.largest = image, image.shape, 0

    def read(self, start: tuple[int, ...], stop: tuple[int, ...]) -> np.ndarray:
        box = Box(start, stop)
        assert box.intersection(Box((0,) * len(start), self.shape[:-1])) == box
        self.largest = max(self.largest, box.size)
        return self.image[box.slices]


def test_images_are_read_by_tiles_and_prepared(rng: np.random.Generator) -> None:
    image = rng.integers(0, 99, (33, 47, 1)).astype(np.uint16)
    lazy = Lazy(image)
    planes = predict(identity, lazy, tile=(12, 12), halo=2, prepare=lambda block: block / 4 - 1)
    np.testing.assert_array_equal(planes, image.astype(np.float32) / 4 - 1)
    assert lazy.largest <= 12 * 12


def test_a_region_is_written_at_its_place(rng: np.random.Generator) -> None:
    image = rng.standard_normal((20, 30, 1)).astype(np.float32)
    out = np.zeros((20, 30, 1), np.float32)
    region = Box((5, 7), (11, 20))
    predict(identity, image, out, tile=(8, 8), halo=1, overlap=1, region=region)
    np.testing.assert_array_equal(out[region.slices], image[region.slices])
    out[region.slices] = 0
    assert not out.any()


def test_progress_counts_tiles() -> None:
    seen: list[tuple[int, int]] = []
    predict(identity, np.zeros((20, 20, 1)), tile=(10, 10), overlap=0, batch=3,
            on_progress=lambda done, total: seen.append((done, total)))  # fmt: skip
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tile": (8,)}, "axes"),
        ({"tile": (9, 8), "stride": 2}, "downsampling"),
        ({"halo": 4}, "nothing but halo"),
        ({"out": np.zeros((9, 9, 1))}, "another size"),
        ({"region": Box((0, 0), (11, 3))}, "region"),
        ({"region": Box((2, 2), (2, 3))}, "region"),
        ({"image": np.zeros((0, 10, 1))}, "size 0"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(changes: dict[str, Any], message: str) -> None:
    arguments = {"image": np.zeros((10, 10, 1)), "tile": (8, 8), "overlap": 0} | changes
    with pytest.raises(ConfigError, match=message):
        predict(identity, **arguments)


# ---- memory ------------------------------------------------------------------------------------


@given(cases_with_region(), st.integers(1, 4), st.integers(0, 10**4))
def test_stripes_cover_a_region_once_within_the_budget(
    case_and_region: tuple[Case, Box], planes: int, budget: int
) -> None:
    case, region = case_and_region
    grid, covered = case.grid, np.zeros(case.image.shape[:-1], int)
    for box in stripes(grid, region, planes, budget_bytes=budget):
        covered[box.slices] += 1
        assert (box.start[0], box.stop[0]) == (region.start[0], region.stop[0])
    assert (covered[region.slices] == 1).all()
    assert covered.sum() == region.size


@pytest.mark.slow
def test_memory_does_not_grow_with_the_volume() -> None:
    peaks = {}
    for side in (128, 384):
        image = Zeros((side,) * 3)
        options = {"tile": (48,) * 3, "halo": 4, "overlap": 8, "budget_bytes": 2**24, "batch": 2}
        tracemalloc.start()
        predict(identity, image, Store((*image.shape[:-1], 1)), **options)
        peaks[side] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peaks[384] < 1.15 * max(peaks[128], 2**24)


class Zeros:
    """A volume that takes no memory."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = (*shape, 1)

    def read(self, start: tuple[int, ...], stop: tuple[int, ...]) -> np.ndarray:
        return np.zeros((*Box(start, stop).shape, 1), np.uint8)


def test_the_budget_bounds_what_blending_holds() -> None:
    grid = TileGrid((64, 5000, 5000), (64,) * 3, (8,) * 3, (16,) * 3, (16,) * 3)
    boxes = stripes(grid, Box((0, 0, 0), grid.shape), 3, budget_bytes=2**27)
    assert len(boxes) > 1
    for box in boxes:
        tiles = [len(r) for r in grid.ranges(box)]
        assert blend_bytes(grid, [n - (n > 1) for n in tiles], 3) <= 1.1 * 2**27
