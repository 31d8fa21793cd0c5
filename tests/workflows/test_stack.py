"""2D images that are predicted one by one: results are those of the volume that they make up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tifffile
from support.entered import by_hand
from support.small_runs import command, write_planes
from support.synthetic_objects import touching_balls

from jaxseg import io
from jaxseg.channels import encode
from jaxseg.config import Blocks, Config, Data, Source, ch
from jaxseg.io import write_sealed
from jaxseg.main import main
from jaxseg.tasks.checking import check
from jaxseg.tasks.inputs import open_data

SHAPE = (16, 30, 28)
CHANNELS = {"instances": "(ch('F'), ch('C'))", "semantic": "(ch('S', classes=2),)"}


def write(root: Path, volume: np.ndarray, *, planes: bool) -> None:
    """A volume as one file, or as one for each plane."""
    root.mkdir(parents=True)
    axes = "YX" if planes else "ZYX"
    for name, array in (
        [(f"z{n}", one) for n, one in enumerate(volume)] if planes else [("v", volume)]
    ):
        metadata = {"axes": axes} if planes else {"axes": axes, "spacing": 1.0}
        tifffile.imwrite(root / f"{name}.tif", array, imagej=True, metadata=metadata)


def results_of(
    folder: Path, task: str, volume: np.ndarray, planes: np.ndarray, *words: str, flat: bool
) -> Path:
    """Decode and evaluate planes of a volume, or the same image by image."""
    truth = volume if task == "instances" else (volume > 0).astype(np.uint16)
    image = (volume > 0) * 100 + np.arange(volume.size).reshape(SHAPE) % 7
    write(folder / "data/test/raw", image.astype(np.uint16), planes=flat)
    write(folder / "data/test/labels", truth, planes=flat)
    results = folder / "out/discs/results/discs_1"
    for name, one in [(f"z{n}", one) for n, one in enumerate(planes)] if flat else [("v", planes)]:
        write_planes(results, name, one)
    by_hand(results)
    ndim, patch = (2, (8, 8)) if flat else (3, (8, 8, 8))
    line = command(folder, ndim=ndim, channels=CHANNELS[task], task=task, patch=patch)
    stacked = ["--data.as-3d-stack"] if flat else []
    assert main([*line, *stacked, *words, "--phases", "decode", "evaluate"]) == 0
    return results


@pytest.mark.parametrize("task", ["instances", "semantic"])
def test_a_stack_is_the_volume(task: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    volume = touching_balls(rng, SHAPE, count=6, radii=(3, 5)).astype(np.uint16)
    channels = (ch("F"), ch("C")) if task == "instances" else (ch("F"),)
    planes = np.asarray(encode(volume, channels)) + rng.normal(0, 0.05, (*SHAPE, len(channels)))
    words = ["--postprocess.z-filtering", "3"]
    folders = {"instances": ["per_image_instances"],
               "semantic": ["per_image_binarized", "per_image_post_processing"]}  # fmt: skip
    flat = results_of(tmp_path / "flat", task, volume, planes, *words, flat=True)
    deep = results_of(tmp_path / "deep", task, volume, planes, *words, flat=False)
    for folder in folders[task]:
        found, wanted = (
            io.open_labels(results / folder / f"{name}.tif", ndim=3).array()
            for results, name in ((flat, "as_3d_stack"), (deep, "v"))
        )
        assert found.max() > 0
        np.testing.assert_array_equal(found, wanted)
        assert not (flat / folder / "z0.tif").exists()
    scores = [pd.read_csv(results / "test_results_metrics.csv") for results in (flat, deep)]
    pd.testing.assert_frame_equal(scores[0].drop(columns="file"), scores[1].drop(columns="file"))
    if task == "instances":
        tables = [
            pd.read_csv(results / "per_image_instances" / f"{name}_full_stats.csv")
            for results, name in ((flat, "as_3d_stack"), (deep, "v"))
        ]
        pd.testing.assert_frame_equal(*tables)


def test_masks_of_planes(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    volume = touching_balls(rng, SHAPE, count=6, radii=(3, 5)).astype(np.uint16)
    mask = (np.indices(SHAPE)[2] < 14).astype(np.uint8)
    planes = np.asarray(encode(volume, (ch("F"), ch("C"))))
    found = []
    for flat in (True, False):
        folder = tmp_path / str(flat)
        write(folder / "masks", mask, planes=flat)
        words = ("--postprocess.masks", str(folder / "masks"))
        results = results_of(folder, "instances", volume, planes, *words, flat=flat)
        name = "as_3d_stack" if flat else "v"
        found.append(io.open_labels(results / f"per_image_instances/{name}.tif", ndim=3).array())
    assert found[0].max() > 0
    assert not found[0][..., 14:].any()
    np.testing.assert_array_equal(*found)


def test_a_damaged_plane_is_to_be_predicted_again(tmp_path: Path, capsys) -> None:
    volume = np.ones(SHAPE, np.uint16)
    planes = np.ones((*SHAPE, 2), np.float32)
    results = results_of(tmp_path, "instances", volume, planes, flat=True)
    markers = results / "manifests/predict"
    for number in range(len(volume)):
        write_sealed(markers / f"z{number}.json", {"digest": "d"})
    (results / "manifests/decode/as_3d_stack.json").unlink()
    store = results / "per_image/z3.zarr/0/c"
    chunk = next(path for path in store.rglob("*") if path.is_file())
    chunk.write_bytes(chunk.read_bytes()[:-3] + b"xyz")
    line = command(tmp_path, ndim=2, channels=CHANNELS["instances"], patch=(8, 8))
    capsys.readouterr()
    assert main([*line, "--data.as-3d-stack", "--phases", "decode"]) != 0
    assert "predict made of z3 is damaged" in capsys.readouterr().err
    there = {path.stem for path in markers.iterdir()}
    assert there == {f"z{number}" for number in range(len(volume)) if number != 3}


@pytest.mark.slow
def test_a_whole_run(tmp_path: Path) -> None:
    from support.small_runs import write as write_discs

    write_discs(tmp_path / "data")
    words = command(tmp_path, ndim=2, patch=(16, 16))
    assert main([*words, "--data.as-3d-stack", "--data.plane-spacing", "2"]) == 0
    results = tmp_path / "out/discs/results/discs_1"
    assert {path.stem for path in (results / "per_image").glob("*.zarr")} == {"im4", "im5"}
    labels = io.open_labels(results / "per_image_instances/as_3d_stack.tif", ndim=3)
    assert labels.spatial_shape == (2, 48, 40)
    assert labels.spacing == (2.0, 1.0, 1.0)
    # Done already: the same command does nothing anew.
    assert main([*words, "--data.as-3d-stack", "--data.plane-spacing", "2"]) == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"ndim": 3, "patch": (8, 8, 8)}, "only 2D images"),
        ({"blocks": Blocks(size=(16, 16))}, "made in memory"),
        ({"data": {"label_components": True}}, "numbered plane by plane"),
        ({"data": {"as_3d_stack": False, "plane_spacing": 2.0}}, "no effect unless"),
    ],
)
def test_what_is_no_stack(options: dict[str, Any], words: str) -> None:
    given = {"as_3d_stack": True, "test": Source(raw="somewhere")} | options.pop("data", {})
    config = Config(
        channels=(ch("F"),), data=Data(**given), phases=("predict", "decode"), **options
    )
    assert words in "\n".join(map(str, check(config)))


@pytest.mark.parametrize(
    ("channels", "task", "words"),
    [
        ((ch("A"),), "instances", "other planes in 3D"),
        ((ch("Db"),), "detection", "not made of stacks"),
    ],
)
def test_channels_and_tasks_without_stacks(
    channels: Any, task: str, words: str, tmp_path: Path
) -> None:
    write(tmp_path / "raw", np.arange(512, dtype=np.uint16).reshape(2, 16, 16), planes=True)
    config = Config(
        channels=channels,
        task=task,  # type: ignore[arg-type]
        data=Data(as_3d_stack=True, test=Source(raw=str(tmp_path / "raw"))),
        phases=("predict",),
    )
    assert words in "\n".join(map(str, open_data(config)[1]))
