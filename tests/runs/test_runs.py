"""Folders and manifests of a run: nothing is overwritten unasked, finished work is recognised."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from jaxseg.config import Config, Train, Watershed, ch
from jaxseg.errors import ConfigError, ResourceError
from jaxseg.runs import manifest as runs


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(out=str(tmp_path / "out"), name="nuclei", channels=(ch("F"),))


def test_folders_follow_the_documented_tree(config: Config, tmp_path: Path) -> None:
    run = runs.open_run(config)
    assert run.results == tmp_path / "out/nuclei/results/nuclei_1"
    assert run.checkpoints == tmp_path / "out/nuclei/checkpoints/nuclei_1"
    assert run.config_file == tmp_path / "out/nuclei/config_files/nuclei_1.json"


def test_a_folder_that_cannot_be_made_is_named(config: Config, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResourceError, match="file") as caught:
        runs.open_run(dataclasses.replace(config, out=str(tmp_path / "file")))
    assert "--out" in str(caught.value)


def test_same_values_continue_other_values_are_refused(config: Config) -> None:
    run = runs.open_run(config)
    first = runs.claim(run, "train", config)
    assert runs.claim(run, "train", config) == first
    other = dataclasses.replace(config, train=Train(lr=0.5))
    with pytest.raises(ConfigError, match=r"train\.lr") as caught:
        runs.claim(run, "train", other)
    assert len(str(caught.value).splitlines()) <= 3
    assert json.loads(run.config_file.read_text())["train"]["lr"] == config.train.lr


def test_fields_of_later_phases_do_not_disturb_a_training(config: Config) -> None:
    run = runs.open_run(config)
    first = runs.claim(run, "train", config)
    other = dataclasses.replace(config, watershed=Watershed(min_size=9), phases=("train",))
    assert runs.claim(run, "train", other) == first
    assert runs.claim(run, "decode", config) != runs.claim(
        runs.open_run(dataclasses.replace(other, run="2")), "decode", other
    )


def test_overwriting_moves_results_aside(config: Config) -> None:
    run = runs.open_run(config)
    runs.claim(run, "predict", config)
    old = run.results / "per_image" / "a.tif"
    old.parent.mkdir()
    old.write_text("old")
    other = dataclasses.replace(
        config, overwrite=True, predict=dataclasses.replace(config.predict, tta="full")
    )
    runs.claim(run, "predict", other)
    assert not old.exists()
    assert [path.read_text() for path in run.root.glob("_trash/*/**/a.tif")] == ["old"]


def test_done_means_marked_and_present_and_from_the_same_input(config: Config) -> None:
    run = runs.open_run(config)
    output = run.results / "a.tif"
    state = {"digest": "1", "input": "x"}
    assert not runs.is_done(run, "predict", "a", state, [output])
    runs.mark_done(run, "predict", "a", state)
    assert not runs.is_done(run, "predict", "a", state, [output])
    output.write_text("")
    assert runs.is_done(run, "predict", "a", state, [output])
    with pytest.raises(ConfigError, match="another version"):
        runs.is_done(run, "predict", "a", {"digest": "2", "input": "x"}, [output])


def test_fingerprint_sees_a_changed_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("1")
    first = runs.fingerprint(path)
    path.write_text("22")
    assert runs.fingerprint(path) != first
