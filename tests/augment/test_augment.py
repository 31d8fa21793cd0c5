"""Random changes of a patch: what moves together, what stays, and what is off."""

from __future__ import annotations

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from jaxseg import symmetry
from jaxseg.augment import (
    random_augment,
    random_blur,
    random_brightness,
    random_contrast,
    random_gamma,
    random_noise,
    random_orientation,
    random_rotation_zoom,
)
from jaxseg.augment.resample import Affine, places
from jaxseg.config import Augment, Blur, Brightness, Rotate, Zoom

DEFAULT = ("flip_z", "flip_y", "flip_x", "rot90", "brightness", "contrast", "gamma", "noise")
OFF = Augment().without(*DEFAULT)
ON = Augment(rotate=Rotate(degrees=(-30.0, 30.0)), zoom=Zoom(), blur=Blur())
KEYS = jax.random.split(jax.random.key(0), 64)
INTENSITIES = (
    (random_brightness, 0.2),
    (random_contrast, 0.3),
    (random_gamma, 1.5),
    (random_noise, 0.1),
    (random_blur, 1.5),
)


def patch(*shape: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels with ids of their own, and an image that shows them in its first channel."""
    labels = np.arange(np.prod(shape), dtype=np.int32).reshape(shape)
    return np.stack([labels, -labels], axis=-1).astype(np.float32), labels


def outcomes(image: np.ndarray, labels: np.ndarray, **options: bool) -> set[bytes]:
    """All that random keys make of the labels; the image is moved with them."""
    change = jax.jit(jax.vmap(lambda key: random_orientation(key, image, labels, **options)))
    images, found = jax.device_get(change(KEYS))
    np.testing.assert_array_equal(images[..., 0], found)
    np.testing.assert_array_equal(images[..., 1], -found)
    return {one.tobytes() for one in found}


def turned(labels: np.ndarray, ways: list[symmetry.Orientation]) -> set[bytes]:
    return {np.ascontiguousarray(symmetry.turn(labels, way)).tobytes() for way in ways}


@pytest.mark.parametrize("shape", [(4, 4), (2, 3, 3)])
def test_mirrors_and_turns_are_the_whole_group(shape: tuple[int, ...]) -> None:
    image, labels = patch(*shape)
    full, flips = (symmetry.orientations(len(shape), group) for group in ("full", "flips"))
    assert outcomes(image, labels) == turned(labels, list(full))
    assert outcomes(image, labels, quarter_turns=False) == turned(labels, list(flips))
    # A turn without a mirror image: an even number of exchanges and mirrored axes.
    even = [way for way in full if (way.transposes + sum(way.flips)) % 2 == 0]
    even = [way for way in even if not any(way.flips[:-2])]
    assert outcomes(image, labels, flips=False) == turned(labels, even)


def test_only_square_patches_are_turned_by_90_degrees() -> None:
    image, labels = patch(3, 4)
    assert outcomes(image, labels) == turned(labels, list(symmetry.orientations(2, "flips")))
    half = [symmetry.Orientation((0, 1), (flip, flip)) for flip in (False, True)]
    assert outcomes(image, labels, flips=False) == turned(labels, half)


@pytest.mark.parametrize("shape", [(21, 16), (3, 16, 21)])
def test_rotation_and_zoom_equal_scipy(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(1)
    image = rng.normal(size=(*shape, 2)).astype(np.float32)
    labels = rng.integers(0, 9, shape, dtype=np.int32)
    change = jax.jit(lambda key: random_rotation_zoom(key, image, labels, degrees=180.0, zoom=2.0))
    for key in KEYS[:3]:
        angle_key, zoom_key = jax.random.split(key)
        angle = float(jax.random.uniform(angle_key, minval=-1, maxval=1)) * np.pi
        scale = 2 ** float(jax.random.uniform(zoom_key, minval=-1, maxval=1))
        centre = (np.array(shape[-2:]) - 1) / 2
        places = np.indices(shape[-2:]) - centre[:, None, None]
        cos, sin = np.cos(angle), np.sin(angle)
        source = np.einsum("ij,jyx->iyx", [[cos, sin], [-sin, cos]], places) / scale
        source += centre[:, None, None]
        new_image, new_labels = change(key)
        flat = labels.reshape(-1, *shape[-2:])
        for plane, new in zip(flat, np.reshape(new_labels, flat.shape), strict=True):
            expected = ndimage.map_coordinates(plane, source, order=0, mode="mirror")
            # Half-way between two voxels rounding decides.
            assert (new != expected).mean() < 0.01
        planes = image.reshape(-1, *shape[-2:], 2)
        for plane, new in zip(planes, np.reshape(new_image, planes.shape), strict=True):
            expected = ndimage.map_coordinates(plane[..., 0], source, order=1, mode="mirror")
            np.testing.assert_allclose(new[..., 0], expected, atol=1e-3)


def test_no_rotation_and_no_zoom_change_nothing() -> None:
    image, labels = patch(5, 6)
    found = jax.jit(random_rotation_zoom)(KEYS[0], image, labels)
    np.testing.assert_allclose(found[0], image, atol=1e-4)
    np.testing.assert_array_equal(found[1], labels)
    at = places(Affine(2 * jnp.eye(3)), None, (1, 1), (1, 1))
    np.testing.assert_array_equal([at.y, at.x], 0)


def test_ids_never_mix_and_need_not_fit_a_float() -> None:
    rng = np.random.default_rng(2)
    labels = rng.choice(np.array([0, 2**24 + 1, 2**31 - 1], np.int32), (16, 16))
    image = np.zeros((16, 16, 1), np.float32)
    change = jax.jit(jax.vmap(lambda key: random_augment(key, image, labels, settings=ON)))
    assert set(np.unique(change(KEYS[:8])[1])) <= set(np.unique(labels))


@pytest.mark.parametrize("shape", [(12, 12), (2, 8, 9)])
def test_a_sample_does_not_depend_on_its_batch(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(3)
    images = rng.uniform(0, 1, (4, *shape, 1)).astype(np.float32)
    labels = rng.integers(0, 5, (4, *shape), dtype=np.int32)
    change = jax.jit(
        jax.vmap(lambda key, image, labels: random_augment(key, image, labels, settings=ON))
    )
    whole = change(KEYS[:4], images, labels)
    assert (whole[0].shape, whole[1].shape) == (images.shape, labels.shape)
    assert (whole[0].dtype, whole[1].dtype) == (images.dtype, labels.dtype)
    order = np.array([2, 0, 3, 1])
    mixed = change(KEYS[order], images[order], labels[order])
    for index in range(2):
        np.testing.assert_allclose(mixed[index], whole[index][order], atol=1e-6)
    again = change(KEYS[4:8], images, labels)
    assert (np.asarray(again[0]) != whole[0]).any()


def test_all_off_is_nothing_at_all() -> None:
    image, labels = (jnp.asarray(array) for array in patch(4, 5))
    found = random_augment(KEYS[0], image, labels, settings=OFF)
    assert found[0] is image
    assert found[1] is labels
    # One number to add: nothing is drawn per voxel, moved or filtered.
    settings = dataclasses.replace(OFF, brightness=Brightness(probability=1.0))
    program = jax.make_jaxpr(lambda key: random_augment(key, image, labels, settings=settings)[0])
    touched = [step for step in program(KEYS[0]).eqns if step.outvars[0].aval.shape == image.shape]
    assert [str(step.primitive) for step in touched] == ["add"]


@pytest.mark.parametrize(("change", "limit"), INTENSITIES)
def test_intensities_keep_type_and_stay_finite(change, limit: float) -> None:
    many = jax.jit(jax.vmap(lambda key, image: change(key, image, limit=limit), (0, None)))
    ramp = np.linspace(-3, 3, 84, dtype=np.float32).reshape(6, 7, 2)
    for image in (ramp, np.zeros_like(ramp), np.full_like(ramp, 0.5)):
        found = many(KEYS, image)
        assert found.dtype == np.float32
        assert np.isfinite(found).all()
        # Whatever is the same before is the same after, but for noise.
        spread = np.ptp(np.asarray(found).reshape(-1, 42, 2), axis=1).max()
        assert change is random_noise or image is ramp or spread < 1e-5
    low = jax.eval_shape(many, KEYS, ramp.astype(jnp.bfloat16))
    assert low.dtype == jnp.bfloat16


def test_limits_are_kept_and_used() -> None:
    image = np.linspace(-1, 1, 9, dtype=np.float32).reshape(3, 3, 1)

    def all_of(change, limit: float) -> np.ndarray:
        return np.asarray(jax.jit(jax.vmap(lambda key: change(key, image, limit=limit)))(KEYS))

    shift = (all_of(random_brightness, 0.2) - image)[:, 0, 0, 0]
    assert -0.2 <= shift.min() < -0.15 < 0.15 < shift.max() <= 0.2
    factor = all_of(random_contrast, 0.3)[:, 2, 2, 0]
    assert 0.7 <= factor.min() < 0.75 < 1.25 < factor.max() <= 1.3
    power = np.log(all_of(random_gamma, 2.0)[:, 2, 0, 0]) / np.log(image[2, 0, 0])
    assert 0.5 <= power.min() < 0.6 < 1.7 < power.max() <= 2.001
    signs = np.sign(all_of(random_gamma, 2.0))
    np.testing.assert_array_equal(signs, np.broadcast_to(np.sign(image), signs.shape))


def test_noise_has_the_deviation_it_says() -> None:
    image = np.zeros((64, 64, 1), np.float32)
    noise = jax.jit(jax.vmap(lambda key: random_noise(key, image, limit=0.1)))(KEYS)
    deviation = np.std(noise, axis=(1, 2, 3))
    assert 0 <= deviation.min() < 0.01 < 0.09 < deviation.max() <= 0.102
    assert abs(np.mean(noise)) < 1e-3


def test_blur_is_the_gaussian() -> None:
    image = np.zeros((2, 21, 21, 1), np.float32)
    image[0, 10, 10] = 1
    deviation = float(jax.random.uniform(KEYS[1], maxval=2.0))
    expected = ndimage.gaussian_filter(image, (0, deviation, deviation, 0), radius=(0, 6, 6, 0))
    found = jax.jit(functools.partial(random_blur, limit=2.0))(KEYS[1], image)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_channels_of_an_image_change_on_their_own() -> None:
    image = np.full((2, 2, 3), 0.5, np.float32)
    for change in (random_brightness, random_gamma):
        assert len(set(change(KEYS[0], image, limit=1.5)[0, 0].tolist())) == 3
