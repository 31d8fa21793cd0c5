"""Small programs, each compiled once: optimising them takes longer than they do."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module", autouse=True)
def compiled_quickly(quick_compilation: None) -> None:
    """Every module of this folder."""
