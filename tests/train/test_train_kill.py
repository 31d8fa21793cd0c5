from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from support import tiny_training as tiny

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kills", [20])
def test_killed_at_random_moments_ends_with_the_same_bits(tmp_path, kills):
    cache = {
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
    }
    # A process of its own that starts no backend, and so can fork.
    command = [sys.executable, tiny.__file__, str(tmp_path), str(kills), "1"]
    done = subprocess.run(
        command, env=os.environ | cache, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["failures"] == 0, done.stderr
    for number in range(1, result["runs"] + 1):
        killed = tmp_path / f"killed{number}"
        assert tiny.end_of(killed) == tiny.end_of(tmp_path / "whole")
