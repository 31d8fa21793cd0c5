"""The phase tune: options found on images with labels are kept and used, unless given by hand."""

from __future__ import annotations

import functools
import itertools
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from support import small_runs

from jaxseg.decoding import tune
from jaxseg.main import main
from jaxseg.stages.orientations import oriented
from jaxseg.tasks.tuning import shares

pytestmark = [pytest.mark.full, pytest.mark.usefixtures("quick_compilation", "no_charts")]


@pytest.fixture
def project(tmp_path: Path) -> list[str]:
    small_runs.write(tmp_path / "data")
    return small_runs.command(
        tmp_path, ndim=2, patch=(16, 16), channels="(ch('F'), ch('C'))", file="config.py"
    )


def test_a_run_tunes_its_decoder(project: list[str], tmp_path: Path, capsys, monkeypatch) -> None:
    # Every trial takes a second of this clock.
    quick = functools.partial(tune, clock=itertools.count().__next__)
    monkeypatch.setattr("jaxseg.tasks.tuning.tune", quick)
    assert main([*project, "--tune.minutes", "0.2"]) == 0
    file = tmp_path / "out/discs/checkpoints/discs_1/tuned.json"
    stored = json.loads(file.read_text())
    assert stored["decoder"] == "watershed"
    assert stored["after"] >= stored["before"]
    assert 1 < len(stored["trials"]) < 20
    text = capsys.readouterr().out
    assert "options of watershed on images with labels" in text
    assert "seed_height" in text
    # Again nothing is to be done.
    assert main([*project, "--tune.minutes", "0.2"]) == 0
    assert "options of watershed" not in capsys.readouterr().out


@pytest.mark.slow
def test_tuned_options_decide_unless_given_by_hand(project: list[str], tmp_path: Path) -> None:
    run = tmp_path / "out/discs"
    assert main([*project, "--phases", "train", "predict"]) == 0
    for number in (4, 5):
        planes = np.zeros((48, 40, 2))
        planes[4:9, 4:9] = planes[20:30, 20:30] = 0.9
        planes[..., 1] = 0
        _replace(run / "results/discs_1", f"im{number}", planes)
    tuned = {"decoder": "watershed", "options": {"min_size": 50}, "before": 0, "after": 1}
    file = run / "checkpoints/discs_1/tuned.json"
    file.write_text(json.dumps(tuned))
    assert main([*project, "--phases", "decode"]) == 0
    assert _objects(run / "results/discs_1") == [1, 1]
    # Other tuned options are not taken for the same.
    file.write_text(json.dumps(tuned | {"options": {"min_size": 1}}))
    assert main([*project, "--phases", "decode"]) == 2
    for extra in (["--watershed.min-size", "10"], ["--tune.no-use"]):
        assert main([*project, "--phases", "decode", "--overwrite", *extra]) == 0
        assert _objects(run / "results/discs_1") == [2, 2]
    file.write_text("{")
    assert main([*project, "--phases", "decode", "--overwrite"]) == 5


def _replace(results: Path, name: str, planes: np.ndarray) -> None:
    shutil.rmtree(results / f"per_image/{name}.zarr")
    small_runs.write_planes(results, name, planes)


def _objects(results: Path) -> list[int]:
    files = sorted((results / "per_image_instances").glob("im?.tif"))
    return [int(tifffile.imread(file).max()) for file in files]


def test_training_images_are_tuned_on_with_what_validation_images_leave(
    project: list[str], tmp_path: Path, capsys
) -> None:
    few = ["--tune.minutes", "0"]
    assert main([*project, *few, "--phases", "train"]) == 0
    # Images of 48 x 40 voxels; twice a patch of 16 x 16 along each axis are 1024.
    for more, images in (
        ([], 3),
        (["--tune.no-training-images"], 1),
        (["--tune.voxels", "1500"], 1),
        (["--tune.voxels", "3000"], 2),
    ):
        capsys.readouterr()
        assert main([*project, *few, *more, "--phases", "tune", "--overwrite"]) == 0
        assert f"to tune with: {images} of {images} in" in capsys.readouterr().out


@given(st.lists(st.integers(1, 1000), max_size=20), st.integers(0, 5000), st.integers(1, 300))
def test_shares_take_no_more_than_there_is(sizes: list[int], total: int, least: int) -> None:
    taken = shares(sizes, total, least=least)
    assert sum(taken.values()) <= total
    assert all(0 < voxels <= sizes[number] for number, voxels in taken.items())
    if sum(sizes) <= total and len(sizes) * least <= total:
        assert taken == dict(enumerate(sizes))
    # What one image lacks the others have: none of those that are cut has less than another.
    cut = [voxels for number, voxels in taken.items() if voxels < sizes[number]]
    assert not cut or min(cut) >= max(taken.values()) - 1


def test_tuning_predicts_as_a_prediction_does(project: list[str], monkeypatch) -> None:
    modes = []

    def told(config, predictor, spacing):
        modes.append(config.predict.tta_mode)
        return oriented(config, predictor, spacing)

    monkeypatch.setattr("jaxseg.tasks.tuning.oriented", told)
    monkeypatch.setattr("jaxseg.stages.predicting.oriented", told)
    options = ["--predict.tta", "flips", "--predict.tta-mode", "max", "--tune.minutes", "0"]
    assert main([*project, *options, "--phases", "train", "tune", "predict"]) == 0
    assert set(modes) == {"max"}
    assert len(modes) == 3 + 2
