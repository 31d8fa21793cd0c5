"""Foreground, background and touching voxels against their definitions, object by object."""

from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from support.label_images import blocks, lab12

from jaxseg.config import ch
from jaxseg.errors import ConfigError
from jaxseg.targets import background, boundary, boundary_or_foreground, foreground, touching
from jaxseg.targets.footprint import ellipsoid

pytestmark = pytest.mark.usefixtures("quick_compilation")

Radius = int | tuple[int, ...]
# Dilation and erosion; every pair is compiled once.
PAIRS = [(0, 2), (2, 0), (1, 1), ((3, 1), (0, 2))]


def footprint(radius: Radius, ndim: int) -> np.ndarray:
    """The ellipsoid as a mask of a box."""
    radius = (radius,) * ndim if isinstance(radius, int) else radius
    box = np.zeros([2 * r + 1 for r in radius], bool)
    for place in np.ndindex(box.shape):
        steps = np.subtract(place, radius)
        box[place] = sum((i / max(r, 1)) ** 2 for i, r in zip(steps, radius, strict=True)) <= 1
    return box


def object_wise(labels: np.ndarray, *steps: tuple[str, Radius]) -> np.ndarray:
    """Union of all objects after each went through the steps."""
    union = np.zeros(labels.shape, bool)
    for label in np.unique(labels[labels > 0]):
        mask = labels == label
        for name, radius in steps:
            shape = footprint(radius, labels.ndim)
            if name == "dilate":
                mask = ndimage.binary_dilation(mask, shape)
            else:
                mask = ndimage.binary_erosion(mask, shape, border_value=1)
        union |= mask
    return union


def test_reference_image() -> None:
    labels = lab12()
    assert foreground(labels).sum() == 45
    assert background(labels).sum() == 99
    assert foreground(labels, erosion=1).sum() == 15
    assert foreground(labels, dilation=1).sum() == 73
    assert foreground(labels, erosion=(1, 1)).sum() == 15
    np.testing.assert_array_equal(
        np.argwhere(np.asarray(touching(labels)))[:, 0], [4] * 5 + [5] * 5
    )
    assert {
        mode: int(boundary(labels, mode=mode).sum()) for mode in ("thick", "inner", "outer")
    } == {
        "thick": 58,
        "inner": 30,
        "outer": 38,
    }


def test_ellipsoids() -> None:
    assert [len(ellipsoid(radius)) for radius in ((1, 1), (2, 2), (0, 0), (1, 1, 1))] == [
        5,
        13,
        1,
        7,
    ]
    for radius in ((2, 5), (3, 0, 4), (7, 7)):
        places = np.argwhere(footprint(radius, len(radius))) - radius
        np.testing.assert_array_equal(ellipsoid(radius), places)


@given(seed=st.integers(0, 999), radii=st.sampled_from(PAIRS))
def test_masks_equal_morphology_of_single_objects(seed: int, radii: tuple[Radius, Radius]) -> None:
    dilation, erosion = radii
    labels = blocks((14, 13), seed)
    found = foreground(labels, dilation=dilation, erosion=erosion)
    expected = object_wise(labels, ("dilate", dilation), ("erode", erosion))
    np.testing.assert_array_equal(found, expected)
    found = background(labels, dilation=dilation, erosion=erosion)
    expected = ~object_wise(labels, ("erode", dilation), ("dilate", erosion))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("dilation", "erosion"), [(0, (0, 1, 2)), (1, 1)])
def test_masks_in_3d(dilation: Radius, erosion: Radius) -> None:
    labels = blocks((6, 7, 8), 3)
    found = foreground(labels, dilation=dilation, erosion=erosion)
    expected = object_wise(labels, ("dilate", dilation), ("erode", erosion))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("options", [{"erosion": 2}, {"dilation": 1, "erosion": 2}])
def test_host_and_device_agree(options: dict[str, int]) -> None:
    labels = blocks((9, 12), 4)
    inside_jit = jax.jit(lambda labels: foreground(labels, **options))(jnp.asarray(labels))
    np.testing.assert_array_equal(inside_jit, foreground(labels, **options))


def test_no_object_and_one_everywhere() -> None:
    for fill in (0, 2**40):
        labels = np.full((7, 8), fill)
        for options in ({}, {"erosion": 1}, {"dilation": 1, "erosion": 2}):
            np.testing.assert_array_equal(foreground(labels, **options), labels > 0)
            np.testing.assert_array_equal(background(labels, **options), labels == 0)
        assert not touching(labels, thickness=5).any()


def test_ids_that_differ_by_multiples_of_256_stay_apart() -> None:
    labels = np.array([[256, 256, 256, 512, 512, 512]])
    np.testing.assert_array_equal(foreground(labels, erosion=1), [[1, 1, 0, 0, 1, 1]])


@given(seed=st.integers(0, 999), thickness=st.sampled_from([1, 4, 5]), ndim=st.sampled_from([2, 3]))
def test_touching_grows_from_where_objects_meet(seed: int, thickness: int, ndim: int) -> None:
    labels = blocks({2: (12, 13), 3: (5, 6, 7)}[ndim], seed)
    band = np.zeros(labels.shape, bool)
    padded = np.pad(labels, 1)
    for step in itertools.product((0, 1, 2), repeat=ndim):
        near = padded[tuple(slice(s, s + n) for s, n in zip(step, labels.shape, strict=True))]
        band |= (labels > 0) & (near > 0) & (near != labels)
    for _ in range((thickness + 1) // 2 - 1):
        band = ndimage.binary_dilation(band, np.ones((3,) * ndim)) & (labels > 0)
    np.testing.assert_array_equal(touching(labels, thickness=thickness), band)


def test_the_legacy_channel_is_foreground_or_contour() -> None:
    labels = blocks((10, 11), 2)
    for mode in ("thick", "inner", "outer", "dense"):
        expected = np.clip(foreground(labels) + boundary(labels, mode=mode), 0, 1)
        np.testing.assert_array_equal(boundary_or_foreground(labels, mode=mode), expected)


def test_mistakes_are_named() -> None:
    with pytest.raises(ConfigError, match="radii"):
        foreground(np.zeros((4, 4), int), erosion=(1, 1, 1))
    for wrong in (
        {"name": "F", "erosion": -1},
        {"name": "B", "dilation": (1, -1)},
        {"name": "F", "erosion": 1.5},
        {"name": "F", "erosion": ("a", 1)},
        {"name": "T", "thickness": 0},
        {"name": "M", "mode": "subpixel"},
    ):
        with pytest.raises(ConfigError, match=r"illegal value|out of range"):
            ch(**wrong)
