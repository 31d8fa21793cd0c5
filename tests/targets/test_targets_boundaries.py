"""Boundaries against scikit-image and against their definition."""

from __future__ import annotations

import itertools

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.segmentation import find_boundaries
from support.label_images import blocks, lab12

from jaxseg.targets import boundary, foreground

SHAPES = ((8, 11), (1, 7), (4, 6, 5))
MODES = ("thick", "inner", "outer", "subpixel", "dense")


@given(shape=st.sampled_from(SHAPES), seed=st.integers(0, 999))
def test_three_modes_equal_scikit_image(shape: tuple[int, ...], seed: int) -> None:
    labels = blocks(shape, seed)
    for mode in ("thick", "inner", "outer"):
        expected = find_boundaries(labels, connectivity=1, mode=mode)
        np.testing.assert_array_equal(boundary(labels, mode=mode), expected)


@pytest.mark.parametrize("shape", SHAPES)
def test_subpixel_is_the_doubled_grid_of_scikit_image_reduced(shape: tuple[int, ...]) -> None:
    labels = blocks(shape, 3)
    fine = find_boundaries(labels, mode="subpixel")
    even = np.pad(fine, [(0, 1)] * labels.ndim)
    pairs = even.reshape([part for n in shape for part in (n, 2)])
    expected = pairs.max(axis=tuple(range(1, 2 * labels.ndim, 2)))
    np.testing.assert_array_equal(boundary(labels, mode="subpixel"), expected)


@pytest.mark.parametrize("shape", SHAPES)
def test_dense_is_any_neighbour_of_another_label(shape: tuple[int, ...]) -> None:
    labels = blocks(shape, 5)
    expected = np.zeros(shape, bool)
    for place in np.ndindex(shape):
        for step in itertools.product((-1, 0, 1), repeat=labels.ndim):
            near = tuple(np.clip(np.add(place, step), 0, np.array(shape) - 1))
            expected[place] |= labels[near] != labels[place]
    np.testing.assert_array_equal(boundary(labels, mode="dense"), expected)


def test_reference_image() -> None:
    counts = {mode: int(boundary(lab12(), mode=mode).sum()) for mode in MODES}
    assert foreground(lab12()).sum() == 45
    assert (counts["thick"], counts["inner"], counts["outer"]) == (58, 30, 38)
    # One line: around 45 voxels, 9 high and 5 wide, and between the two objects.
    assert counts["subpixel"] == 10 * 6 - 8 * 4 + 4


@pytest.mark.parametrize("mode", MODES)
def test_nothing_where_nothing_ends(mode: str) -> None:
    for labels in (np.zeros((5, 6), np.int32), np.full((5, 6), 9, np.int32)):
        assert not boundary(labels, mode=mode).any()


@pytest.mark.parametrize("mode", MODES)
def test_touching_objects_are_separated(mode: str) -> None:
    labels = jnp.array([[1, 1, 1, 2, 2, 2]] * 3)
    assert boundary(labels, mode=mode)[:, 2].all()
    assert boundary(labels, mode=mode)[1, (mode == "subpixel") + 3] == (mode != "subpixel")
