"""Whatever is changed in a file, it is read or refused, in bounded time and memory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.mutated_files import kinds

TESTS = Path(__file__).parents[1]


def run(folder: Path, kind: str, count: int, seed: int) -> int:
    """How many of the mutated files were refused; the others were read."""
    paths = [str(TESTS), str(TESTS.parent), os.environ.get("PYTHONPATH", "")]
    done = subprocess.run(
        [sys.executable, "-m", "support.mutated_files", str(folder), kind, str(count), str(seed)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))},
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return int(done.stdout.split()[-1])


# A whole run is started for every one of these.
FEW = {"run": 40}
NEEDS = {"onnx": "onnxruntime", "onnx-layers": "onnxruntime", "package": "bioimageio.spec"}


@pytest.mark.slow
@pytest.mark.parametrize("kind", kinds())
def test_mutated_files(tmp_path: Path, kind: str) -> None:
    if kind in NEEDS:
        pytest.importorskip(NEEDS[kind], reason="pip install 'jaxseg[onnx,bmz]'")
    count = FEW.get(kind, 400)
    assert run(tmp_path, kind, count, 1) > count // 10
