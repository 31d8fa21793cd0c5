"""What the tests of blocks share."""

from __future__ import annotations

import numpy as np
import pytest
from support.block_ledgers import labels_of


@pytest.fixture
def labels(rng: np.random.Generator) -> np.ndarray:
    """Small objects of two dimensions."""
    return labels_of(rng)
