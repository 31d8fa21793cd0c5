"""Lazy views: what is read is what NumPy would give, and only the box asked for."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxseg.volume import NEW, Reordered, Volume, Window, native


class Watched:
    """An array that remembers what was read of it."""

    def __init__(self, array: np.ndarray, chunks: tuple[int, ...] | None = None) -> None:
        self.array, self.shape, self.dtype = array, array.shape, array.dtype
        self.chunks = chunks
        self.read: list[tuple[slice, ...]] = []

    def __getitem__(self, index: tuple[slice, ...]) -> np.ndarray:
        self.read.append(index)
        return self.array[index]


@given(st.permutations(range(4)), st.data())
def test_reordered_is_transpose(order: list[int], data: st.DataObject) -> None:
    stored = np.arange(2 * 3 * 4 * 5, dtype=np.int32).reshape(2, 3, 4, 5)
    expected = stored.transpose(order)
    view = Reordered(stored, tuple(order))
    assert view.shape == expected.shape
    corners = [data.draw(st.tuples(st.integers(0, n), st.integers(0, n))) for n in view.shape]
    box = tuple(slice(min(pair), max(pair)) for pair in corners)
    np.testing.assert_array_equal(view[box], expected[box])
    np.testing.assert_array_equal(view[1, ..., 0], expected[1, ..., 0])
    np.testing.assert_array_equal(view[-1], expected[-1])


def test_reordered_adds_drops_and_converts() -> None:
    stored = np.arange(6, dtype=">u2").reshape(1, 2, 3)
    view = Reordered(stored, (1, 2, NEW))
    assert view.shape == (2, 3, 1)
    assert view[...].dtype == np.dtype("uint16")
    assert view[...].dtype.isnative
    np.testing.assert_array_equal(view[..., 0], stored[0])
    assert Reordered(np.array([True, False]), (0,))[:].dtype == np.uint8


@given(st.permutations(range(3)))
def test_writing_is_the_inverse_of_reading(order: list[int]) -> None:
    rng = np.random.default_rng(0)
    view = Reordered(np.zeros((3, 4, 5)), tuple(order))
    values = rng.random(view.shape)
    view[...] = values
    np.testing.assert_array_equal(view[...], values)
    box = (slice(1, 3), 2, slice(0, 2))
    view[box] = 7 * values[box]
    np.testing.assert_array_equal(view[box], 7 * values[box])


@pytest.mark.parametrize("index", [(slice(0, 4, 2),), (slice(None),) * 4])
def test_index_that_cannot_be_read(index: tuple[slice, ...]) -> None:
    with pytest.raises(IndexError):
        Reordered(np.zeros((4, 5)), (0, 1))[index]


def test_a_box_reads_only_the_box() -> None:
    source = Watched(np.zeros((3, 10, 11)))
    volume = Volume(Reordered(source, (1, 2, 0)), "yxc", (1.0, 1.0))
    assert volume.read((2, 3), (5, 9)).shape == (3, 6, 3)
    assert source.read == [(slice(0, 3), slice(2, 5), slice(3, 9))]


def test_a_box_outside_is_refused_not_clamped() -> None:
    volume = Volume(np.zeros((4, 5, 1)), "yxc", (1.0, 1.0))
    for start, stop in [((-1, 0), (2, 2)), ((0, 0), (5, 5)), ((3, 0), (2, 5))]:
        with pytest.raises(IndexError):
            volume.read(start, stop)


def test_volume_properties() -> None:
    image = Volume(np.zeros((4, 5, 6, 2), np.uint16), "zyxc", (2.0, 1.0, 1.0))
    assert (image.spatial_shape, image.channels, image.voxels) == ((4, 5, 6), 2, 120)
    assert image.nbytes == 480
    assert np.asarray(image, np.float32).shape == image.shape
    labels = Volume(np.zeros((4, 5), np.uint8), "yx", (1.0, 1.0))
    assert (labels.ndim_spatial, labels.channels, labels.spatial_shape) == (2, 1, (4, 5))


def test_crops_nest() -> None:
    array = np.arange(1000).reshape(10, 10, 10)
    volume = Volume(array, "zyx", (1.0,) * 3).crop((1, 2, 3), (9, 9, 9)).crop((1, 1, 1), (5, 4, 3))
    np.testing.assert_array_equal(volume.array(), array[2:6, 3:6, 4:6])
    np.testing.assert_array_equal(volume.in_memory().array(), volume.array())
    assert Window(array, (1, 2, 3), (2, 2, 2))[1, 1, 1] == array[2, 3, 4]


@given(st.integers(1, 30), st.integers(1, 9), st.integers(1, 100))
def test_slabs_cover_once(length: int, chunk: int, voxels: int) -> None:
    data = Watched(np.zeros((length, 2, 3)), (chunk, 2, 3))
    slabs = list(Volume(data, "zyx", (1.0,) * 3).slabs(voxels))
    ends = [0, *(stop[0] for _, stop in slabs)]
    assert [start[0] for start, _ in slabs] == ends[:-1]
    assert ends[-1] == length
    assert all(a < b for a, b in itertools.pairwise(ends))


def test_native() -> None:
    assert native(">i4") == np.int32
    assert native(bool) == np.uint8
