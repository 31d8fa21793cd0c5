"""Measured part by part, objects are as they are as a whole."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxseg.blocks import BlockGrid
from jaxseg.measurements import MARGIN, measure, measure_part, measured


def by_parts(labels: np.ndarray, image: np.ndarray, block: int, spacing) -> pd.DataFrame:
    ndim = labels.ndim
    grid = BlockGrid(labels.shape, (block,) * ndim, (1,) * ndim, (1,) * ndim)
    padded = np.pad(labels, MARGIN)
    parts = []
    for piece in grid:
        core = piece.core
        box = tuple(slice(a, b + 2 * MARGIN) for a, b in zip(core.start, core.stop, strict=True))
        last = [stop == n for stop, n in zip(core.stop, labels.shape, strict=True)]
        values = image[core.slices]
        parts.append(measure_part(padded[box], core.start, last, spacing=spacing, intensity=values))
    return measured(parts, spacing=spacing)


@given(st.integers(0, 10**6), st.integers(2, 3), st.integers(1, 6))
def test_any_cut_gives_the_table_of_the_whole(seed: int, ndim: int, block: int) -> None:
    rng = np.random.default_rng(seed)
    shape = tuple(map(int, rng.integers(1, 10, ndim)))
    labels = rng.integers(0, 4, shape) * (rng.random(shape) < 0.7)
    image = rng.normal(size=(*shape, int(rng.integers(1, 3))))
    spacing = (2.0, 0.5, 0.7)[:ndim]
    whole = measure(labels, spacing=spacing, intensity=image)
    found = by_parts(labels, image, block, spacing)
    pd.testing.assert_frame_equal(found, whole, check_dtype=False, rtol=1e-4)


@pytest.mark.parametrize("ndim", [2, 3])
def test_no_objects_and_large_ids(ndim: int) -> None:
    image = np.ones((5,) * ndim + (1,))
    nothing = by_parts(np.zeros((5,) * ndim, np.uint16), image, 2, (1.0,) * ndim)
    assert len(nothing) == 0
    labels = np.full((5,) * ndim, 2**60, np.uint64)
    found = by_parts(labels, image, 2, (1.0,) * ndim)
    assert found.label.tolist() == [2**60]
    assert found.npixels.tolist() == [5**ndim]
    assert list(nothing.columns) == list(found.columns)
