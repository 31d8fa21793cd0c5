"""Copies of what is left out of training, validation and test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from jaxseg.config import Config, Data, SampleCondition, SampleFilter, Source, ch
from jaxseg.runs.layout import run_of
from jaxseg.tasks.checking import check
from jaxseg.tasks.inputs import open_data
from jaxseg.tasks.left_out import copy_left_out

DARK = ((SampleCondition("mean", "lt", 50.0),),)


def written(root: Path) -> dict[str, np.ndarray]:
    """Images, two of them dark, and one with a dark corner."""
    images = {name: np.full((32, 32), 100, np.uint8) for name in "abcd"}
    images["a"][0] = 120
    images["b"][:9], images["b"][9:], images["d"][:9], images["d"][9:] = 6, 7, 8, 9
    images["c"][16:, :16] = 3
    for name, image in images.items():
        for kind, array in (("raw", image), ("labels", image > 5)):
            path = root / kind / f"{name}.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(path, array.astype(np.uint8))
    return images


def config_of(root: Path, **options: Any) -> Config:
    source = Source(raw=str(root / "raw"), labels=str(root / "labels"))
    left_out = SampleFilter(train=DARK, test=DARK, **options)
    return Config(
        channels=(ch("F"),),
        data=Data(train=source, test=source, filter=left_out, label_components=True),
        patch=(16, 16),
        out=str(root / "out"),
    )


def copies(config: Config) -> dict[str, dict[str, np.ndarray]]:
    samples, problems = open_data(config)
    assert not problems
    found: dict[str, dict[str, np.ndarray]] = {}
    for part in ("train", "test"):
        copy_left_out(config, run_of(config), part, samples)
        folder = run_of(config).results / "left_out" / part
        found[part] = {path.stem: tifffile.imread(path) for path in sorted(folder.glob("*"))}
    return found


def test_whole_images(tmp_path: Path) -> None:
    images = written(tmp_path)
    for part in copies(config_of(tmp_path, save=9)).values():
        assert sorted(part) == ["b", "d"]
        np.testing.assert_array_equal(part["d"], images["d"])


def test_no_more_than_asked_for(tmp_path: Path) -> None:
    written(tmp_path)
    assert [len(part) for part in copies(config_of(tmp_path, save=1)).values()] == [1, 1]


def test_patches(tmp_path: Path) -> None:
    written(tmp_path)
    for part in copies(config_of(tmp_path, save=5, by="patch")).values():
        assert sorted(part) == ["b_0_0", "b_0_16", "b_16_0", "b_16_16", "c_16_0"]
        assert part["c_16_0"].shape == (16, 16)
        assert (part["c_16_0"] == 3).all()


def test_nothing_unasked(tmp_path: Path) -> None:
    written(tmp_path)
    assert copies(config_of(tmp_path)) == {"train": {}, "test": {}}
    config = Config(channels=(ch("F"),), data=Data(filter=SampleFilter(save=2)))
    assert "nothing is left out" in "\n".join(map(str, check(config)))


@pytest.mark.parametrize("by", ["image", "patch"])
def test_nothing_fits(by: Any, tmp_path: Path) -> None:
    written(tmp_path)
    bright = ((SampleCondition("mean", "gt", 200.0),),)
    config = config_of(tmp_path)
    left_out = SampleFilter(train=bright, by=by, save=3)
    source = config.data.train
    config = Config(
        channels=(ch("F"),),
        data=Data(train=source, filter=left_out, label_components=True),
        patch=(16, 16),
        out=str(tmp_path / "out"),
        phases=("train",),
    )
    assert copies(config) == {"train": {}, "test": {}}
