"""All images, whatever their voxels, at one voxel size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.small_runs import command, discs

from jaxseg import io
from jaxseg.config import Config, Data, PostProcess, Predict, Source, ch
from jaxseg.main import main
from jaxseg.tasks.checking import check
from jaxseg.tasks.inputs import open_data


def write(root: Path, fine: tuple[int, ...] = (2, 5)) -> None:
    """Discs, some of them seen with voxels half as long."""
    for part, seeds in (("train", (1, 2, 3)), ("test", (4, 5))):
        for seed in seeds:
            image, labels = discs((48, 40), seed)
            times = 2 if seed in fine else 1
            for kind, array in (("raw", image), ("labels", labels)):
                array = array.repeat(times, 0).repeat(times, 1)
                folder = root / part / kind
                folder.mkdir(parents=True, exist_ok=True)
                io.write_image_tiff(folder / f"im{seed}.tif", array, spacing=(1 / times,) * 2)


def config_of(root: Path, wanted: tuple[float, ...], **options: Any) -> Config:
    sources = {
        part: Source(raw=str(root / part / "raw"), labels=str(root / part / "labels"))
        for part in ("train", "test")
    }
    data = Data(**sources, resample=wanted, **options.pop("data", {}))
    return Config(data=data, channels=(ch("F"),), patch=(16, 16), **options)


def test_images_labels_and_places_of_objects(tmp_path: Path) -> None:
    write(tmp_path)
    samples, problems = open_data(config_of(tmp_path, (1.0, 1.0)))
    assert problems == []
    for sample in (*samples["train"], *samples["test"]):
        seed = int(sample.name[-1])
        image, labels = discs((48, 40), seed)
        assert sample.image.spacing == (1.0, 1.0)
        assert sample.labels is not None
        np.testing.assert_array_equal(sample.labels.array(), labels)
        assert (sample.original is not None) == (seed in (2, 5))
        if seed not in (2, 5):
            np.testing.assert_array_equal(sample.image.array()[..., 0], image)
        # Objects are where the labels of this size have them.
        points = sample.index.points
        ids = np.repeat(sample.index.ids, np.diff(sample.index.first))
        np.testing.assert_array_equal(labels[tuple(points.T)], ids)
        assert set(sample.index.ids.tolist()) == set(np.unique(labels).tolist()) - {0}


def test_an_axis_that_stays(tmp_path: Path) -> None:
    write(tmp_path, fine=(1, 2, 3, 4, 5))
    samples, problems = open_data(config_of(tmp_path, (0.0, 1.0)))
    assert problems == []
    assert samples["train"][0].image.spacing == (0.5, 1.0)
    assert samples["train"][0].image.spatial_shape == (96, 40)


def test_a_size_that_is_not_known(tmp_path: Path) -> None:
    import tifffile

    write(tmp_path)
    image, _ = discs((48, 40), 1)
    tifffile.imwrite(tmp_path / "train/raw/im1.tif", image)
    _, problems = open_data(config_of(tmp_path, (1.0, 1.0), phases=("train",)))
    assert "cannot be resampled" in "\n".join(map(str, problems))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"predict": Predict(rescale=True)}, "two sizes"),
        ({"postprocess": PostProcess(masks="m")}, "masks have the size"),
    ],
)
def test_one_size_only(options: dict[str, Any], words: str) -> None:
    problems = check(config_of(Path("x"), (1.0, 1.0), **options))
    assert words in "\n".join(map(str, problems))


@pytest.mark.slow
def test_labels_come_back(tmp_path: Path) -> None:
    write(tmp_path / "data")
    line = command(tmp_path, ndim=2, patch=(16, 16))
    assert main([*line, "--data.resample", "1", "1"]) == 0
    results = next((tmp_path / "out").glob("*/results/*"))
    shapes = {
        name: io.open_labels(results / folder / f"{name}.tif", ndim=2).spatial_shape
        for name, folder in (
            ("im4", "per_image_instances"),
            ("im5", "per_image_instances_at_image_size"),
        )
    }
    assert shapes == {"im4": (48, 40), "im5": (96, 80)}
    assert not (results / "per_image_instances_at_image_size/im4.tif").exists()
