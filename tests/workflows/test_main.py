"""The command line as a user meets it: whole runs on drawn discs, and every kind of mistake."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from support.small_runs import discs

from jaxseg.main import main


def contents(root: Path) -> dict[str, tuple[int, bytes]]:
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


@pytest.mark.parametrize(
    ("ndim", "task", "channels"),
    [
        (2, "instances", "(ch('F'), ch('C'), ch('Db'))"),
        pytest.param(3, "instances", "(ch('A'), ch('Db', norm=False))", marks=pytest.mark.slow),
        pytest.param(2, "instances", "(ch('E'),)", marks=pytest.mark.slow),
        (2, "semantic", "(ch('S', classes=2),)"),
        pytest.param(2, "instances", "(ch('R', nrays=8), ch('Db'))", marks=pytest.mark.slow),
    ],
)
def test_a_whole_run_makes_the_documented_tree(
    project, tmp_path: Path, capsys: pytest.CaptureFixture[str], ndim: int, task: str, channels: str
) -> None:
    args = project(ndim, task, channels)
    assert main(args) == 0
    results = tmp_path / "out/discs/results/discs_1"
    assert (tmp_path / "out/discs/config_files/discs_1.json").is_file()
    folder = "per_image_instances" if task == "instances" else "per_image_binarized"
    for stem in ("im4", "im5"):
        labels = tifffile.imread(results / folder / f"{stem}.tif")
        assert labels.dtype.kind == "u"
        assert labels.shape == tifffile.imread(tmp_path / f"data/test/raw/{stem}.tif").shape
        assert (results / "per_image" / f"{stem}.zarr").is_dir()
        assert (results / "overlays" / f"{stem}.png").is_file()
    table = pd.read_csv(results / "test_results_metrics.csv")
    assert {"im4", "im5"} <= set(table["file"])
    assert not list((tmp_path / "out").rglob("*partial*"))
    assert "im4" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("channels", "words"),
    [("(ch('R'),)", "where objects are"), ("(ch('C'), ch('R'))", "no use beside R")],
)
def test_what_cannot_be_decoded_is_refused_before_training(
    project, tmp_path: Path, capsys: pytest.CaptureFixture[str], channels: str, words: str
) -> None:
    assert main(project(channels=channels)) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.full
def test_running_again_changes_no_result(project, tmp_path: Path) -> None:
    args = project()
    assert main(args) == 0
    results = tmp_path / "out/discs/results/discs_1"
    folders = ("per_image", "per_image_instances", "train_logs")
    before = {name: contents(results / name) for name in folders}
    assert main(args) == 0
    assert before == {name: contents(results / name) for name in folders}


@pytest.mark.full
def test_other_values_are_refused_until_overwrite(
    project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    args = project()
    assert main(args) == 0
    assert main([*args, "--watershed.min-size", "7"]) == 2
    assert "watershed.min_size" in capsys.readouterr().err
    assert main([*args, "--watershed.min-size", "7", "--overwrite"]) == 0
    assert list((tmp_path / "out").glob("discs/_trash/*"))


@pytest.mark.slow
@pytest.mark.full
def test_phases_run_one_by_one(project, tmp_path: Path) -> None:
    args = project()
    for phase in ("train", "predict", "decode", "evaluate"):
        assert main([*args, "--phases", phase]) == 0
    assert (tmp_path / "out/discs/results/discs_1/test_results_metrics.csv").is_file()


@pytest.mark.full
def test_a_trained_run_serves_other_images_without_labels(project, tmp_path: Path) -> None:
    args = project()
    assert main([*args, "--phases", "train"]) == 0
    trained = str(tmp_path / "out/discs/checkpoints/discs_1")
    assert main([*args, "--run", "2", "--phases", "predict", "decode",
                 "--predict.checkpoint", trained, "--data.test.labels", ""]) == 0  # fmt: skip
    assert (tmp_path / "out/discs/results/discs_2/per_image_instances/im5.tif").is_file()


def test_prediction_without_training_says_so(project, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*project(), "--phases", "predict"]) == 5
    assert "no trained network" in capsys.readouterr().err


def replace(path: Path, array: np.ndarray) -> None:
    axes = "ZYX"[-array.ndim :]
    tifffile.imwrite(path, array, metadata={"axes": axes})


MISTAKES = {
    "missing folder": (lambda d: shutil.rmtree(d / "train/raw"), 5, "train/raw"),
    "empty folder": (lambda d: [p.unlink() for p in (d / "train/raw").iterdir()], 5, "train/raw"),
    "missing label": (lambda d: (d / "train/labels/im2.tif").unlink(), 5, "im2"),
    "extra label": (
        lambda d: shutil.copy(d / "train/labels/im2.tif", d / "train/labels/im9.tif"),
        5,
        "im9",
    ),
    "another size": (
        lambda d: replace(d / "train/labels/im1.tif", np.zeros((48, 41), np.uint16)),
        5,
        "(48, 41)",
    ),
    "float labels": (
        lambda d: replace(d / "train/labels/im1.tif", np.full((48, 40), 0.5, np.float32)),
        5,
        "whole",
    ),
    "negative labels": (
        lambda d: replace(d / "train/labels/im1.tif", np.full((48, 40), -1, np.int16)),
        5,
        "negative",
    ),
    "three dimensions": (
        lambda d: replace(d / "train/raw/im1.tif", np.zeros((5, 48, 40), np.uint16)),
        5,
        "im1.tif",
    ),
    "NaN": (
        lambda d: replace(d / "train/raw/im1.tif", np.full((48, 40), np.nan, np.float32)),
        5,
        "im1.tif",
    ),
    "not a TIFF": (lambda d: (d / "train/raw/im1.tif").write_bytes(b"no image"), 5, "im1.tif"),
    "truncated": (
        lambda d: (d / "test/raw/im4.tif").write_bytes((d / "test/raw/im4.tif").read_bytes()[:900]),
        5,
        "im4.tif",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_bad_data_is_one_clear_message(
    project, tmp_path: Path, capsys: pytest.CaptureFixture[str], mistake: str
) -> None:
    spoil, code, named = MISTAKES[mistake]
    args = project()
    spoil(tmp_path / "data")
    assert main(args) == code
    message = capsys.readouterr().err
    assert named in message
    assert "Traceback" not in message
    assert not list((tmp_path / "out").rglob("*.tif"))


def test_all_mistakes_come_together(
    project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    args = project()
    (tmp_path / "data/train/labels/im2.tif").unlink()
    replace(tmp_path / "data/test/raw/im4.tif", np.full((48, 40), np.inf, np.float32))
    assert main([*args, "--patch", "33", "33", "--train.epochs", "0"]) in (2, 5)
    message = capsys.readouterr().err
    for named in ("im2", "im4", "patch", "train.epochs"):
        assert named in message


@pytest.mark.slow
@pytest.mark.full
@pytest.mark.parametrize("kind", ["constant", "no object", "one object", "smaller than a patch"])
def test_odd_but_legal_images_run_to_the_end(project, tmp_path: Path, kind: str) -> None:
    args = project()
    image, labels = discs((48, 40), 1)
    image, labels = {
        "constant": (np.full_like(image, 7), labels),
        "no object": (image, np.zeros_like(labels)),
        "one object": (image, (labels == 1).astype(np.uint16)),
        "smaller than a patch": (image[:9, :11], labels[:9, :11]),
    }[kind]
    for part in ("train", "test"):
        name = "im1" if part == "train" else "im4"
        replace(tmp_path / f"data/{part}/raw/{name}.tif", image)
        replace(tmp_path / f"data/{part}/labels/{name}.tif", labels)
    with pytest.warns(UserWarning, match="constant") if kind == "constant" else _nothing():
        assert main(args) == 0


def _nothing():
    import contextlib

    return contextlib.nullcontext()


def test_an_output_that_cannot_be_written(
    project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main([*project(), "--out", str(tmp_path / "file")]) == 4
    assert "--out" in capsys.readouterr().err
