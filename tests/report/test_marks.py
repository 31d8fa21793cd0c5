"""Where in an image a patch was taken."""

from __future__ import annotations

import numpy as np
import pytest

from jaxseg import report
from jaxseg.report.marks import POINT, SQUARE


@pytest.mark.parametrize("depth", [(), (5,)])
def test_square_and_point(depth: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    shape, start, patch = (*depth, 256, 512), (*[1] * len(depth), 64, 128), (*depth, 64, 64)
    image = rng.integers(0, 255, (*shape, 1), dtype=np.uint8)
    labels = rng.integers(0, 9, shape, dtype=np.uint16)
    for picture in report.marked(image, labels, start, patch):
        assert picture.shape == (256, 512, 3)
        blue, red = ((picture == colour).all(-1) for colour in (SQUARE, POINT))
        rows, columns = blue.any(1).nonzero()[0], blue.any(0).nonzero()[0]
        assert (rows[0], rows[-1], columns[0], columns[-1]) == (64, 127, 128, 191)
        y, x = (np.mean(axis) for axis in red.nonzero())
        assert abs(y - 96.5) < 1.5
        assert abs(x - 160.5) < 1.5


def test_patches_beyond_the_image() -> None:
    image, labels = np.ones((40, 30, 3), np.uint8), np.zeros((40, 30), np.int32)
    found = report.marked(image, labels, (-10, -15), (60, 60))
    assert all(picture.shape == (520, 390, 3) for picture in found)
