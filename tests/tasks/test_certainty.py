"""The column certainty: as the array function says, in memory and by blocks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.entered import by_hand
from support.small_runs import command, write, write_planes
from support.synthetic_objects import touching_balls

from jaxseg import io
from jaxseg.channels import encode
from jaxseg.config import ch
from jaxseg.decoding import agreement, certainty
from jaxseg.main import main

CHANNELS = (ch("F"), ch("C"), ch("Db"))
SHAPE = (48, 40)


@pytest.mark.parametrize("blocks", [[], ["--blocks.size", "24", "20", "--blocks.halo", "20", "20"]])
def test_objects_have_a_certainty(blocks: list[str], tmp_path: Path) -> None:
    write(tmp_path / "data", SHAPE)
    for kind in ("raw", "labels"):
        (tmp_path / "data/test" / kind / "im5.tif").unlink()
    rng = np.random.default_rng(0)
    truth = touching_balls(rng, SHAPE, count=9, radii=(4, 6))
    planes = np.asarray(encode(truth, CHANNELS)) + rng.normal(0, 0.1, (*SHAPE, 3))
    results = tmp_path / "out/discs/results/discs_1"
    write_planes(results, "im4", planes.astype(np.float32))
    words = [*command(tmp_path, ndim=2, patch=(16, 16)), *blocks, "--postprocess.certainty"]
    by_hand(results)
    assert main([*words, "--phases", "decode"]) == 0
    suffix = ".zarr" if blocks else ".tif"
    folder = results / "per_image_instances"
    labels = io.open_labels(folder / f"im4{suffix}", ndim=2).array()
    table = pd.read_csv(folder / "im4_full_stats.csv")
    wanted = certainty(labels, agreement(labels, planes, CHANNELS))
    assert len(table) == labels.max() > 3
    np.testing.assert_allclose(table["certainty"], wanted, atol=0.006)
