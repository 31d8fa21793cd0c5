"""Images of another voxel size are seen at that of the training, and their labels come back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.small_runs import command, discs

from jaxseg import io
from jaxseg.config import Config, Data, Predict, Source, ch
from jaxseg.main import main
from jaxseg.tasks.checking import check
from jaxseg.tasks.inputs import open_data

FINE, COARSE = (0.25, 0.25), (0.5, 0.5)


def write(root: Path) -> None:
    """Images to learn from, and the same things to predict, of voxels half as long."""
    for part, seeds in (("train", (1, 2, 3)), ("test", (4, 5))):
        for seed in seeds:
            image, labels = discs((48, 40), seed)
            times, spacing = (2, FINE) if part == "test" else (1, COARSE)
            for kind, array in (("raw", image), ("labels", labels)):
                array = array.repeat(times, 0).repeat(times, 1)
                folder = root / part / kind
                folder.mkdir(parents=True, exist_ok=True)
                io.write_image_tiff(folder / f"im{seed}.tif", array, spacing=spacing)


def config_of(root: Path, **options: object) -> Config:
    sources = {
        part: Source(raw=str(root / part / "raw"), labels=str(root / part / "labels"))
        for part in ("train", "test")
    }
    return Config(
        data=Data(**sources),  # type: ignore[arg-type]
        channels=(ch("F"),),
        patch=(16, 16),
        predict=Predict(rescale=True),
        out=str(root / "out"),
        **options,  # type: ignore[arg-type]
    )


def test_test_images_have_the_size_of_the_training(tmp_path: Path) -> None:
    write(tmp_path)
    samples, problems = open_data(config_of(tmp_path))
    assert problems == []
    for sample in samples["test"]:
        image, labels = discs((48, 40), int(sample.name[-1]))
        assert sample.image.spacing == COARSE
        assert sample.labels is not None
        assert sample.original is not None
        assert sample.original.spatial_shape == (96, 80)
        np.testing.assert_array_equal(sample.labels.array(), labels)
        inner = sample.image.array()[1:-1, 1:-1, 0] - image[1:-1, 1:-1]
        assert np.abs(inner).mean() < 40
    assert all(sample.original is None for sample in samples["train"])


def test_a_size_that_is_not_known_is_said(tmp_path: Path) -> None:
    write(tmp_path)
    _, problems = open_data(config_of(tmp_path, phases=("predict",)))
    assert "voxel size of the training images is not known" in str(problems[0])


def test_zoomed_images(tmp_path: Path) -> None:
    write(tmp_path)
    config = config_of(tmp_path, phases=("predict", "evaluate"))
    samples, problems = open_data(replace(config, predict=Predict(zoom=(0.5, 0.5))))
    assert problems == []
    for sample in samples["test"]:
        _, labels = discs((48, 40), int(sample.name[-1]))
        assert (sample.image.spacing, sample.image.spatial_shape) == (COARSE, (48, 40))
        assert sample.labels is not None
        np.testing.assert_array_equal(sample.labels.array(), labels)
        assert sample.original is not None
        assert sample.original.spatial_shape == (96, 80)


@pytest.mark.parametrize(
    ("predict", "words"),
    [
        (Predict(zoom=(2.0, 2.0), rescale=True), "two sizes"),
        (Predict(zoom=(2.0, 2.0, 2.0)), "wrong number of values"),
        (Predict(zoom=(2.0, 0.0)), "out of range"),
    ],
)
def test_zooms_that_cannot_be(tmp_path: Path, predict: Predict, words: str) -> None:
    config = replace(config_of(tmp_path), predict=predict)
    assert words in "\n".join(map(str, check(config)))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*reach the end of their block")
@pytest.mark.parametrize("blocks", [[], ["--blocks.size", "32", "32", "--blocks.halo", "8", "8"]])
def test_labels_come_back(tmp_path: Path, blocks: list[str]) -> None:
    write(tmp_path / "data")
    line = command(tmp_path, ndim=2, patch=(16, 16))
    assert main([*line, "--predict.rescale", *blocks]) == 0
    results = next((tmp_path / "out").glob("*/results/*"))
    suffix = ".zarr" if blocks else ".tif"
    for seed in (4, 5):
        made = io.open_labels(results / f"per_image_instances/im{seed}{suffix}", ndim=2)
        back = io.open_labels(
            results / f"per_image_instances_at_image_size/im{seed}{suffix}", ndim=2
        )
        assert (made.spacing, back.spacing) == (COARSE, FINE)
        np.testing.assert_array_equal(back.array(), made.array().repeat(2, 0).repeat(2, 1))
