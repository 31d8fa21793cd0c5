"""Seeds as peaks: what they are by definition, in parts of an image as in the whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage
from support import real_images
from support.synthetic_objects import same_partition

from jaxseg.channels import encode
from jaxseg.config import Watershed, ch
from jaxseg.decoding import plan, plan_problems, watershed, watershed_steps
from jaxseg.decoding.watershed.dynamics import peaks, smoothed
from jaxseg.labels.contacts import face_connected
from jaxseg.metrics import matching

HEIGHTS = st.integers(0, 8).map(lambda step: step / 8)


def defined(height: np.ndarray, mask: np.ndarray, least: float) -> np.ndarray:
    """Connected voxels less than ``least`` below a voxel that is the highest of them."""
    found = np.zeros(height.shape, int)
    for place in map(tuple, np.argwhere(mask)):
        parts, _ = face_connected(mask & (height > height[place] - least))
        region = parts == parts[place]
        if height[region].max() == height[place] and not found[place]:
            found[region] = found.max() + 1
    return found


@given(
    arrays.arrays(np.float64, st.sampled_from([(5, 7), (3, 4, 4)]), elements=HEIGHTS),
    st.sampled_from([0.25, 0.5]),
    st.integers(0, 2**31),
)
def test_peaks_are_what_their_definition_says(height: np.ndarray, least: float, seed: int) -> None:
    mask = np.random.default_rng(seed).random(height.shape) < 0.85
    assert same_partition(peaks(height, mask, least=least), defined(height, mask, least))


def test_what_is_cut_off_far_away_changes_no_peak(rng: np.random.Generator) -> None:
    height = smoothed(rng.random((80, 70)), 2.0, spacing=(1, 1))
    mask = height > 0.45
    whole = peaks(height, mask, least=0.02)
    part = peaks(height[:50], mask[:50], least=0.02)
    inner = face_connected(mask)[0][:50]
    inner = np.where(np.isin(inner, face_connected(mask)[0][49:]), 0, inner)
    assert same_partition(np.where(inner, whole[:50], 0), np.where(inner, part, 0))
    assert whole.max() > 5


def test_small_and_unsure_peaks_join_their_neighbours() -> None:
    height = np.array([[9, 8, 7, 1, 5, 1, 7, 7]]) / 9
    mask = np.ones_like(height, bool)
    assert peaks(height, mask, least=0.3).max() == 3
    assert peaks(height, mask, least=0.3, min_seed=2).max() == 2
    assert peaks(height, mask, least=0.3, min_seed=9).max() == 1
    assert peaks(height, mask, least=0.3, sure=height > 0.9).max() == 1
    assert peaks(height, mask & (height < 0.2), least=0.3, min_seed=9).max() == 2


def test_smoothing_is_as_wide_along_every_axis_in_micrometres() -> None:
    point = np.zeros((21, 21))
    point[10, 10] = 1
    found = smoothed(point, 2.0, spacing=(2.0, 1.0))
    assert found[11, 10] == pytest.approx(found[10, 12], rel=0.1)


@pytest.mark.parametrize("name", ["F C", "F Db", "F C Db", "F H V", "F A", "F D", "F Dc"])
def test_a_valley_above_the_thresholds_parts_objects(name: str) -> None:
    y, x = np.mgrid[:40, :60]
    truth = np.where((y - 20) ** 2 + (x - 18) ** 2 <= 121, 1, 0)
    truth[(y - 20) ** 2 + (x - 39) ** 2 <= 110] = 2
    channels = tuple(map(ch, name.split()))
    planes = np.asarray(encode(truth, channels))
    soft = ndimage.gaussian_filter(planes, (2.5, 2.5, 0))
    assert watershed(soft, channels).max() == 2
    if name in ("F C", "F A"):
        by_thresholds = watershed(soft, channels, options=Watershed(seed_rule="thresholds"))
        assert by_thresholds.max() == 1


def test_options_of_thresholds_ask_for_thresholds() -> None:
    channels = (ch("F"), ch("C"))
    assert plan(channels, ndim=2).parting
    assert not plan(channels, ndim=2, options=Watershed(seed_thresholds=(0.5, 0.5))).parting
    assert not plan(channels, ndim=2, options=Watershed(seed_rule="thresholds")).parting
    assert not plan((ch("F"),), ndim=2).parting
    assert not plan((ch("F"), ch("C"), ch("P")), ndim=2).parting
    both = Watershed(seed_rule="dynamics", seed_thresholds=(0.5, 0.5))
    assert plan_problems(channels, ndim=2, options=both)


@pytest.mark.parametrize("options", [{"seed_height": 0.0}, {"seed_sigma": -1.0}])
def test_options_out_of_range_are_told(options: dict[str, float]) -> None:
    assert plan_problems((ch("F"), ch("C")), ndim=2, options=Watershed(**options))


def test_nothing_gives_no_seed() -> None:
    planes = np.zeros((8, 9, 2))
    assert watershed_steps(planes, (ch("F"), ch("C"))).seeds.max() == 0


@pytest.mark.parametrize("name", ["F C", "F C Db", "F H V", "F D"])
def test_real_nuclei_come_back_no_worse_than_by_thresholds(name: str) -> None:
    channels, truth = tuple(map(ch, name.split())), real_images.labels("nuclei2d")
    planes = encode(truth, channels)
    peaked, by_thresholds = (
        matching(truth, watershed(planes, channels, options=options))[0].f1
        for options in (Watershed(), Watershed(seed_rule="thresholds"))
    )
    assert peaked >= by_thresholds
