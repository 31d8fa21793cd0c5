"""Markers, skeletons, and distances to the centre, object by object."""

from __future__ import annotations

import functools

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from support.label_images import blocks, lab12
from support.synthetic_objects import cells

from jaxseg import symmetry
from jaxseg.channels import encode
from jaxseg.config import ch
from jaxseg.errors import ConfigError
from jaxseg.targets import centre_distance, markers, touching
from jaxseg.targets.skeletons import main_line, skeleton

pytestmark = pytest.mark.usefixtures("quick_compilation")

SHAPES = {2: (28, 30), 3: (12, 13, 14)}
KINDS = [("centroid", "full"), ("skeleton", "full"), ("skeleton", "main")]


@functools.cache
def image(ndim: int) -> np.ndarray:
    """Touching cells of all shapes, some of a few voxels."""
    labels = cells(np.random.default_rng(ndim), SHAPES[ndim], count=9)
    # One part per object: a mark says nothing about the others.
    for label in range(1, 10):
        parts, _ = ndimage.label(labels == label)
        largest = np.bincount(parts.ravel())[1:].argmax() + 1
        labels[(labels == label) & (parts != largest)] = 0
    return labels


def one_each(mask: np.ndarray, labels: np.ndarray) -> bool:
    """Whether every object holds one part of the mask, and no two of these are neighbours."""
    parts, count = ndimage.label(mask)
    owners = [set(labels[parts == part].tolist()) for part in range(1, count + 1)]
    return sorted(map(sorted, owners)) == [[i] for i in np.unique(labels) if i]


def holes(mask: np.ndarray) -> int:
    """Number of parts of what is outside, corners included."""
    return ndimage.label(~np.pad(mask, 1), np.ones((3,) * mask.ndim))[1]


def test_markers_of_the_reference_image() -> None:
    points = np.argwhere(np.asarray(markers(lab12(), dilation=0)))
    assert points.tolist() == [[2, 3], [7, 3]]
    cross = np.asarray(markers(lab12()))
    assert cross.sum() == 10
    assert cross[2, 2:5].sum() == cross[6:9, 3].sum() == 3


@pytest.mark.parametrize(
    ("ndim", "type", "mode"), [*((2, *kind) for kind in KINDS), (3, "skeleton", "main")]
)
def test_every_object_has_one_mark_inside_it(ndim: int, type: str, mode: str) -> None:
    labels = image(ndim)
    for dilation, erosion in ((0, 0), (3, 1)) if ndim == 2 else ((1, 0),):
        found = np.asarray(
            markers(labels, type=type, skeleton_mode=mode, dilation=dilation, erosion=erosion)
        )
        assert set(np.unique(found)) == {0, 1}
        assert one_each(found > 0, labels)
        # Away from other objects, wherever an object has voxels that are.
        band = np.asarray(touching(labels)) > 0
        free = np.unique(labels[(labels > 0) & ~band])
        assert not (band & (found > 0) & np.isin(labels, free)).any()


def test_the_middle_of_a_ring_lies_in_the_ring() -> None:
    y, x = np.indices((21, 21)) - 10
    radius = np.hypot(y, x)
    labels = np.where(radius <= 3, 2, np.where((radius > 5) & (radius <= 9), 1, 0))
    for type in ("centroid", "skeleton"):
        assert one_each(np.asarray(markers(labels, type=type)) > 0, labels)


def test_marks_of_thin_objects_side_by_side_stay_apart() -> None:
    # Two voxels thin, with neighbours on one side.
    labels = np.zeros((9, 20), int)
    labels[2:4], labels[4:6] = 1, 2
    for type in ("centroid", "skeleton"):
        assert one_each(np.asarray(markers(labels, type=type)) > 0, labels)


@given(seed=st.integers(0, 999))
def test_the_mark_is_an_ellipsoid_about_the_middle(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = np.zeros((20, 24), np.int32)
    low, size = rng.integers(1, 6, 2), rng.integers(8, 13, 2)
    labels[low[0] : low[0] + size[0], low[1] : low[1] + size[1]] = 1
    middle = low + (size - 1) // 2
    places = np.moveaxis(np.indices(labels.shape), 0, -1)
    expected = (((places - middle) / (1, 3)) ** 2).sum(axis=-1) <= 1
    found = markers(jnp.asarray(labels), dilation=(1, 3), spacing=(2.0, 0.5), max_label=1)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("ndim", [2, 3])
def test_skeletons_keep_what_hangs_together(ndim: int) -> None:
    labels = image(ndim)
    lines = np.asarray(skeleton(jnp.asarray(labels)))
    for label in np.unique(labels[labels > 0]):
        whole, line = labels == label, lines & (labels == label)
        assert ndimage.label(line)[1] == ndimage.label(whole)[1] == 1
        assert holes(line) == holes(whole)
        assert line.sum() <= whole.sum() / 3 or whole.sum() < 30


def test_skeletons_of_simple_shapes() -> None:
    rod = np.zeros((9, 30), np.int32)
    rod[2:7, 3:27] = 1
    line = np.argwhere(np.asarray(skeleton(jnp.asarray(rod))))
    assert set(line[:, 0]) == {4}
    assert np.ptp(line[:, 1]) >= 18
    thin = np.zeros((9, 9, 9), np.int32)
    thin[4, 4, 1:8], thin[4, 4:8, 1] = 1, 1
    np.testing.assert_array_equal(skeleton(jnp.asarray(thin)), thin > 0)
    y, x = np.indices((31, 31)) - 15
    disc = (y**2 + x**2 <= 13**2).astype(np.int32)
    assert np.hypot(y, x)[np.asarray(skeleton(jnp.asarray(disc)))].max() <= 8


def test_the_main_line_has_no_branches() -> None:
    comb = np.zeros((12, 20), np.int32)
    comb[9, 1:19] = 1
    comb[7:9, 4], comb[7:9, 10] = 1, 1
    found = main_line(comb > 0, jnp.asarray(comb), spacing=(1.0, 1.0), rows=2)
    expected = np.zeros_like(comb)
    expected[9, 1:19] = 1
    np.testing.assert_array_equal(found, expected)
    # Along other lengths of voxels another way is the longest.
    found = main_line(comb > 0, jnp.asarray(comb), spacing=(9.0, 1.0), rows=2)
    assert found[7:9, 4].all()
    assert not found[9, :4].any()


def test_marks_in_every_orientation() -> None:
    labels = image(2)
    for way in symmetry.orientations(2):
        turned = symmetry.turn(labels, way)
        assert one_each(np.asarray(markers(turned, type="skeleton")) > 0, turned)


def test_centre_distance_of_the_reference_image() -> None:
    planes = np.asarray(centre_distance(lab12()))
    np.testing.assert_allclose(planes[2, 1:6], [0.781, 0.309, 0, 0.309, 0.781], atol=1e-3)
    assert (planes[lab12() == 0] == 1).all()


@given(seed=st.integers(0, 999), norm=st.booleans())
def test_centre_distance_by_its_definition(seed: int, norm: bool) -> None:
    labels, spacing = blocks((14, 13), seed), np.array((1.5, 0.5))
    places = np.moveaxis(np.indices(labels.shape), 0, -1) * spacing
    expected = np.zeros(labels.shape)
    for label in np.unique(labels[labels > 0]):
        inside = labels == label
        distance = np.linalg.norm(places[inside] - places[inside].mean(axis=0), axis=-1)
        if norm:
            distance = (distance - distance.min()) / max(np.ptp(distance), 1e-9)
            distance[distance > 1] = 0
        expected[inside] = distance
    expected[labels == 0] = 1 if norm else expected.max() + 0.5
    found = centre_distance(labels, spacing=tuple(spacing), norm=norm)
    np.testing.assert_allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize("ndim", [2, 3])
def test_distance_to_the_skeleton(ndim: int) -> None:
    labels, spacing = image(ndim), (1.0, 0.5, 0.5)[:ndim]
    lines = np.asarray(skeleton(jnp.asarray(labels)))
    found = np.asarray(centre_distance(labels, spacing=spacing, type="skeleton", norm=False))
    for label in np.unique(labels[labels > 0]):
        inside = labels == label
        exact = ndimage.distance_transform_edt(~(lines & inside), sampling=spacing)[inside]
        assert (found[inside] >= exact - 1e-4).all()
        np.testing.assert_allclose(found[inside], exact, atol=0.25)
        assert np.isclose(found[inside], exact, atol=1e-4).mean() > 0.95
    scaled = np.asarray(centre_distance(labels, spacing=spacing, type="skeleton"))
    assert (scaled[lines] == 0).all()
    assert (scaled[labels == 0] == 1).all()


def test_no_object_one_everywhere_and_single_voxels() -> None:
    for shape, types in (((9, 8), ("centroid", "skeleton")), ((5, 6, 7), ("centroid",))):
        for type in types:
            nothing = np.zeros(shape, int)
            assert not markers(nothing, type=type).any()
            assert (np.asarray(centre_distance(nothing, type=type)) == 1).all()
            everywhere = np.full(shape, 2**40)
            assert one_each(np.asarray(markers(everywhere, type=type)) > 0, everywhere > 0)
            found = np.asarray(centre_distance(everywhere, type=type))
            assert found.min() == 0
            assert np.isclose(found.max(), 1)
    dots = np.zeros((60, 45), int)
    dots[::3, ::3] = np.arange(1, 301).reshape(20, 15) + 2**33
    for type in ("centroid", "skeleton"):
        np.testing.assert_array_equal(markers(dots, type=type), dots > 0)
        np.testing.assert_array_equal(centre_distance(dots, type=type), dots == 0)


def test_options_are_checked() -> None:
    for wrong in (
        {"name": "P", "dilation": -1},
        {"name": "P", "skeleton_mode": "main"},
        {"name": "P", "type": "medoid"},
        {"name": "Dc", "type": "medoid"},
    ):
        with pytest.raises(ConfigError):
            ch(**wrong)
    with pytest.raises(ConfigError, match="radii"):
        encode(lab12(), (ch("P", dilation=(1, 1, 1)),))
