"""A YAML file and the documents' flags on the command line, and as a file in Python."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jaxseg.cli import run
from jaxseg.cli.app import main
from jaxseg.config import Config
from jaxseg.config.load import load

JOB = """
PROBLEM: {TYPE: SEMANTIC_SEG, NDIM: 2D}
DATA: {PATCH_SIZE: "(64, 64, 1)", TRAIN: {PATH: a, GT_PATH: b}}
TRAIN: {ENABLE: True, OPTIMIZER: ADAMW, EPOCHS: 9}
"""


@pytest.fixture
def job(tmp_path: Path) -> str:
    (tmp_path / "job.yaml").write_text(JOB)
    return str(tmp_path / "job.yaml")


def test_the_documents_command_line(
    job: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found: list[Config] = []
    monkeypatch.setattr(run, "run", found.append)
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    words = ["run", "--config", job, "--result_dir", "there", "--name", "n", "--run_id", "3"]
    assert main([*words, "--gpu", "1", "--train.epochs", "2"]) == 0
    (config,) = found
    assert (config.out, config.name, config.run, config.train.epochs) == ("there", "n", "3", 2)
    assert (config.task, config.patch, config.phases) == ("semantic", (64, 64), ("train",))
    assert os.environ.pop("CUDA_VISIBLE_DEVICES") == "1"
    assert capsys.readouterr().out.count("TRAIN.EPOCHS") == 1
    assert main([*words, "--gpu", "first"]) == 2


def test_new_config_from_yaml(job: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new-config", "--from", job]) == 0
    (tmp_path / "mine.py").write_text(capsys.readouterr().out)
    assert load(tmp_path / "mine.py") == load(job)
    assert main(["new-config", "--from", str(tmp_path / "none.yaml")]) == 2
