"""Affine changes and deformations: one resampling, equal to SciPy's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import jax
import numpy as np
import pytest
from scipy import ndimage

from jaxseg.augment import (
    AUGMENTATIONS,
    random_augment,
    random_deformation,
    random_misalignment,
    random_shear,
)
from jaxseg.config import (
    Augment,
    CropScale,
    Elastic,
    Misalign,
    Rot90,
    Rotate,
    Shear,
    Shift,
    Zoom,
)

OFF = Augment().without(*AUGMENTATIONS)
KEYS = jax.random.split(jax.random.key(3), 8)
SCIPY = {
    "reflect": "mirror",
    "symmetric": "reflect",
    "wrap": "grid-wrap",
    "constant": "grid-constant",
}


def patch(*shape: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.normal(size=(*shape, 2)).astype(np.float32), rng.integers(0, 99, shape, np.int32)


def changed(settings: Augment, image: Any, labels: Any, keys: Any = KEYS[:1]) -> tuple[Any, Any]:
    """The images and labels that some keys give."""

    @jax.jit
    @jax.vmap
    def change(key: jax.Array) -> tuple[Any, Any]:
        return random_augment(key, image, labels, settings=settings)

    return jax.device_get(change(keys))


@pytest.mark.parametrize(
    ("border", "shape"),
    [
        ("reflect", (5, 16, 14)),
        ("constant", (5, 16, 14)),
        ("symmetric", (16, 14)),
        ("wrap", (16, 14)),
    ],
)
def test_all_affine_changes_are_one_resampling(border: Any, shape: tuple[int, ...]) -> None:
    ndim = len(shape)
    image, labels = patch(*shape)
    settings = replace(
        OFF,
        border=border,
        rotate=Rotate(probability=1.0, degrees=(30.0, 30.0)),
        zoom=Zoom(probability=1.0, factor=(0.8, 0.8), z=True),
        shift=Shift(probability=1.0, share=(0.11, 0.11), z=True),
    )
    (found,), truth = changed(settings, image, {"labels": labels, "smooth": image[..., 1]})
    (new_labels,) = truth["labels"]
    # Truth of floating point is interpolated like the image.
    np.testing.assert_array_equal(truth["smooth"][0], found[..., 1])
    # From the result to the patch: rotated first, so its map comes last.
    turn, angle = np.eye(ndim + 1), np.radians(30)
    turn[-3:-1, -3:-1] = [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]
    zoom, shift, centre = np.diag([1 / 0.8] * ndim + [1]), np.eye(ndim + 1), np.eye(ndim + 1)
    shift[:-1, -1] = -0.11 * np.array(shape)
    centre[:-1, -1] = (np.array(shape) - 1) / 2
    whole = centre @ turn @ zoom @ shift @ np.linalg.inv(centre)
    how = {"mode": SCIPY[border], "cval": 0}
    for channel in range(2):
        expected = ndimage.affine_transform(image[..., channel], whole, order=1, **how)
        np.testing.assert_allclose(found[..., channel], expected, atol=1e-4)
    expected = ndimage.affine_transform(labels, whole, order=0, **how)
    assert (new_labels != expected).mean() < 0.01


def test_shear_is_along_y_or_along_x() -> None:
    seen = set()
    shear = jax.jit(lambda key: random_shear(key, shape=(9, 9), degrees=(20.0, 20.0)))
    for key in KEYS:
        matrix = np.asarray(shear(key).plane)
        seen.add(tuple(np.round(matrix[[0, 1], [1, 0]] / np.tan(np.radians(20)), 5).tolist()))
        np.testing.assert_array_equal(np.diag(matrix), 1)
    assert seen == {(0.0, 1.0), (1.0, 0.0)}
    image, labels = patch(12, 12)
    found = changed(replace(OFF, shear=Shear(probability=1.0)), image, labels, KEYS)[1]
    # The centre line stays: an odd axis would have a voxel on it.
    assert np.isin(found, labels).all()


def test_quarter_turns_by_resampling_equal_exact_ones() -> None:
    image, labels = patch(3, 9, 9)
    settings = replace(OFF, rotate=Rotate(probability=1.0, degrees=(90.0, 90.0)))
    (found,), (new_labels,) = changed(settings, image, labels)
    np.testing.assert_array_equal(new_labels, np.rot90(labels, 1, (1, 2)))
    np.testing.assert_allclose(found, np.rot90(image, 1, (1, 2)), atol=1e-5)


def test_exact_turns_and_flips() -> None:
    image, labels = patch(3, 8, 8)
    settings = replace(OFF, rot90=Rot90(probability=1.0))
    _, found = changed(settings, image, labels, KEYS)
    turns = [np.rot90(labels, times, (1, 2)) for times in (1, 2, 3)]
    which = {[np.array_equal(one, turn) for turn in turns].index(True) for one in found}
    assert which == {0, 1, 2}
    for name, axis in (("flip_z", 0), ("flip_y", 1), ("flip_x", 2)):
        chance = replace(AUGMENTATIONS[name].options, probability=1.0)
        (one,), (other,) = changed(replace(OFF, **{name: chance}), image, labels)
        np.testing.assert_array_equal(other, np.flip(labels, axis))
        np.testing.assert_array_equal(one, np.flip(image, axis))
    # In images there is no z.
    flat = changed(replace(OFF, flip_z=chance), image[0], labels[0])
    np.testing.assert_array_equal(flat[1][0], labels[0])


def test_shift_by_whole_voxels_is_exact() -> None:
    image, labels = patch(10, 20)
    settings = replace(OFF, border="wrap", shift=Shift(probability=1.0, share=(0.1, 0.1)))
    (found,), (new_labels,) = changed(settings, image, labels)
    np.testing.assert_array_equal(new_labels, np.roll(labels, (1, 2), (0, 1)))
    np.testing.assert_allclose(found, np.roll(image, (1, 2), (0, 1)), atol=1e-5)


def test_a_part_of_the_patch_never_shows_its_border() -> None:
    image, labels = np.ones((10, 14, 1), np.float32), np.ones((10, 14), np.int32)
    settings = replace(OFF, border="constant", crop_scale=CropScale(probability=1.0))
    images, found = changed(settings, image, labels, KEYS)
    np.testing.assert_allclose(images, 1, atol=1e-5)
    np.testing.assert_array_equal(found, 1)
    ramp = np.mgrid[:10, :14].transpose(1, 2, 0).astype(np.float32)
    parts = changed(settings, ramp, labels, KEYS)[0]
    sides = np.ptp(parts, axis=(1, 2)) / np.ptp(ramp, axis=(0, 1))
    np.testing.assert_allclose(sides[:, 0], sides[:, 1], rtol=1e-4)
    assert 0.5 <= sides.min() < sides.max() <= 1


def test_deformation_equals_scipy() -> None:
    shape = (24, 20)
    image, labels = patch(2, *shape)
    settings = replace(OFF, elastic=Elastic(probability=1.0, alpha=(30.0, 40.0), sigma=3.0))
    (found,), (new_labels,) = changed(settings, image, labels)
    # The same displacements, found from what they do to coordinates.
    axes = np.mgrid[: shape[0], : shape[1]].astype(np.float32).transpose(1, 2, 0)
    inner = replace(settings, border="constant")
    (moved,), _ = changed(inner, np.stack([axes, axes]) + 1000, labels)
    source = np.moveaxis(moved[0] - 1000, -1, 0)
    known = (source >= 0).all(0) & (source <= np.array(shape)[:, None, None] - 1).all(0)
    assert known.mean() > 0.5
    assert 0.5 < np.abs(source - np.moveaxis(axes, -1, 0))[:, known].max() < 12
    for plane in range(2):
        expected = ndimage.map_coordinates(image[plane, ..., 1], source, order=1, mode="mirror")
        np.testing.assert_allclose(found[plane, ..., 1][known], expected[known], atol=5e-3)
        expected = ndimage.map_coordinates(labels[plane], source, order=0, mode="mirror")
        assert (new_labels[plane] != expected)[known].mean() < 0.02


def test_field_is_smoothed_noise() -> None:
    found = random_deformation(KEYS[0], shape=(3, 40, 30), alpha=(10.0, 10.0), sigma=2.0)
    noise_key, _ = jax.random.split(KEYS[0])
    noise = np.asarray(jax.random.uniform(noise_key, (2, 40, 30), minval=-1, maxval=1))
    expected = 10 * ndimage.gaussian_filter(noise, (0, 2.0, 2.0), mode="mirror")
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_misaligned_planes() -> None:
    image, labels = patch(6, 12, 12)
    settings = replace(
        OFF, border="wrap", misalign=Misalign(probability=1.0, displacement=3, rotate_ratio=0.0)
    )
    _, found = changed(settings, image, labels, KEYS)
    slips = 0
    for new in found:
        moved = np.array([not np.array_equal(*planes) for planes in zip(new, labels, strict=True)])
        if not moved.any():
            continue
        first = int(moved.argmax())
        assert first > 0
        slips += moved.sum() == 1 and first < 5
        assert moved.sum() == 1 or moved[first:].all()
        ways = [
            (y, x)
            for y in range(-3, 4)
            for x in range(-3, 4)
            if np.array_equal(np.roll(labels[moved], (y, x), (1, 2)), new[moved])
        ]
        assert len(ways) == 1
    assert 0 < slips < len(KEYS)
    turned = random_misalignment(KEYS[0], shape=(6, 12, 12), displacement=3.0, rotate_ratio=1.0)
    angles = np.arcsin(np.asarray(turned.plane)[:, 0, 1])
    assert 0 < np.abs(angles).max() * np.hypot(12, 12) / 2 <= 3.1
    np.testing.assert_array_equal(turned.plane[:, :2, 2], 0)


def test_finer_truth_moves_with_the_image() -> None:
    """Truth of more voxels than the image, as for super-resolution."""
    fine = 3
    coarse = np.kron(np.arange(16).reshape(4, 4), np.ones((4, 4))).astype(np.int32)
    truth = {"coarse": coarse, "fine": np.kron(coarse, np.ones((fine, fine), np.int32))}
    chosen = {name: AUGMENTATIONS[name].options for name in ("rot90", "flip_y", "rotate", "zoom")}
    settings = replace(OFF, **chosen, elastic=Elastic(alpha=(3.0, 3.0)), shift=Shift())
    found = changed(settings, np.zeros((16, 16, 1), np.float32), truth, KEYS)[1]
    again = np.kron(found["coarse"], np.ones((1, fine, fine), np.int32))
    assert (again == found["fine"]).mean() > 0.8
    exact = replace(OFF, **{name: chosen[name] for name in ("rot90", "flip_y")})
    found = changed(exact, np.zeros((16, 16, 1), np.float32), truth, KEYS)[1]
    again = np.kron(found["coarse"], np.ones((1, fine, fine), np.int32))
    np.testing.assert_array_equal(again, found["fine"])


def test_how_much_larger_objects_become() -> None:
    assert Augment().growth(2) == (1.0, 1.0)
    settings = Augment(zoom=Zoom(factor=(0.5, 2.0), z=True), crop_scale=CropScale())
    assert settings.growth(3) == (2.0, 4.0, 4.0)
    assert replace(settings, enable=False).growth(3) == (1.0, 1.0, 1.0)
    sheared = Augment(shear=Shear(degrees=(-45.0, 10.0))).growth(2)
    np.testing.assert_allclose(sheared, np.linalg.svd([[1, 1], [0, 1]])[1][0])
    # A deformation: the steepest place of many fields stays below the bound.
    fields = np.asarray(
        jax.jit(jax.vmap(lambda key: random_deformation(key, shape=(64, 64))))(KEYS)
    )
    slope = max(np.abs(np.diff(fields, axis=axis)).max() for axis in (2, 3))
    assert 1 / (1 - slope) <= Augment(elastic=Elastic()).growth(2)[0] * 1.05
    assert np.abs(fields).max() < 8
