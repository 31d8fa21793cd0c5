"""Evaluation by blocks writes the files that an evaluation in memory writes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from support.synthetic_objects import touching_balls

from jaxseg import io
from jaxseg.cli import app
from jaxseg.config import Blocks, Config, Data, Evaluate, Source, ch
from jaxseg.errors import ConfigError
from jaxseg.runs import manifest as runs
from jaxseg.tasks.checking import check
from jaxseg.tasks.inputs import open_data
from jaxseg.workflows import evaluate

pytestmark = pytest.mark.full

SHAPE = (14, 30, 33)
UNKNOWN = 99
BLOCKS = Blocks(size=(5, 11, 16))


class Project:
    """Images, true labels, and labels in place of decoded ones."""

    def __init__(self, root: Path, task: str) -> None:
        rng = np.random.default_rng(0)
        truth = touching_balls(rng, SHAPE, count=8, radii=(2, 5)).astype(np.uint16)
        labels = np.roll(truth, 1, 2)
        labels[:, :, :6] = 0
        truth[9:, 20:] = UNKNOWN
        self.classes = truth % 3, labels % 3
        channels = (ch("F"), ch("C"), ch("S", classes=3))
        if task == "semantic":
            channels = (ch("S", classes=3, ignore=2),)
            truth, labels = self.classes
        self.truth, self.labels = truth, labels
        images = {"raw": rng.normal(size=SHAPE).astype(np.float32)}
        images["labels"] = truth if task == "semantic" else np.stack([truth, self.classes[0]], 1)
        for kind, image in images.items():
            (root / kind).mkdir(parents=True)
            axes = "ZYX" if image.ndim == 3 else "ZCYX"
            tifffile.imwrite(root / kind / "one.tif", image, metadata={"axes": axes})
        self.config = Config(
            task=task, ndim=3, channels=channels, out=str(root / "out"), patch=(16,) * 3,
            data=Data(
                test=Source(raw=str(root / "raw"), labels=str(root / "labels")),
                label_axes="ZYX" if task == "semantic" else "ZCYX",
                ignore=-1 if task == "semantic" else UNKNOWN,
            ),
            phases=("evaluate",),
            evaluate=Evaluate(border_crop=(1, 2, 2), coloured=(0.5,)),
        )  # fmt: skip

    def evaluate(self, run: str, by_blocks: Blocks, **options: Any) -> Path:
        """The folder of results."""
        config = replace(self.config, run=run, blocks=by_blocks, **options)
        assert not check(config)
        samples, problems = open_data(config)
        assert not problems
        folders = runs.open_run(config)
        kind = "instances" if config.task == "instances" else "binarized"
        for name, labels in (("one", self.labels), ("one_classes", self.classes[1])):
            path = folders.results / f"per_image_{kind}/{name}"
            if path.with_suffix(".zarr").exists():
                continue
            io.write_labels_tiff(path.with_suffix(".tif"), labels, spacing=(1.0,) * 3)
            io.write_labels_zarr(path.with_suffix(".zarr"), labels, spacing=(1.0,) * 3)
        evaluate(config, folders, samples)
        return folders.results


def written(results: Path) -> dict[str, bytes]:
    """The files of an evaluation; pictures and tables alike are compared byte by byte."""
    names = runs.WRITES["evaluate"]
    found = [results / name for name in names if not name.startswith("blocks")]
    files = [path for one in found for path in (one, *one.rglob("*")) if path.is_file()]
    return {str(path.relative_to(results)): path.read_bytes() for path in files}


@pytest.mark.parametrize("task", ["instances", "semantic"])
def test_all_files_are_those_of_the_whole(tmp_path: Path, task: str, capsys) -> None:
    project = Project(tmp_path, task)
    whole = written(project.evaluate("whole", Blocks()))
    results = project.evaluate("blocks", BLOCKS)
    assert written(results) == whole
    wanted = {"test_results_metrics.csv", "summary.json", "overlays/one.png"}
    if task == "instances":
        wanted |= {"class_metrics.csv", "instance_associations/one_th_0.5.tif"}
    assert wanted <= set(whole)
    # Nothing was predicted, which is told as left to do; what was made is whole.
    assert app.main(["verify", str(results)]) == 1
    text = capsys.readouterr().out
    assert "27 of 27 finished blocks are whole" in text
    assert "damaged" not in text


def test_jobs_share_an_evaluation(tmp_path: Path) -> None:
    project = Project(tmp_path, "instances")
    results = project.evaluate("whole", BLOCKS)
    project.evaluate("shared", replace(BLOCKS, shard="0/2"))
    shared = results.with_name(results.name.replace("whole", "shared"))
    assert not written(shared)
    assert written(project.evaluate("shared", replace(BLOCKS, shard="1/2"))) == written(results)


def test_another_version_of_the_truth_is_counted_anew_when_asked(tmp_path: Path) -> None:
    project = Project(tmp_path, "instances")
    before = written(project.evaluate("whole", BLOCKS))
    truth = tifffile.imread(tmp_path / "labels/one.tif")
    truth[:, 0][truth[:, 0] == 1] = 0
    tifffile.imwrite(tmp_path / "labels/one.tif", truth, metadata={"axes": "ZCYX"})
    with pytest.raises(ConfigError, match="evaluate differs in labels one"):
        project.evaluate("whole", BLOCKS)
    after = written(project.evaluate("whole", BLOCKS, overwrite=True))
    assert after != before
    assert after == written(project.evaluate("memory", Blocks()))
