"""Sides of objects, and patches that are short beside them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import find_objects

from jaxseg.data import index_labels, object_sides, short_patch
from jaxseg.volume import Volume


def sample(labels: np.ndarray) -> Any:
    """What the advice reads of a sample."""
    volume = Volume(labels, "zyx"[-labels.ndim :], (1.0,) * labels.ndim)
    return SimpleNamespace(index=index_labels(volume), image=volume)


@given(arrays(np.uint8, (7, 9), elements=st.integers(0, 3)))
def test_sides_are_those_of_the_boxes_around_small_objects(labels: np.ndarray) -> None:
    boxes = [box for box in find_objects(labels) if box is not None]
    expected = [[side.stop - side.start for side in box] for box in boxes]
    assert object_sides(sample(labels).index).tolist() == expected


@pytest.mark.parametrize(
    ("patch", "told"), [((32, 32), True), ((32, 64), False), ((64, 64), False), ((16, 64), False)]
)
def test_a_patch_is_short_where_it_holds_no_object_twice(
    patch: tuple[int, int], told: bool
) -> None:
    labels = np.zeros((80, 80), np.uint16)
    for number in range(8):
        labels[10 * number : 10 * number + 8, 4:28] = number + 1
    note = short_patch([sample(np.zeros((80, 80), np.uint16)), sample(labels)], patch)
    assert ("24 voxels" in note) == told
    assert bool(note) == told


def test_an_axis_that_the_patch_holds_is_never_short() -> None:
    labels = np.zeros((8, 200), np.uint16)
    labels[:, 10:20] = 1
    assert not short_patch([sample(labels)], (8, 32))
    assert not short_patch([sample(np.zeros_like(labels))], (8, 32))
