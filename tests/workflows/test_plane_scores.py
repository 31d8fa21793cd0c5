"""Scores of predicted planes in the table of an evaluation, and planes as TIFF."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from support.entered import by_hand
from support.small_runs import command, discs, write, write_planes

from jaxseg import io, memory
from jaxseg.channels import encode
from jaxseg.config import Blocks, Config, Data, Evaluate, Predict, Source, ch
from jaxseg.errors import JaxsegWarning
from jaxseg.main import main
from jaxseg.runs.layout import Work, run_of
from jaxseg.stages.planes import planes_as_tiff
from jaxseg.tasks.checking import check
from jaxseg.tasks.inputs import open_data
from jaxseg.tasks.plane_scores import with_plane_scores

SHAPE = (48, 40)
CHANNELS = (ch("F"), ch("C"), ch("Db"))


def iou(found: np.ndarray, truth: np.ndarray) -> float:
    union = (found | truth).sum()
    return float((found & truth).sum() / union) if union else np.nan


@pytest.mark.slow
def test_whole_images_and_patches(tmp_path: Path) -> None:
    write(tmp_path / "data", SHAPE)
    rng, results = np.random.default_rng(0), tmp_path / "out/discs/results/discs_1"
    expected: dict[str, dict[str, float]] = {}
    pooled = np.zeros(2)
    for seed in (4, 5):
        _, labels = discs(SHAPE, seed)
        truth = np.asarray(encode(labels.astype(np.int32), CHANNELS))
        planes = (truth + rng.normal(0, 0.4, truth.shape)).astype(np.float32)
        write_planes(results, f"im{seed}", planes)
        hard, real = planes[..., 0] > 0.5, truth[..., 0] > 0.5
        pooled += (hard & real).sum(), (hard | real).sum()
        # A grid of 16 x 16 patches over 48 x 40: the last column overlaps.
        corners = [(y, x) for y in (0, 16, 32) for x in (0, 12, 24)]
        parts = [(hard[y : y + 16, x : x + 16], real[y : y + 16, x : x + 16]) for y, x in corners]
        expected[f"im{seed}"] = {
            "F IoU": iou(hard, real),
            "Db error": float(np.abs(planes[..., 2] - truth[..., 2]).mean()),
            "F IoU (patch)": float(np.nanmean([iou(*part) for part in parts])),
        }
    by_hand(results)
    words = [*command(tmp_path, ndim=2, patch=(16, 16)), "--evaluate.planes"]
    assert main([*words, "--phases", "decode", "evaluate"]) == 0
    table = pd.read_csv(results / "test_results_metrics.csv").set_index("file")
    for name, row in expected.items():
        for column, value in row.items():
            np.testing.assert_allclose(table.loc[name, column], value, rtol=1e-4)
    means = np.mean([row["F IoU"] for row in expected.values()])
    np.testing.assert_allclose(table.loc["mean of images", "F IoU"], means, rtol=1e-4)
    np.testing.assert_allclose(table["F IoU"].iloc[-1], pooled[0] / pooled[1], rtol=1e-4)
    assert table["0.5 TH f1"].notna().all()


def test_classes_have_a_mean_of_images(tmp_path: Path) -> None:
    write(tmp_path / "data", SHAPE, classes=True)
    results = tmp_path / "out/discs/results/discs_1"
    rng = np.random.default_rng(0)
    for seed in (4, 5):
        _, labels = discs(SHAPE, seed)
        planes = (labels > 0)[..., None] + rng.normal(0, 0.1 * seed, (*SHAPE, 1))
        write_planes(results, f"im{seed}", planes)
    by_hand(results)
    line = command(tmp_path, ndim=2, channels="(ch('S', classes=2),)", task="semantic",
                   patch=(16, 16))  # fmt: skip
    assert main([*line, "--evaluate.planes", "--phases", "decode", "evaluate"]) == 0
    table = pd.read_csv(results / "test_results_metrics.csv").set_index("file")
    assert list(table.index) == ["im4", "im5", "mean of images", "all voxels"]
    for column in ("iou 0", "iou 1", "mean iou"):
        mean = table[column].iloc[:2].mean()
        np.testing.assert_allclose(table.loc["mean of images", column], mean)
    np.testing.assert_allclose(table["S IoU"], table["iou 1"], rtol=1e-5)
    assert (table["S IoU (patch)"].iloc[:3] > 0).all()


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_planes_as_tiff(dtype: str, tmp_path: Path) -> None:
    write(tmp_path / "data", SHAPE)
    source = Source(raw=str(tmp_path / "data/test/raw"))
    config = Config(
        channels=CHANNELS,
        data=Data(test=source),
        out=str(tmp_path / "out"),
        predict=Predict(tiff=True),
        phases=("predict",),
    )
    planes = np.random.default_rng(0).random((*SHAPE, 3)).astype(dtype)
    work = Work(config, run_of(config), open_data(config)[0]["test"][0])
    write_planes(work.run.results, work.name, planes)
    planes_as_tiff(work)
    path = work.planes.with_suffix(".tif")
    np.testing.assert_array_equal(io.open_image(path, ndim=2).array(), planes.astype(np.float32))
    assert tifffile.imread(path).shape == (3, *SHAPE)
    # It is not written again.
    before = path.stat().st_mtime_ns
    planes_as_tiff(work)
    assert path.stat().st_mtime_ns == before


def test_what_has_no_planes_to_compare() -> None:
    usual = {"channels": (ch("Db"),), "evaluate": Evaluate(planes=True)}
    for more, words in (
        ({"blocks": Blocks(size=(16, 16))}, "blocks.size"),
        ({"data": Data(as_3d_stack=True)}, "as_3d_stack"),
    ):
        assert words in "\n".join(map(str, check(Config(**usual, **more))))  # type: ignore[arg-type]


def test_what_does_not_fit_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "data", SHAPE)
    folders = {kind: str(tmp_path / "data/test" / kind) for kind in ("raw", "labels")}
    config = Config(
        channels=CHANNELS,
        data=Data(test=Source(**folders)),
        out=str(tmp_path / "out"),
        evaluate=Evaluate(planes=True),
        phases=("predict",),
    )
    works = [Work(config, run_of(config), one) for one in open_data(config)[0]["test"]]
    monkeypatch.setattr(memory, "available", lambda: 1000)
    table = pd.DataFrame({"file": ["im4", "im5", "mean of images", "all objects"]})
    with pytest.warns(JaxsegWarning, match="im4 were not compared: this takes"):
        assert with_plane_scores(table, works[:1]) is table
