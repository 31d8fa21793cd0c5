"""Balls against SciPy's structuring elements, and what they do in the watershed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from jaxseg.config import Watershed, ch
from jaxseg.decoding import plan_problems, watershed, watershed_steps
from jaxseg.labels.masks import morph


def ball(radius: int, sizes: tuple[float, ...]) -> np.ndarray:
    width = [int(radius // (size / min(sizes))) for size in sizes]
    grid = np.ogrid[tuple(slice(-w, w + 1) for w in width)]
    steps = (axis * size / min(sizes) for axis, size in zip(grid, sizes, strict=True))
    return sum(step**2 for step in steps) <= radius**2 + 1e-6


@given(
    st.integers(0, 1000),
    st.sampled_from([(1.0, 1.0), (2.0, 1.0), (1.0, 1.0, 1.0), (3.0, 1.0, 1.0)]),
    st.integers(1, 4),
)
def test_balls_are_those_of_scipy(seed: int, sizes: tuple[float, ...], radius: int) -> None:
    rng = np.random.default_rng(seed)
    mask = ndimage.gaussian_filter(rng.normal(size=(14,) * len(sizes)), 1.5) > 0
    element = ball(radius, sizes)
    wide = morph(mask, [("dilate", radius)], spacing=sizes)
    assert np.array_equal(wide, ndimage.binary_dilation(mask, element))
    small = morph(mask, [("erode", radius)], spacing=sizes)
    assert np.array_equal(small, ndimage.binary_erosion(mask, element, border_value=1))


def test_the_order_counts_and_nothing_changes_the_input() -> None:
    mask = np.zeros((12, 12), bool)
    mask[2:9, 2:9] = True
    mask[5, 5] = False
    mask[5, 9:12] = True
    kept = mask.copy()
    mask.flags.writeable = False
    closed = morph(mask, [("dilate", 1), ("erode", 1)])
    opened = morph(mask, [("erode", 1), ("dilate", 1)])
    assert closed[5, 5]
    assert closed[5, 11]
    assert not opened[5, 5]
    assert not opened[5, 11]
    assert np.array_equal(mask, kept)
    assert np.array_equal(morph(mask, []), mask)
    for value in (False, True):
        flat = np.full((5, 6), value)
        for operation in ("dilate", "erode"):
            assert np.array_equal(morph(flat, [(operation, 2)]), flat)


def test_slices_are_on_their_own() -> None:
    mask = np.zeros((3, 7, 7), bool)
    mask[1, 3, 3] = True
    assert morph(mask, [("dilate", 1)]).sum() == 7
    assert morph(mask, [("dilate", 1)], spacing=(2.0, 1.0, 1.0)).sum() == 5
    assert morph(mask, [("dilate", 1)], by_slices=True).sum() == 5


def test_eroded_seeds_separate_what_a_bridge_joins() -> None:
    planes = np.zeros((24, 40, 1))
    planes[4:20, 3:18] = planes[4:20, 22:37] = 1
    planes[11, 18:22] = 1
    channels = (ch("F"),)
    assert watershed(planes, channels).max() == 1
    apart = Watershed(seed_morphology=(("erode", 2), ("dilate", 1)))
    found = watershed_steps(planes, channels, options=apart)
    assert found.labels.max() == found.seeds.max() == 2
    assert np.array_equal(found.labels > 0, planes[..., 0] > 0)
    grown = Watershed(seed_morphology=(("dilate", 3),))
    steps = watershed_steps(planes, channels, options=grown)
    assert not (steps.seeds > 0)[~steps.mask].any()


def test_the_growth_mask_is_closed_or_opened() -> None:
    planes = np.zeros((24, 24, 1))
    planes[4:20, 4:20] = 1
    planes[10, 10] = 0
    planes[12, 20:24] = 1
    channels = (ch("F"),)
    closed = Watershed(growth_morphology=(("dilate", 2), ("erode", 2)), fill_holes=False)
    steps = watershed_steps(planes, channels, options=closed)
    assert steps.mask[10, 10]
    assert steps.labels[10, 10] == 1
    opened = Watershed(growth_morphology=(("erode", 1), ("dilate", 1)), fill_holes=False)
    assert not watershed_steps(planes, channels, options=opened).mask[12, 22]


@pytest.mark.parametrize("field", ["seed_morphology", "growth_morphology"])
def test_a_radius_of_nothing_is_refused(field: str) -> None:
    options = Watershed(**{field: (("dilate", 0),)})  # type: ignore[arg-type]
    (problem,) = plan_problems((ch("F"),), ndim=2, options=options)
    assert field in str(problem)
