"""Affinities of made objects."""

from __future__ import annotations

import numpy as np
from scipy import ndimage


def affinities(seed: int, shape: tuple[int, ...], columns: int, smooth: float) -> np.ndarray:
    """Random blobs with blurred and leaking boundaries, and holes."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(*shape, columns))
    soft = ndimage.gaussian_filter(noise, (*(smooth,) * len(shape), 0))
    shared = ndimage.gaussian_filter(rng.normal(size=shape), 1.5 * smooth)[..., None]
    field = soft / soft.std() + 2 * shared / shared.std() + 1
    return (1 / (1 + np.exp(-2 * field))).astype(np.float32)
