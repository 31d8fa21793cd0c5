"""Label images of discs."""

from __future__ import annotations

import numpy as np


def discs(seed: int, shape: tuple[int, ...] = (24, 30)) -> np.ndarray:
    """Discs of several sizes that may cover one another, thin ones among them."""
    rng = np.random.default_rng(seed)
    places = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    labels = np.zeros(shape, np.int32)
    for label in range(1, 8):
        centre, radius = rng.uniform(0, shape), rng.uniform(0.5, 8)
        labels[((places - centre) ** 2).sum(axis=-1) <= radius**2] = label
    return labels
