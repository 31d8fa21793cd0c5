"""What is opened for a run, and what is said about it, also under a configuration that is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from jaxseg import data
from jaxseg.config import Config, Data, Normalize, Source, ch
from jaxseg.tasks.inputs import open_data

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
