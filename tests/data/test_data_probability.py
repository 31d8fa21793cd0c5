"""Centres of patches drawn from a map: as likely as the map says."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from jaxseg import data
from jaxseg.config import ProbabilityMap
from jaxseg.data import Sample
from jaxseg.data.probability import mapped_start
from jaxseg.data.truth import OBJECTS
from jaxseg.normalize import Stats
from jaxseg.volume import Volume


def sample(labels: np.ndarray, ignore: int = -1) -> Sample:
    axes = "zyx"[-labels.ndim :]
    volume = Volume(labels, axes, (1.0,) * labels.ndim, "a")
    image = Volume(labels[..., None].astype(np.float32), axes + "c", volume.spacing, "a")
    return Sample(
        image,
        {OBJECTS: volume},
        Stats((0.0,), (1.0,)),
        "a",
        data.index_labels(volume, ignore=ignore),
    )


def test_map_gives_each_part_its_weight() -> None:
    labels = np.array([[0, 5, 5], [9, 0, 255]])
    found = data.probability_map(labels, ProbabilityMap(enable=True), ignore=255)
    np.testing.assert_allclose(found.sum(), 1, rtol=1e-6)
    np.testing.assert_allclose(found[labels % 255 > 0], 0.94 / 3)
    np.testing.assert_allclose(found[labels % 255 == 0], 0.06 / 3)
    for constant in (np.zeros((2, 2), int), np.ones((2, 2), int)):
        np.testing.assert_allclose(data.probability_map(constant, ProbabilityMap()), 0.25)


@pytest.mark.parametrize("shape", [(6, 8), (3, 4, 4)])
def test_centres_are_as_likely_as_the_map_says(shape: tuple[int, ...]) -> None:
    """Patches of one voxel show their centre."""
    labels = np.zeros(shape, np.uint16)
    labels[..., :2] = 3
    labels[..., 0, 5:] = 8
    options = ProbabilityMap(enable=True, w_foreground=0.7, w_background=0.3)
    one, rng = sample(labels), np.random.default_rng(0)
    patch = (1,) * len(shape)
    seen = Counter(mapped_start(rng, one, patch, options) for _ in range(20_000))
    found = np.zeros(shape)
    for place, count in seen.items():
        found[place] = count / 20_000
    expected = data.probability_map(labels, options)
    np.testing.assert_allclose(found, expected, atol=4 * np.sqrt(expected.max() / 20_000))


def test_patches_stay_in_the_image_and_have_their_centre_where_it_was_drawn() -> None:
    labels = np.zeros((40, 40), np.uint16)
    labels[20, 20] = 1
    only = ProbabilityMap(enable=True, w_foreground=1.0, w_background=0.0)
    options = {"size": 16, "seed": 0, "step": 0, "probability_map": only}
    found = data.batch([sample(labels)], patch=(8, 8), **options)
    np.testing.assert_array_equal(found.starts, 16)
    labels = np.zeros((40, 5), np.uint16)
    labels[39, 4] = 1
    found = data.batch([sample(labels)], patch=(8, 8), **options)
    np.testing.assert_array_equal(found.starts, [[32, -1]] * 16)
    off = replace(only, enable=False)
    usual = data.batch([sample(labels)], patch=(8, 8), **{**options, "probability_map": off})
    without = data.batch([sample(labels)], patch=(8, 8), size=16, seed=0, step=0)
    np.testing.assert_array_equal(usual.starts, without.starts)


def test_images_of_objects_only_and_of_none() -> None:
    options = ProbabilityMap(enable=True)
    for value in (0, 4):
        one, rng = sample(np.full((9, 9), value, np.uint8)), np.random.default_rng(1)
        starts = [mapped_start(rng, one, (1, 1), options) for _ in range(200)]
        assert len(set(starts)) > 60


def test_a_part_of_an_image_knows_the_sizes_of_its_objects() -> None:
    labels = np.zeros((60, 10), np.uint8)
    labels[:50, :4], labels[55:, 5:] = 1, 2
    (train,), _ = data.split([sample(labels)], fraction=0.5, seed=0, patch=(8, 8))
    whole = train.labels.read((0, 0), train.labels.spatial_shape)
    for number, one in enumerate(train.index.ids):
        exact = (whole == one).sum()
        assert abs(train.index.sizes[number] - exact) <= 0.1 * exact


def test_saved_maps(tmp_path: Path) -> None:
    one = sample(np.eye(7, dtype=np.uint8))
    data.save_probability_maps(tmp_path / "maps", [one], ProbabilityMap(enable=True, save=True))
    found = tifffile.imread(tmp_path / "maps" / "a.tif")
    np.testing.assert_array_equal(
        found, data.probability_map(np.eye(7, dtype=int), ProbabilityMap())
    )
