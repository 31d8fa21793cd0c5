"""A hundred thousand blocks take a hundred times as long as a thousand, and no more memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.full

SCRIPT = Path(__file__).parents[1] / "support" / "many_blocks.py"


def measured(folder: Path, side: int) -> dict[str, float]:
    command = [sys.executable, str(SCRIPT), str(folder), str(side)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_time_is_linear_and_memory_is_bounded(tmp_path: Path) -> None:
    small, large = measured(tmp_path / "small", 12), measured(tmp_path / "large", 47)
    assert large["blocks"] > 100_000
    assert large["MiB"] < 1024
    assert large["objects"] > 4000
    for step in ("creation", "contacts", "numbering"):
        ratio = large[step] / large["blocks"] / (small[step] / small["blocks"])
        assert ratio < 3, f"{step}: {ratio:.1f} times as long per block"  # machines are noisy
