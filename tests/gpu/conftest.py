"""Both devices of the machine; without a GPU all tests of this folder are skipped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import pytest


class Devices(NamedTuple):
    """One of each."""

    cpu: Any
    gpu: Any


@pytest.fixture(scope="session")
def devices() -> Devices:
    try:
        return Devices(jax.devices("cpu")[0], jax.devices("gpu")[0])
    except RuntimeError as error:
        pytest.skip(f"no GPU, or JAX_PLATFORMS does not name it: {error}")


@pytest.fixture(autouse=True)
def exact_products() -> Iterator[None]:
    """Products of float32 as such: by default a GPU rounds their factors to fewer digits."""
    with jax.default_matmul_precision("highest"):
        yield
