"""A hundred thousand objects in a volume: time and memory of what is done with them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.synthetic_objects import cells

pytestmark = pytest.mark.full

COUNT = 100_000
SCRIPT = """
import json, resource, sys, time
import numpy as np
from jaxseg.measurements import measure
from jaxseg.metrics import matching
truth, labels = np.load(sys.argv[1]), np.load(sys.argv[2])
start = time.process_time()
found = matching(truth, labels, thresholds=(0.3, 0.5, 0.75))
table = measure(labels, spacing=(2.0, 0.5, 0.5), intensity=truth)
seconds = time.process_time() - start
gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
print(json.dumps([seconds, gib, [one.tp for one in found], len(table)]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("shift", [(0, 0, 1), (1, 1, 2)], ids=["good", "poor"])
def test_matching_and_measuring_take_a_minute_and_two_gigabytes(
    tmp_path: Path, rng: np.random.Generator, shift: tuple[int, int, int]
) -> None:
    truth = cells(rng, (64, 512, 512), count=COUNT)
    labels = np.roll(truth, shift, axis=(0, 1, 2)).astype(np.uint64) << np.uint64(33)
    paths = [tmp_path / name for name in ("truth.npy", "labels.npy")]
    for path, array in zip(paths, (truth, labels), strict=True):
        np.save(path, array)
    done = subprocess.run([sys.executable, "-c", SCRIPT, *paths], capture_output=True, check=True)
    seconds, gib, matches, rows = json.loads(done.stdout)
    assert rows == COUNT
    assert matches[0] > matches[1] > matches[2] or shift == (0, 0, 1)
    assert seconds < 60
    assert gib < 2
