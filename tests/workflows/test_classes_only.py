"""Classes found on the device: those of the planes, in memory and by blocks."""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tifffile

from jaxseg import io
from jaxseg.config import Config, Predict, ch
from jaxseg.decoding import classes
from jaxseg.errors import NonFiniteError
from jaxseg.main import main
from jaxseg.prediction import classified, predict
from jaxseg.tasks.checking import check

pytestmark = pytest.mark.full

TILING = {"tile": (12, 12), "halo": 2, "overlap": 0, "batch": 3}


@pytest.mark.parametrize("number", [2, 3])
def test_classes_are_those_of_the_planes(number: int, rng) -> None:
    image = rng.normal(size=(30, 25, 1 if number == 2 else number)).astype(np.float32)
    link = jax.nn.sigmoid if number == 2 else jax.nn.softmax

    def forward(tiles):
        return link(tiles + 0.3 * jnp.roll(tiles, 1, axis=1))

    planes = predict(forward, image, **TILING)
    found = predict(classified(forward, threshold=0.6), image, **TILING)
    expected = classes(planes, (ch("S", classes=number),), threshold=0.6)
    assert np.array_equal(found[..., 0], expected)
    assert len(np.unique(found)) == number


def test_what_is_not_finite_is_told(rng) -> None:
    image = rng.normal(size=(30, 25, 2)).astype(np.float32)

    def forward(tiles):
        return jnp.where(tiles > 2, jnp.nan, tiles)

    with pytest.raises(NonFiniteError, match="the network's answer"):
        predict(classified(forward), image, **TILING)


def test_what_needs_planes_is_refused() -> None:
    def words(**options) -> str:
        predict = Predict(classes_only=True, **options.pop("predict", {}))
        return " ".join(map(str, check(Config(predict=predict, **options))))

    assert "made of planes, which must be kept" in words(task="instances", channels=(ch("F"),))
    semantic = {"task": "semantic", "channels": (ch("S", classes=2),)}
    assert "classes cannot be blended" in words(**semantic, predict={"overlap": (8, 8)})
    assert "classes_only" not in words(**semantic)


@pytest.mark.slow
def test_a_run_that_keeps_classes_only(project, tmp_path: Path) -> None:
    args = project(2, "semantic", "(ch('S', classes=2),)")
    assert main([*args, "--predict.overlap", "0", "0"]) == 0
    checkpoint = str(tmp_path / "out/discs/checkpoints/discs_1")
    again = [*args, "--phases", "predict", "decode", "evaluate", "--predict.checkpoint", checkpoint]
    again += ["--predict.classes_only"]
    assert main([*again, "--run", "2"]) == 0
    assert main([*again, "--run", "3", "--blocks.size", "16", "16"]) == 0
    results = tmp_path / "out/discs/results"
    for name in ("im4", "im5"):
        stored = io.open_image(results / f"discs_2/per_image/{name}.zarr", ndim=2)
        assert stored.dtype == np.uint8
        expected = tifffile.imread(results / f"discs_1/per_image_binarized/{name}.tif")
        for run in ("discs_2", "discs_3"):
            folder = results / run / "per_image_binarized"
            found = io.open_labels(folder / f"{name}.zarr", ndim=2).array()
            assert np.array_equal(found, expected)
    metrics = [(results / run / "test_results_metrics.csv").read_text() for run in
               ("discs_1", "discs_2", "discs_3")]  # fmt: skip
    assert metrics[0] == metrics[1] == metrics[2]
