"""Small label images with known answers."""

from __future__ import annotations

import numpy as np


def blocks(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Labels of a few voxels each, some of them touching."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 4, [-(-n // 2) for n in shape], dtype=np.int32)
    labels = np.kron(coarse, np.ones((2,) * len(shape), np.int32))
    return labels[tuple(slice(n) for n in shape)]


def lab12() -> np.ndarray:
    """Two touching rectangles of 20 and 25 voxels."""
    labels = np.zeros((12, 12), np.int32)
    labels[1:5, 1:6], labels[5:10, 1:6] = 1, 2
    return labels
