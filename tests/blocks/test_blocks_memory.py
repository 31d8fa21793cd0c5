"""The memory of a run by blocks is that of a few blocks, whatever the volume."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.full

SCRIPT = Path(__file__).parents[1] / "support" / "large_blocks.py"


@pytest.mark.slow
def test_64_times_the_volume_takes_hardly_more_memory(tmp_path: Path) -> None:
    used = []
    for side in (128, 512):
        folder = tmp_path / str(side)
        command = [sys.executable, str(SCRIPT), str(folder), str(side)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout.splitlines()[-1])
        assert found["objects"] == (side // 16) ** 3
        used.append(found["MiB"])
    assert used[1] < 1.15 * used[0]
