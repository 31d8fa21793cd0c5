"""A task of one's own, given as an object: a float image as truth, learned by regression."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile

from jaxseg import io
from jaxseg.blocks import Block, Made, Noted, Stage
from jaxseg.channels import ChannelSpec
from jaxseg.config import Blocks, Config, Data, Predict, Source, Train, UNet, ch
from jaxseg.config.load import from_plain, to_plain
from jaxseg.data.truth import IMAGE
from jaxseg.stages.planes import predicted
from jaxseg.stages.shown import Shown, Steps
from jaxseg.tasks import Task
from jaxseg.tasks.checking import check
from jaxseg.workflows import run

# ---- what somebody writes who learns images from images ------------------------------------------

VALUE = ChannelSpec(
    target=lambda image, **_: (image, None),
    link=lambda logits, options: logits,
    loss=lambda logits, target, options: (logits - target) ** 2,
)


def steps(work):
    stage = predicted(work)
    return Steps((stage,), (Shown("", stage),))


def count(work, shown):
    def errors(block: Block, results, known) -> Made:
        truth = work.sample.labels.read(block.core.start, block.core.stop)
        wrong = results[shown.result].array[block.core.slices] - truth
        return Made(note=lambda: Noted({"sums": np.array([np.square(wrong).sum(), wrong.size])}))

    return Stage(
        name="errors", phase="evaluate", grid=work.grid, work=errors, needs=(shown.result,)
    )


def gather(work, shown, stage, results):
    total, size = sum(results[stage].tables(number)["sums"] for number in range(len(stage.grid)))
    return {"file": work.name, "rmse": (total / size) ** 0.5}


def compare(config, run, results, console):
    io.write_csv(run.metrics, pd.DataFrame(results))


REGRESSION = Task(name="regression", truth=(IMAGE,), steps=steps, count=count, gather=gather,
                  compare=compare)  # fmt: skip

# ---- that it works -------------------------------------------------------------------------------


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Smooth images, of which the double is learned."""
    rng = np.random.default_rng(0)
    for kind, names in (("train", "ab"), ("test", "c")):
        for name in names:
            image = rng.random((32, 40), np.float32)
            for part, values in (("raw", image), ("labels", 2 * image - 1)):
                path = tmp_path / kind / part / f"{name}.tif"
                path.parent.mkdir(parents=True, exist_ok=True)
                tifffile.imwrite(path, values.astype(np.float32))
    source = {kind: Source(raw=str(tmp_path / kind / "raw"), labels=str(tmp_path / kind / "labels"))
              for kind in ("train", "test")}  # fmt: skip
    return Config(
        name="own", out=str(tmp_path / "out"), task=REGRESSION, channels=(ch("X", spec=VALUE),),
        patch=(16, 16), data=Data(**source, spacing=(1.0, 1.0)), model=UNet(features=(4, 4)),
        train=Train(epochs=1, steps=24, batch=4, lr=0.02, warmup=0),
        phases=("train", "predict", "evaluate"),
    )  # fmt: skip


@pytest.mark.full
def test_a_float_image_is_learned_predicted_and_compared(config: Config, tmp_path: Path) -> None:
    assert not check(config)
    assert from_plain(to_plain(config)) == config
    run(config)
    results = tmp_path / "out/own/results/own_1"
    table = pd.read_csv(results / "test_results_metrics.csv")
    planes = io.open_image(results / "per_image/c.zarr", ndim=2).array()[..., 0]
    truth = tifffile.imread(tmp_path / "test/labels/c.tif")
    rmse = np.sqrt(np.square(planes - truth).mean())
    assert table.rmse.tolist() == pytest.approx([rmse], rel=1e-5)
    assert rmse < 0.8 * truth.std(), "something was learned"
    network = Predict(checkpoint=str(tmp_path / "out/own/checkpoints/own_1"))
    more = {"run": "2", "phases": ("predict", "evaluate"), "predict": network}
    run(replace(config, blocks=Blocks(size=(16, 16)), **more))
    found = pd.read_csv(results.with_name("own_2") / "test_results_metrics.csv")
    assert found.rmse.tolist() == pytest.approx(table.rmse.tolist(), rel=1e-5)
