"""Intensities, filters, noise and regions, against SciPy and scikit-image where they have them."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage
from skimage import color, exposure, transform

from jaxseg import augment
from jaxseg.augment.blurs import correlated, line
from jaxseg.augment.regions import block_means, inside, random_boxes

KEYS = jax.random.split(jax.random.key(5), 32)


def once(change: Any, *given: Any, **options: Any) -> Any:
    """What a change makes of a patch, as one program instead of one for every operation."""
    return jax.jit(functools.partial(change, **options))(*given)


def for_each(change: Any, keys: Any = KEYS) -> Any:
    """What a change makes with every key."""
    return jax.jit(jax.vmap(change))(keys)


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(0).uniform(0.1, 0.9, (3, 16, 20, 3)).astype(np.float32)


def test_ranges_need_not_be_symmetric() -> None:
    flat = np.full((2, 2, 1), 0.5, np.float32)
    shift = for_each(lambda key: augment.random_brightness(key, flat, limit=(0.1, 0.15)))
    assert 0.6 <= shift.min() < 0.61 < 0.64 < shift.max() <= 0.65001
    power = for_each(lambda key: augment.random_gamma(key, flat, limit=(1.25, 1.75)))
    exponents = np.log(power) / np.log(0.5)
    assert 1.249 <= exponents.min() < 1.3 < 1.7 < exponents.max() <= 1.751
    ramp = np.linspace(-1, 1, 9, dtype=np.float32).reshape(3, 3, 1)
    factor = for_each(lambda key: augment.random_contrast(key, ramp, limit=(0.2, 0.4)))
    assert 1.2 <= factor[:, 2, 2].min() < factor[:, 2, 2].max() <= 1.4001


def test_gamma_and_gray_equal_scikit_image(image: np.ndarray) -> None:
    found = once(augment.random_gamma, KEYS[0], image, limit=(1.5, 1.5))
    np.testing.assert_allclose(found, exposure.adjust_gamma(image, 1.5), atol=1e-5)
    gray = once(augment.random_grayscale, KEYS[0], image)
    for channel in range(3):
        np.testing.assert_allclose(gray[..., channel], color.rgb2gray(image), atol=1e-5)
    pair = once(augment.random_grayscale, KEYS[0], image[..., :2])
    np.testing.assert_allclose(pair[..., 0], image[..., :2].mean(-1), atol=1e-6)


def test_changes_by_slice(image: np.ndarray) -> None:
    found = once(augment.random_brightness, KEYS[0], image, limit=0.3, by="slice") - image
    np.testing.assert_allclose(np.ptp(found, axis=(1, 2)), 0, atol=1e-6)
    assert len(np.unique(np.round(found[:, 0, 0], 5))) == 9
    found = np.asarray(once(augment.random_contrast, KEYS[0], image, limit=0.3, by="slice"))
    means = image.mean((1, 2), keepdims=True)
    np.testing.assert_allclose(found.mean((1, 2), keepdims=True), means, atol=1e-5)
    factors = ((found - means) / (image - means))[:, 3, 4]
    assert len(np.unique(np.round(factors, 4))) == 9


def test_channels_in_another_order(image: np.ndarray) -> None:
    orders = set()
    for found in for_each(lambda key: augment.random_channel_order(key, image)):
        order = tuple(
            int(np.argmin([abs(found[..., a] - image[..., b]).max() for b in range(3)]))
            for a in range(3)
        )
        np.testing.assert_array_equal(found, image[..., list(order)])
        orders.add(order)
    assert len(orders) == 6


@pytest.mark.parametrize("size", [3, 5])
def test_median_equals_scipy(image: np.ndarray, size: int) -> None:
    expected = ndimage.median_filter(image, (1, size, size, 1), mode="mirror")
    for limits in ((size, size), (3, 5)):
        found = for_each(lambda key: augment.random_median_blur(key, image, size=limits), KEYS[:6])  # noqa: B023
        equal = [np.array_equal(one, expected) for one in found]
        assert any(equal)
        assert all(equal) == (limits[0] == limits[1])
    flat = once(augment.random_median_blur, KEYS[0], image[0], size=(size, size))
    np.testing.assert_array_equal(flat, expected[0])


def test_motion_blur_is_the_mean_along_a_line(image: np.ndarray) -> None:
    straight = line(jnp.array(5), jnp.array(0.0), longest=7)
    np.testing.assert_allclose(straight[3], [0, 0.2, 0.2, 0.2, 0.2, 0.2, 0], atol=1e-6)
    upright = line(jnp.array(5), jnp.array(np.pi / 2), longest=7)
    np.testing.assert_allclose(upright, straight.T, atol=1e-6)
    kernel = line(jnp.array(6), jnp.array(0.7), longest=7)
    np.testing.assert_allclose(kernel.sum(), 1, atol=1e-6)
    np.testing.assert_allclose(kernel, kernel[::-1, ::-1], atol=1e-6)
    expected = ndimage.correlate(image, np.asarray(kernel)[None, :, :, None], mode="mirror")
    np.testing.assert_allclose(correlated(image, kernel), expected, atol=1e-5)
    found = once(augment.random_motion_blur, KEYS[0], image, size=(4, 7))
    assert found.std() < image.std()


def test_noise_with_mean_and_in_units_of_the_patch() -> None:
    flat = np.zeros((64, 64, 1), np.float32)
    found = once(augment.random_noise, KEYS[0], flat, limit=(0.1, 0.1), mean=0.5)
    np.testing.assert_allclose([found.mean(), found.std()], [0.5, 0.1], rtol=0.05)
    ramp = np.linspace(0, 20, 64 * 64, dtype=np.float32).reshape(64, 64, 1)
    added = once(augment.random_noise, KEYS[0], ramp, limit=(0.1, 0.1), relative=True) - ramp
    np.testing.assert_allclose(added.std(), 0.1 * ramp.std(), rtol=0.05)


def test_shot_noise_has_the_variance_of_counts() -> None:
    values = np.array([0.2, 1.0, -0.5], np.float32)
    flat = np.tile(values, (80, 80, 1))
    noisy = jax.jit(lambda key: augment.random_poisson(key, flat, peak=(50.0, 50.0)))
    found = np.asarray(noisy(KEYS[0]))
    np.testing.assert_allclose(found.mean((0, 1)), values, rtol=0.02)
    np.testing.assert_allclose(found.var((0, 1)), np.maximum(values, 0) / 50, rtol=0.1)
    np.testing.assert_array_equal(found[..., 2], -0.5)


def test_salt_and_pepper_have_the_share_they_say(image: np.ndarray) -> None:
    big = np.tile(image[:1], (1, 8, 8, 1))
    low, high = image[0].min((0, 1)), image[0].max((0, 1))
    salt = np.asarray(once(augment.random_salt, KEYS[0], big, amount=(0.1, 0.1)))
    pepper = np.asarray(once(augment.random_pepper, KEYS[0], big, amount=(0.1, 0.1)))
    both = np.asarray(
        once(augment.random_salt_and_pepper, KEYS[0], big, amount=(0.1, 0.1), salt=0.3)
    )
    for found, bright, dark in ((salt, 0.1, 0), (pepper, 0, 0.1), (both, 0.03, 0.07)):
        new = found != big
        np.testing.assert_allclose(((found == high) & new).mean(), bright, atol=0.005)
        np.testing.assert_allclose(((found == low) & new).mean(), dark, atol=0.005)
        assert (found == big)[~new].all()


def test_dropped_voxels_are_dropped_in_all_channels(image: np.ndarray) -> None:
    big = np.tile(image, (1, 4, 4, 1))
    lost = np.asarray(once(augment.random_dropout, KEYS[0], big, share=(0.2, 0.2))) == 0
    np.testing.assert_allclose(lost.mean(), 0.2, atol=0.01)
    np.testing.assert_array_equal(lost.all(-1), lost.any(-1))


def test_boxes_lie_in_the_patch_and_have_the_sides_they_say() -> None:
    boxes = np.asarray(for_each(lambda key: random_boxes(key, 2, count=(1, 3), side=(0.2, 0.4))))
    sides = boxes[:, :, 1] - boxes[:, :, 0]
    used = sides.min(-1) > 0
    assert set(used.sum(1).tolist()) == {1, 2, 3}
    assert (boxes >= 0).all()
    assert (boxes <= 1).all()
    assert 0.2 <= sides[used].min() < 0.22 < 0.38 < sides[used].max() <= 0.4001
    covered = inside(jnp.asarray(boxes[0]), (40, 50))
    assert 0.02 < covered.mean() < 0.5


def test_cut_out_boxes(image: np.ndarray) -> None:
    labels = {"ids": np.ones((3, 16, 20), np.int32), "fine": np.ones((3, 32, 40), np.int32)}
    options = {"boxes": (1, 1), "side": (0.3, 0.5), "value": 7.0}
    found, same = augment.random_cutout(KEYS[0], image, labels, **options)
    assert same is labels
    _, blank = once(augment.random_cutout, KEYS[0], image, labels, truth=True, **options)
    cut = np.asarray(found == 7).all(-1)
    np.testing.assert_array_equal(np.asarray(blank["ids"]) == 0, cut)
    np.testing.assert_array_equal(np.asarray(found)[~cut], image[~cut])
    assert 0 < cut.mean() < 0.2
    np.testing.assert_allclose((np.asarray(blank["fine"]) == 0).mean(), cut.mean(), atol=0.03)


def test_coarse_boxes(image: np.ndarray) -> None:
    coarse = jnp.asarray(image)
    for axis in (1, 2):
        coarse = block_means(coarse, jnp.array(4), axis=axis)
    expected = transform.downscale_local_mean(image, (1, 4, 4, 1))
    expected = expected.repeat(4, 1).repeat(4, 2)
    np.testing.assert_allclose(coarse, expected, atol=1e-5)
    ragged = block_means(jnp.arange(5.0), jnp.array(3), axis=0)
    np.testing.assert_allclose(ragged, [1, 1, 1, 3.5, 3.5])
    found = once(augment.random_cutblur, KEYS[0], image, side=(0.5, 0.5), down=(4, 4))
    changed = np.asarray(found != image).any(-1)
    np.testing.assert_allclose(np.asarray(found)[changed], expected[changed], atol=1e-5)
    # A box of half of every side, of 3 planes one or two.
    assert 0.05 < changed.mean() < 0.2

    @jax.jit
    @jax.vmap
    def either(key: jax.Array) -> jax.Array:
        options = {"side": (0.5, 0.5), "down": (4, 4), "inside_only": False}
        return (augment.random_cutblur(key, image, **options) != image).mean()

    other = either(KEYS[:8])
    assert min(other) < 0.2 < 0.7 < max(other)


def test_noisy_boxes(image: np.ndarray) -> None:
    big = np.tile(image[0], (8, 8, 1))
    found = once(
        augment.random_cutnoise, KEYS[0], big, boxes=(1, 1), side=(0.5, 0.5), scale=(0.1, 0.1)
    )
    changed = np.asarray(found != big).all(-1)
    np.testing.assert_allclose(changed.mean(), 0.25, atol=0.02)
    added = np.asarray(found - big)[changed]
    np.testing.assert_allclose(added.std(), 0.1 * np.ptp(big), rtol=0.05)
    rows, columns = changed.any(1).nonzero()[0], changed.any(0).nonzero()[0]
    assert changed.sum() == len(rows) * len(columns)


def test_grid_of_masked_squares() -> None:
    flat = np.ones((80, 80, 1), np.float32)
    options = {"ratio": 0.6, "period": (0.25, 0.25)}
    straight = once(augment.random_grid_mask, KEYS[0], flat, rotate=0.0, **options)[..., 0]
    np.testing.assert_array_equal(straight[:-20], straight[20:])
    np.testing.assert_array_equal(straight[:, :-20], straight[:, 20:])
    hidden = np.asarray(straight == 0)
    assert hidden.sum() == (80 * 0.4) ** 2
    turned = once(augment.random_grid_mask, KEYS[0], flat, **options)
    np.testing.assert_allclose((turned == 0).mean(), 0.16, atol=0.03)
    inverse = once(augment.random_grid_mask, KEYS[0], flat, rotate=0.0, invert=True, **options)[
        ..., 0
    ]
    np.testing.assert_array_equal(np.asarray(inverse == 0), ~hidden)


def test_lost_planes(image: np.ndarray) -> None:
    tall = np.tile(image, (4, 1, 1, 1))
    found = for_each(lambda key: augment.random_missing_sections(key, tall, sections=(2, 4)))
    lost = np.asarray(found == 0).all((2, 3, 4))
    assert set(lost.sum(1).tolist()) == {2, 3, 4}
    np.testing.assert_array_equal(
        np.asarray(found)[~lost], np.broadcast_to(tall, found.shape)[~lost]
    )
    each = once(
        augment.random_missing_sections, KEYS[0], tall, sections=(9, 9), channel_probability=0.5
    )
    share = np.asarray(each == 0).all((1, 2))
    assert (share.sum(1) > 0).sum() <= 9
    assert 0.2 < share.sum() / 27 < 0.8
    one = once(augment.random_missing_sections, KEYS[0], tall[:1], sections=(2, 4))
    np.testing.assert_array_equal(one, tall[:1])
