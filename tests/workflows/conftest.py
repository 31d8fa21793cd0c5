"""A small project to run."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.small_runs import command, write


@pytest.fixture
def project(tmp_path: Path):
    """A function that writes images and a configuration and returns its command line."""

    def make(
        ndim: int = 2, task: str = "instances", channels: str = "(ch('F'), ch('C'), ch('Db'))"
    ):
        shape, patch = ((48, 40), (32, 32)) if ndim == 2 else ((16, 24, 24), (8, 16, 16))
        write(tmp_path / "data", shape, classes=task == "semantic")
        return command(tmp_path, ndim=ndim, channels=channels, task=task, patch=patch)

    return make
