"""Places of voxels and centres of objects."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from scipy import ndimage
from support.synthetic_objects import touching_balls

from jaxseg.targets import object_centres, place_steps, voxel_places


@pytest.mark.parametrize("spacing", [None, (0.4, 0.1, 0.1)])
def test_centroids_are_those_of_scipy(rng: np.random.Generator, spacing) -> None:
    labels = touching_balls(rng, (30, 34, 28), count=6, radii=(4, 7))
    step = place_steps(spacing, ndim=3, grid_size=10)
    places = voxel_places(labels.shape, step)
    ids = range(1, labels.max() + 1)
    middle = (np.array(labels.shape) - 1) / 2
    expected = (np.array(ndimage.center_of_mass(labels > 0, labels, ids)) - middle) * step
    found = object_centres(labels, places, center="centroid")[1 : labels.max() + 1]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_the_medoid_has_the_least_sum_of_squared_distances(rng: np.random.Generator) -> None:
    labels = rng.integers(0, 4, (9, 11)).astype(np.int32)
    labels[labels == 3] = 0
    places = np.asarray(voxel_places(labels.shape, (0.5, 0.25)))
    found = jax.jit(lambda ids: object_centres(ids, places, max_label=5, center="medoid"))(labels)
    for label in (1, 2):
        own = places[labels == label]
        sums = np.square(own[:, None] - own).sum(axis=(1, 2))
        at = np.flatnonzero((own == np.asarray(found[label])).all(axis=1))
        assert len(at) == 1, "it is a voxel of the object"
        assert sums[at[0]] == pytest.approx(sums.min(), rel=1e-5)
    assert not np.asarray(found[3:]).any(), "no such label"


def test_equal_lengths_are_equal_along_all_axes() -> None:
    places = np.asarray(voxel_places((3, 5), place_steps((2.0, 0.5), ndim=2, grid_size=8)))
    np.testing.assert_allclose(np.diff(places[..., 0], axis=0), 2 / 4)
    np.testing.assert_allclose(np.diff(places[..., 1], axis=1), 0.5 / 4)
    np.testing.assert_allclose(places.mean(axis=(0, 1)), 0)


def test_only_the_ratio_of_spacings_matters() -> None:
    steps = place_steps((2.0, 1.0), ndim=2, grid_size=8)
    assert place_steps((0.2, 0.1), ndim=2, grid_size=8) == pytest.approx(steps)
    assert place_steps(None, ndim=2, grid_size=8) == (1 / 8, 1 / 8)
