"""Steps before the scaling of intensities, each against scikit-image or SciPy."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from scipy import ndimage
from skimage import exposure, feature

from jaxseg import data
from jaxseg.config import Canny, Clahe, Preprocess, Source
from jaxseg.data.preprocess import preprocess, preprocessed, reference_of, resized
from jaxseg.errors import InputError
from jaxseg.volume import Volume


def made(shape: tuple[int, ...], dtype: str = "uint8", channels: int = 1) -> np.ndarray:
    rng = np.random.default_rng(0)
    smooth = ndimage.gaussian_filter(rng.random((*shape, channels)), (*[2.0] * len(shape), 0))
    smooth = (smooth - smooth.min()) / np.ptp(smooth)
    return (smooth * (1 if dtype.startswith("f") else 200)).astype(dtype)


def volume(array: np.ndarray, channels: bool = True) -> Volume:
    ndim = array.ndim - channels
    return Volume(array, "zyx"[-ndim:] + "c" * channels, (1.0,) * ndim, "a", "a.tif")


@pytest.mark.parametrize("shape", [(30, 40), (6, 30, 40)])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_filters_equal_scipy(shape: tuple[int, ...], dtype: str) -> None:
    image = made(shape, dtype, 2)
    found = preprocess(image, Preprocess(gaussian=(1.5,)))
    expected = ndimage.gaussian_filter(
        image.astype(float), (*[1.5] * len(shape), 0), mode="nearest"
    )
    np.testing.assert_allclose(found, expected, atol=0.51 if dtype == "uint8" else 1e-6)
    assert found.dtype == image.dtype
    sizes = (1, 3, 5)[-len(shape) :]
    found = preprocess(image, Preprocess(median=sizes))
    np.testing.assert_array_equal(found, ndimage.median_filter(image, (*sizes, 1), mode="nearest"))


@pytest.mark.parametrize("shape", [(32, 40), (8, 32, 40)])
def test_equalisation_is_that_of_scikit_image(shape: tuple[int, ...]) -> None:
    image = made(shape, "float32", 2)
    found = preprocess(image, Preprocess(clahe=Clahe(enable=True, clip_limit=0.03)))
    for channel in range(2):
        one = image[..., channel].astype(float)
        low, high = one.min(), one.max()
        share = exposure.equalize_adapthist((one - low) / (high - low), clip_limit=0.03)
        np.testing.assert_allclose(found[..., channel], share * (high - low) + low, atol=1e-5)
    flat = np.full((*shape, 1), 7, np.uint8)
    np.testing.assert_array_equal(preprocess(flat, Preprocess(clahe=Clahe(enable=True))), flat)


@pytest.mark.parametrize("shape", [(40, 50), (3, 40, 50)])
def test_edges_are_those_of_scikit_image(shape: tuple[int, ...]) -> None:
    image = made(shape)
    options = Canny(enable=True, sigma=1.5, low=2.0, high=5.0)
    found = preprocess(image, Preprocess(canny=options))
    assert (found.dtype, found.shape) == (np.uint8, (*shape, 1))
    planes = image.reshape(-1, *shape[-2:]).astype(float)
    expected = [feature.canny(one, 1.5, low_threshold=2, high_threshold=5) for one in planes]
    np.testing.assert_array_equal(found.reshape(planes.shape) == 255, expected)
    assert 0 < (found > 0).mean() < 0.5
    colours = preprocess(made(shape, channels=3), Preprocess(canny=options))
    assert colours.shape == (*shape, 1)


def test_histogram_becomes_that_of_the_reference() -> None:
    image, other = made((40, 50), channels=2), made((20, 30), channels=2) // 2 + 100
    found = preprocess(
        image, Preprocess(match_histogram="x"), reference=reference_of([volume(other)])
    )
    expected = exposure.match_histograms(image, other, channel_axis=-1)
    np.testing.assert_allclose(found, expected, atol=0.51)
    with pytest.raises(InputError, match="another number of channels"):
        preprocess(image, Preprocess(), reference=np.zeros((5, 1)))


@pytest.mark.parametrize("shape", [(20, 30), (4, 20, 30)])
def test_size_of_image_and_labels(shape: tuple[int, ...]) -> None:
    labels = np.kron(np.arange(6).reshape(2, 3), np.ones((10, 10))).astype(np.uint64) + 2**60
    labels = np.broadcast_to(labels, shape).copy()
    new = (*shape[:-2], 10, 60)
    found = resized(volume(labels, channels=False), new)
    assert found.shape == new
    np.testing.assert_array_equal(found.array(), labels[..., ::2, :].repeat(2, -1))
    assert found.spacing[-2:] == (2.0, 0.5)
    image = labels[..., None] - np.uint64(2**60)
    bigger = preprocessed(volume(image.astype(np.uint8)), Preprocess(resize=new))
    assert (bigger.shape, bigger.dtype) == ((*new, 1), np.uint8)
    inner = np.abs(bigger.array()[..., 0] - (found.array() - 2**60).astype(float))
    assert (inner > 0).mean() < 0.25
    with pytest.raises(InputError, match="each axis"):
        resized(volume(labels, channels=False), (5,) * (len(shape) + 1))


def test_nothing_to_do_leaves_the_volume() -> None:
    one = volume(made((8, 8)))
    assert preprocessed(one, Preprocess()) is one
    assert not Preprocess().any
    for step in ({"resize": (4, 4)}, {"median": (3,)}, {"clahe": Clahe(enable=True)}):
        assert replace(Preprocess(), **step).any


def test_opened_samples_are_preprocessed(tmp_path: Path) -> None:
    image, labels = made((20, 24))[..., 0], np.zeros((20, 24), np.uint8)
    labels[4:16, 4:16] = 1
    for kind, array in (("raw", image), ("labels", labels)):
        (tmp_path / kind).mkdir()
        tifffile.imwrite(tmp_path / kind / "a.tif", array)
    source = Source(raw=str(tmp_path / "raw"), labels=str(tmp_path / "labels"))
    options = Preprocess(resize=(40, 48), median=(3,))
    opened = data.open_samples(source, ndim=2, spacing=(1.0, 1.0), preprocess=options)
    assert not opened.problems
    (one,) = opened.samples
    assert one.image.spatial_shape == one.labels.spatial_shape == (40, 48)
    assert one.image.spacing == one.labels.spacing == (0.5, 0.5)
    np.testing.assert_array_equal(one.labels.array(), labels.repeat(2, 0).repeat(2, 1))
    assert one.original.spatial_shape == (20, 24)
    assert (one.labels.array()[tuple(one.index.points.T)] == 1).all()
    wrong = data.open_samples(source, ndim=2, preprocess=Preprocess(gaussian=(1.0, 1.0, 1.0)))
    assert "each axis" in str(wrong.problems[0])
