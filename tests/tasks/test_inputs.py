"""What is opened for a run, and what is said about it, also under a configuration that is wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
import tifffile

from jaxseg import data
from jaxseg.config import Config, Data, Evaluate, Normalize, Source, Train, UNet, ch
from jaxseg.config.sampling import PatchGrid
from jaxseg.network import network
from jaxseg.runs.fingerprint import forget_versions
from jaxseg.runs.layout import run_of
from jaxseg.runs.marks import reference_inputs
from jaxseg.tasks.checking import check
from jaxseg.tasks.inputs import open_data
from jaxseg.tasks.patch_pictures import predictions
from jaxseg.tasks.training import ingredients

OBJECTS = np.zeros((20, 30), np.uint8)
OBJECTS[2:8, 2:8], OBJECTS[12:18, 2:8] = 1, 2


def source(root: Path, labels: np.ndarray = OBJECTS) -> Source:
    rng = np.random.default_rng(0)
    for name, array in (("raw", rng.integers(0, 99, OBJECTS.shape, np.uint8)), ("labels", labels)):
        (root / name).mkdir()
        tifffile.imwrite(root / name / "a.tif", array)
    return Source(raw=str(root / "raw"), labels=str(root / "labels"))


def config_of(train: Source, **options: Any) -> Config:
    given = {"train": train} | options.pop("data", {})
    defaults = {"channels": (ch("F"),), "patch": (16, 16), "phases": ("train",)}
    return Config(data=Data(**given), **(defaults | options))


@pytest.mark.parametrize(
    "options",
    [
        {"data": {"spacing": (1.0,)}},
        {"data": {"spacing": (0.0, 1.0)}},
        {"data": {"image_channels": (5,)}},
        {"data": {"formats": ("nothing",)}},
        {"normalize": Normalize(percentiles=(-5.0, 300.0))},
    ],
)
def test_no_traceback_under_a_configuration_that_is_wrong(tmp_path: Path, options: Any) -> None:
    samples, problems = open_data(config_of(source(tmp_path), **options))
    assert problems or not any(samples.values())


def test_a_wrong_option_is_said_once(tmp_path: Path) -> None:
    config = config_of(source(tmp_path), data={"spacing": (0.0, 1.0)})
    assert open_data(config)[1] == []
    _, problems = data.open_samples(config.data.train, ndim=2, spacing=(0.0, 1.0))
    assert len(problems) == 1


@pytest.mark.parametrize(("border", "said"), [((9, 9), 0), ((10, 3), 1)])
def test_a_border_that_leaves_nothing_is_said_at_once(
    tmp_path: Path, border: tuple[int, int], said: int
) -> None:
    test = source(tmp_path)
    config = config_of(test, data={"test": test}, evaluate=Evaluate(border_crop=border))
    assert len(open_data(replace(config, phases=("predict", "evaluate")))[1]) == said
    assert open_data(replace(config, phases=("predict",)))[1] == []


def test_channels_and_components_of_a_configuration(tmp_path: Path) -> None:
    mask = ((OBJECTS > 0) * 255).astype(np.uint8)
    train = source(tmp_path, mask)
    _, problems = open_data(config_of(train))
    assert "the labels are a mask" in str(problems[0])
    samples, problems = open_data(
        config_of(train, data={"label_components": True, "image_channels": (0,)})
    )
    assert problems == []
    assert samples["train"][0].index.ids.tolist() == [1, 2]


def test_empty_labels_are_said(tmp_path: Path) -> None:
    _, problems = open_data(config_of(source(tmp_path, np.zeros_like(OBJECTS))))
    assert "all 1 label images are empty" in str(problems[0])


def test_gray_images_beside_coloured_ones(tmp_path: Path) -> None:
    train = source(tmp_path)
    for kind in ("raw", "labels"):
        array = tifffile.imread(tmp_path / kind / "a.tif")
        coloured = np.stack([array, array + 1, array + 2], -1) if kind == "raw" else array
        tifffile.imwrite(tmp_path / kind / "b.tif", coloured)
    _, problems = open_data(config_of(train))
    assert "another number of channels" in str(problems[0])
    samples, problems = open_data(config_of(train, data={"gray_as_rgb": True}))
    assert problems == []
    first, second = (sample.image.array() for sample in samples["train"])
    np.testing.assert_array_equal(first[..., 2], first[..., 0])
    np.testing.assert_array_equal(second, np.stack([first[..., 0] + n for n in range(3)], -1))


def test_sizes_of_voxels_from_a_table(tmp_path: Path) -> None:
    train = source(tmp_path)
    (tmp_path / "resolution.json").write_text('{"a.tif": [1, 0.5, 0.25]}')
    samples, problems = open_data(config_of(train, data={"spacing_table": True}))
    image = samples["train"][0].image
    assert (problems, image.spacing, image.unit) == ([], (0.5, 0.25), "µm")
    assert open_data(config_of(train))[0]["train"][0].image.unit == "voxel"
    config = config_of(train, data={"spacing_table": True})
    before = reference_inputs(config, "train", "val")
    for text, words in (("[1, 2]", "no sizes"), ('{"a.tif": [1, 0]}', "no sizes"), ("{", "JSON")):
        (tmp_path / "resolution.json").write_text(text)
        forget_versions()
        assert words in str(open_data(config)[1][0])
        assert reference_inputs(config, "train", "val") != before
    assert reference_inputs(config, "test") == {}


@pytest.mark.parametrize("grid", [False, True])
def test_passes_make_epochs_longer(tmp_path: Path, grid: bool) -> None:
    train = source(tmp_path)
    config = config_of(train, model=UNet(features=(4, 8)), data={"grid": PatchGrid(enable=grid)})
    once, often = (replace(config, train=Train(batch=1, passes=passes)) for passes in (1, 30))
    samples = open_data(once)[0]["train"]
    steps = [ingredients(config, samples, samples).steps for config in (once, often)]
    assert steps == ([4, 120] if grid else [25, round(30 * 600 / 256)])
    both = replace(once, train=Train(steps=4, passes=2))
    assert "number of steps is given" in str(check(both)[0])


@pytest.mark.usefixtures("quick_compilation")
def test_pictures_of_predictions(tmp_path: Path) -> None:
    options = {"predictions_every": 1, "predictions": 3}
    config = config_of(source(tmp_path), model=UNet(features=(2, 4)), out=str(tmp_path / "out"))
    config = replace(config, train=Train(**options), channels=(ch("F"), ch("C")))
    samples, run = open_data(config)[0]["train"], run_of(config)
    model = network(config, dtype="float32")
    draw = predictions(config, run, model, samples)
    image = jax.ShapeDtypeStruct((1, *model.stride, 1), "float32")
    draw(model.init(jax.random.key(0), image), 7)
    found = sorted(path.name for path in (run.results / "train_pred_samples").iterdir())
    assert found == [f"{number:03d}_a_epoch_0007.png" for number in range(3)]
