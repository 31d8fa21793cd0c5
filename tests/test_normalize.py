"""Statistics are exact, streamed, stored as plain numbers, and never turn into NaN."""

from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import jaxseg.normalize as module
from jaxseg.config import Normalize
from jaxseg.config.option import problems
from jaxseg.errors import InputError, JaxsegWarning
from jaxseg.normalize import Stats, apply, fit, fit_each, measure_moments
from jaxseg.percentiles import measure_percentiles
from jaxseg.volume import Volume

DTYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float16", "float32")


def volume(array: np.ndarray) -> Volume:
    return Volume(array, "zyxc"[-array.ndim :], (1.0,) * (array.ndim - 1), "name", "file.tif")


def random_image(dtype: str, shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Values of both signs where the type has them, with outliers and ties."""
    rng = np.random.default_rng(seed)
    values = np.round(rng.normal(30, 20, shape), 1)
    values.flat[:: 1 + values.size // 3] = 100
    return np.clip(values, 0 if dtype.startswith("u") else -100, 120).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@given(st.integers(1, 12), st.integers(0, 10), st.tuples(st.floats(0, 50), st.floats(51, 100)))
def test_percentiles_are_those_of_numpy(
    dtype: str, length: int, seed: int, percentiles: tuple[float, float]
) -> None:
    image = random_image(dtype, (length, 3, 2), seed)
    found = measure_percentiles([volume(image)], percentiles)
    expected = np.percentile(image.reshape(-1, 2).astype(np.float64), percentiles, axis=0)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_percentiles_of_several_volumes_and_types() -> None:
    images = [random_image(dtype, (9, 8, 1), seed) for seed, dtype in enumerate(DTYPES)]
    found = measure_percentiles([volume(image) for image in images], (1, 99))
    together = np.concatenate([image.astype(np.float64).ravel() for image in images])
    np.testing.assert_allclose(found[:, 0], np.percentile(together, (1, 99)), rtol=1e-6)


def test_outliers_do_not_spoil_the_precision() -> None:
    image = np.random.default_rng(0).random((50, 50, 1), np.float32)
    image[0, 0] = 1e30
    found = measure_percentiles([volume(image)], (1, 99))[:, 0]
    np.testing.assert_allclose(found, np.percentile(image.astype(float), (1, 99)), rtol=1e-7)


@pytest.mark.parametrize("dtype", DTYPES)
def test_streaming_changes_nothing(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    image = random_image(dtype, (13, 11, 10, 2))
    for method in ("percentile", "zscore", "range"):
        whole = fit(volume(image), method=method)
        with monkeypatch.context() as patch:
            patch.setattr(module, "HELD_BYTES", 0)
            patch.setattr(Volume.slabs, "__defaults__", (120,))
            assert len(list(volume(image).slabs())) > 10
            streamed = fit(volume(image), method=method)
        np.testing.assert_allclose(streamed[:2], whole[:2], rtol=1e-12)


def test_moments() -> None:
    image = random_image("float32", (20, 30, 3))
    moments = measure_moments([volume(image[:7]), volume(image[7:])])
    flat = image.reshape(-1, 3).astype(np.float64)
    np.testing.assert_allclose(moments.mean, flat.mean(0))
    np.testing.assert_allclose(moments.deviation, flat.std(0))
    np.testing.assert_array_equal(moments.high, flat.max(0))


@pytest.mark.parametrize("dtype", DTYPES)
def test_methods(dtype: str) -> None:
    image = random_image(dtype, (40, 50, 2))
    scaled = apply(image, fit(volume(image), percentiles=(5, 95)))
    assert scaled.dtype == np.float32
    flat = scaled.reshape(-1, 2)
    np.testing.assert_allclose(np.percentile(flat, 5, axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(np.percentile(flat, 95, axis=0), 1, atol=1e-3)
    assert flat.max() > 1  # not clipped
    flat = apply(image, fit(volume(image), method="zscore")).reshape(-1, 2)
    np.testing.assert_allclose(flat.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(flat.std(0), 1, atol=1e-4)
    unchanged = apply(image, fit(volume(image), method="none"))
    np.testing.assert_array_equal(unchanged, image.astype(np.float32))


def test_dtype_uses_the_type_not_the_values() -> None:
    image = np.full((4, 4, 1), 101, np.uint16)
    np.testing.assert_allclose(apply(image, fit(volume(image), method="dtype")), 101 / 65535)


@pytest.mark.parametrize(("largest", "bound"), [(0.9, 1), (1.5, 255), (300.0, 65535)])
def test_floating_point_is_divided_by_the_range_that_holds_it(largest: float, bound: int) -> None:
    image = np.full((4, 4, 1), largest, np.float32)
    np.testing.assert_allclose(apply(image, fit(volume(image), method="dtype")), largest / bound)
    with pytest.raises(InputError, match="up to 65535"):
        fit(volume(image * 1e5), method="dtype")
    with pytest.raises(InputError, match="one type"):
        fit([volume(image), volume(image.astype(np.uint16))], method="dtype")


def test_range_is_from_the_smallest_to_the_largest_value() -> None:
    image = random_image("int16", (9, 9, 2))
    found = apply(image, fit(volume(image), method="range"))
    np.testing.assert_allclose([found.min((0, 1)), found.max((0, 1))], [[0, 0], [1, 1]], atol=1e-6)
    both = fit(volume(image), percentiles=(0, 100))
    np.testing.assert_allclose(found, apply(image, both), atol=1e-6)


@pytest.mark.parametrize("method", ["percentile", "zscore", "range", "dtype", "none"])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_clipping_comes_first(method: str, dtype: str) -> None:
    """As if the image had been clipped by hand, in what is measured and in what is scaled."""
    image = random_image(dtype, (40, 30, 2))
    stats = fit(volume(image), method=method, clip=(5.0, 90.0))  # type: ignore[arg-type]
    low, high = np.percentile(image.astype(float), (5, 90), axis=(0, 1))
    np.testing.assert_allclose([stats.low, stats.high], [low, high])
    by_hand = np.clip(image.astype(float), low, high)
    if method == "dtype":
        expected = by_hand / 255
    else:
        expected = apply(by_hand, fit(volume(by_hand), method=method))  # type: ignore[arg-type]
    np.testing.assert_allclose(apply(image, stats), expected, atol=1e-5)
    # New images are clipped at the same values.
    np.testing.assert_allclose(
        apply(np.full((1, 2), 1e4), stats), apply(np.array([high]), stats), rtol=1e-6
    )
    assert Stats(*map(tuple, json.loads(json.dumps(stats)))) == stats


def test_given_mean_and_deviation() -> None:
    image = random_image("uint16", (9, 9, 2))
    one = fit(volume(image), method="zscore", mean=(10.0,), deviation=(4.0,))
    np.testing.assert_allclose(apply(image, one), (image - 10.0) / 4, rtol=1e-5)
    each = fit(volume(image), method="zscore", mean=(10.0, 20.0), deviation=(4.0, 5.0))
    np.testing.assert_allclose(apply(image, each), (image - [10.0, 20]) / [4, 5], rtol=1e-5)
    with pytest.raises(InputError, match="another number of channels"):
        fit(volume(image), method="zscore", mean=(1.0, 2.0, 3.0))


def test_small_differences_of_large_numbers_survive() -> None:
    for dtype in ("uint32", "float64"):
        image = (np.arange(100).reshape(10, 10, 1) + 2**31).astype(dtype)
        scaled = apply(image, fit(volume(image), method="zscore"))
        assert len(np.unique(scaled)) == 100


@pytest.mark.parametrize("method", ["percentile", "zscore", "none", "dtype"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_is_refused_with_its_number(method: str, bad: float) -> None:
    image = np.ones((8, 8, 1), np.float32)
    image[2:4, 5] = bad
    with pytest.raises(InputError, match=r"file\.tif: 2 values are NaN or infinite"):
        fit(volume(image), method=method)  # type: ignore[arg-type]


def test_beyond_float32_is_refused() -> None:
    with pytest.raises(InputError, match="1 values"):
        fit(volume(np.array([[[1e300], [0.0]]])))


@pytest.mark.parametrize("method", ["percentile", "zscore"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("value", [0, 7])
def test_constant_images_become_zero_with_one_warning(method: str, dtype: str, value: int) -> None:
    image = np.full((5, 6, 1), value, dtype)
    with pytest.warns(JaxsegWarning, match=r"file\.tif: constant image") as caught:
        stats = fit(volume(image), method=method)  # type: ignore[arg-type]
    assert len(caught) == 1
    np.testing.assert_array_equal(apply(image, stats), np.zeros((5, 6, 1), np.float32))


def test_one_constant_channel_leaves_the_others() -> None:
    image = random_image("uint8", (9, 9, 2))
    image[..., 1] = 3
    with pytest.warns(JaxsegWarning, match=r"channel \[1\]"):
        stats = fit(volume(image))
    assert apply(image, stats)[..., 0].std() > 0
    assert not apply(image, stats)[..., 1].any()


def test_a_sparse_image_is_not_lost() -> None:
    image = np.zeros((100, 100, 1), np.uint16)
    image[50, 50] = 1000
    with pytest.warns(JaxsegWarning, match="coincide"):
        stats = fit(volume(image))
    assert apply(image, stats).max() == 1


def test_one_voxel() -> None:
    with pytest.warns(JaxsegWarning):
        assert np.isfinite(fit(volume(np.ones((1, 1, 1), np.uint8)))[:2]).all()


def test_stats_survive_json() -> None:
    stats = fit(volume(random_image("float32", (9, 9, 3))))
    assert Stats(*map(tuple, json.loads(json.dumps(stats)))) == stats


def test_channels_must_agree() -> None:
    two = volume(np.ones((3, 3, 2), np.uint8))
    with pytest.raises(InputError, match="number of channels"):
        fit([volume(np.ones((3, 3, 1), np.uint8)), two])
    with pytest.raises(InputError, match="number of channels"):
        apply(two.array(), Stats((0.0,), (1.0,)))


def test_the_image_is_not_modified() -> None:
    image = random_image("float32", (6, 6, 1))
    image.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        apply(image, fit(volume(image)))


@pytest.mark.parametrize("method", ["percentile", "zscore", "range"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_arrays_that_are_scaled_by_themselves(method: str, dtype: str) -> None:
    """As if a scaling had been fitted to each of them."""
    image = random_image(dtype, (40, 30, 2))
    options: dict[str, Any] = {"method": method, "clip": (5.0, 90.0)}
    stats = fit_each(volume(image), **options)
    assert Stats(*map(tuple, json.loads(json.dumps(stats)))) == stats
    for part in (image[:10, 3:20], image[20:], image[:, :1]):
        expected = apply(part, fit(volume(part), **options))
        np.testing.assert_allclose(apply(part, stats), expected, atol=2e-4)
    assert not apply(np.full((3, 3, 2), 9), stats).any()


def test_clipping_at_values() -> None:
    image = random_image("uint8", (20, 30, 2))
    options: dict[str, Any] = {"clip_low": (20.0,), "clip_high": (90.0, 120.0)}
    by_hand = np.clip(image.astype(float), 20, [90, 120])
    stats = fit(volume(image), method="zscore", **options)
    expected = apply(by_hand, fit(volume(by_hand), method="zscore"))
    np.testing.assert_allclose(apply(image, stats), expected, atol=1e-5)
    each = fit_each(volume(image), method="range", **options)
    expected = apply(by_hand[:5], fit(volume(by_hand[:5]), method="range"))
    np.testing.assert_allclose(apply(image[:5], each), expected, atol=1e-5)
    with pytest.raises(InputError, match="another number of channels"):
        fit(volume(image), clip_low=(1.0, 2.0, 3.0), clip_high=(4.0, 5.0, 6.0))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"scope": "patch", "method": "dtype"}, "nothing is measured in a patch"),
        ({"scope": "patch", "method": "zscore", "mean": (1.0,), "deviation": (1.0,)}, "nothing is"),
        ({"clip_low": (1.0,)}, "must both be given"),
        ({"clip_low": (5.0,), "clip_high": (4.0,)}, "not below"),
        ({"clip_low": (1.0,), "clip_high": (4.0,), "clip": (1.0, 99.0)}, "values and percentiles"),
    ],
)
def test_options_that_exclude_each_other(options: dict[str, Any], words: str) -> None:
    (problem,) = problems(Normalize(**options), "normalize")
    assert words in str(problem)
