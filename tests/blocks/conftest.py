"""Objects to decode by blocks."""

from __future__ import annotations

import numpy as np
import pytest
from support.block_ledgers import labels_of


@pytest.fixture
def labels(rng: np.random.Generator) -> np.ndarray:
    """Rectangles, one voxel apart."""
    return labels_of(rng)
