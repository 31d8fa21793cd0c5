"""Images of another voxel size, and labels back: exact where it can be said what is right."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxseg.errors import ConfigError, JaxsegWarning
from jaxseg.resample import labels_back, resampled, shape_at, size_notice, warn_of_sizes
from jaxseg.volume import Volume

SIZES = st.floats(0.1, 8.0)


def volume(array: np.ndarray, spacing: tuple[float, ...]) -> Volume:
    return Volume(array, "zyxc"[-array.ndim :], spacing)


@given(st.lists(st.tuples(st.integers(1, 12), SIZES, SIZES), min_size=2, max_size=3), st.data())
def test_a_box_has_the_bits_of_the_whole(sides: list, draw: st.DataObject) -> None:
    shape, spacing, wanted = (tuple(column) for column in zip(*sides, strict=True))
    rng = np.random.default_rng(0)
    image = volume(rng.random((*shape, 2), np.float32), spacing)
    labels = rng.integers(0, 9, shape)
    made = resampled(image, wanted)
    assert made.spatial_shape == shape_at(shape, spacing, wanted)
    assert made.spacing == wanted
    for view in (made.data, labels_back(labels, made.spatial_shape)):
        whole = np.asarray(view[...])
        assert whole.shape == tuple(view.shape)
        box = tuple(
            slice(*sorted(draw.draw(st.tuples(st.integers(0, n), st.integers(0, n)))))
            for n in view.shape
        )
        np.testing.assert_array_equal(view[box], whole[box])


@given(st.tuples(st.integers(1, 9), st.integers(1, 9)), st.tuples(SIZES, SIZES))
def test_a_constant_stays_and_nothing_exceeds_the_range(shape: tuple, wanted: tuple) -> None:
    constant = resampled(volume(np.full((*shape, 1), 7, np.uint8), (1.0, 1.0)), wanted).array()
    np.testing.assert_allclose(constant, 7, rtol=1e-6)
    noise = np.random.default_rng(0).random((*shape, 1), np.float32)
    made = resampled(volume(noise, (1.0, 1.0)), wanted).array()
    assert noise.min() - 1e-6 <= made.min() <= made.max() <= noise.max() + 1e-6


def test_the_same_size_is_the_same_image() -> None:
    image = volume(np.random.default_rng(0).random((5, 6, 2), np.float32), (0.3, 0.2))
    np.testing.assert_array_equal(resampled(image, (0.3, 0.2)).array(), image.array())


@pytest.mark.parametrize("factor", [2, 4])
def test_coarser_voxels_are_averages(factor: int) -> None:
    """No pattern of single voxels survives as one of many: what aliasing would make."""
    stripes = np.tile(np.array([0, 1], np.float32), 64)[None, :, None].repeat(128, 0)
    made = resampled(volume(stripes, (1.0, 1.0)), (factor, factor)).array()
    inner = made[2:-2, 2:-2]
    assert np.ptp(inner) < 1e-6
    assert inner.mean() == pytest.approx(0.5, abs=1e-6)


def test_a_ramp_stays_a_ramp() -> None:
    ramp = np.arange(40, dtype=np.float32)[None, :, None].repeat(3, 0)
    made = resampled(volume(ramp, (1.0, 1.0)), (1.0, 0.25)).array()[1, 4:-4, 0]
    np.testing.assert_allclose(np.diff(made), 0.25, atol=1e-5)


def test_labels_come_back_where_they_were() -> None:
    """Objects of several voxels survive the way to finer voxels and back bit for bit."""
    labels = np.random.default_rng(0).integers(0, 2**40, (4, 7, 9)).astype(np.uint64)
    finer = labels_back(labels, (8, 21, 9))
    assert finer.dtype == np.uint64
    np.testing.assert_array_equal(finer[...], labels.repeat(2, 0).repeat(3, 1))
    np.testing.assert_array_equal(labels_back(finer, labels.shape)[...], labels)


@pytest.mark.parametrize("wanted", [(1.0,), (0.0, 1.0), (float("nan"), 1.0)])
def test_sizes_that_are_none(wanted: tuple[float, ...]) -> None:
    with pytest.raises(ConfigError):
        resampled(volume(np.zeros((3, 3, 1)), (1.0, 1.0)), wanted)


def test_what_is_said() -> None:
    image = volume(np.zeros((3, 3, 1)), (2.0, 0.2))
    assert size_notice((0.2, 0.2), image).count("µm") == 2
    for size in ((), (2.0, 0.2), (2.05, 0.195)):
        assert size_notice(size, image) == ""
    assert "2 x 0.2" in size_notice((0.2, 0.2), image)
    assert "0.2 x 0.2" in size_notice((0.2, 0.2), image)
    assert (
        size_notice((0.2, 0.2), Volume(np.zeros((3, 3, 1)), "yxc", (1.0, 1.0), unit="voxel")) == ""
    )


def test_several_images_are_one_warning() -> None:
    far, near = volume(np.zeros((3, 3, 1)), (2.0, 2.0)), volume(np.zeros((3, 3, 1)), (0.2, 0.2))
    with pytest.warns(JaxsegWarning, match=r"trained on 0\.2 x 0\.2 µm.*and 1 more images") as said:
        warn_of_sizes((0.2, 0.2), [far, near, far])
    assert len(said) == 1
    warn_of_sizes((0.2, 0.2), [near])
    warn_of_sizes((), [far])
