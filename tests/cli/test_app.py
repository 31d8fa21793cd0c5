"""The program: one parser, quick help, plain errors, shipped configurations."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jaxseg.cli import app, new_config
from jaxseg.config.load import load
from jaxseg.main import main

ROOT = Path(__file__).resolve().parents[2]


def printed(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What a command prints before it leaves with help."""
    with pytest.raises(SystemExit) as stop:
        app.main(words)
    assert stop.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("words", [[], ["--help"]])
def test_help_lists_all_commands(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(words, capsys)
    for name in app.COMMANDS:
        assert name in text
    assert "75 interrupted" in text


@pytest.mark.parametrize("name", app.COMMANDS)
def test_every_command_explains_its_options(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = printed([name, "--help"], capsys)
    assert f"jaxseg {name}" in text
    assert "Args:" not in text
    if app.takes_configuration(app._module(name)):
        assert "--train.epochs" in text
        assert "stunet" in text
        assert "--words" not in text


def test_help_of_the_program_imports_no_array_library() -> None:
    code = (
        "import sys\n"
        "from jaxseg.cli.app import main\n"
        "try: main(['--help'])\n"
        "except SystemExit as stop: assert stop.code == 0\n"
        "assert not {'jax', 'numpy', 'jaxseg.config'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rnu"], "did you mean 'run'"),
        (["run", "--train.epoch", "3"], "did you mean '--train.epochs'"),
        (["plan", "--bacth", "3"], "did you mean '--train.batch'"),
        (["slurm", "--shard", "3"], "did you mean"),
        (["run", "--channels", "F", "C"], "channels is a list that only a configuration file sets"),
        (["run", "--config", "inst2"], "did you mean 'inst2d'"),
        (["run", "--model", "resunets"], "did you mean 'resunet'"),
        (["new-config", "inst4d"], "one of affinity3d"),
        (["run", "--config", "nowhere.py"], "no such configuration file"),
    ],
)
def test_mistyped_words_name_the_nearest(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app.main(words) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["check"], ["status"], ["export", "--checkpont", "x"], ["run", "--train.epochs", "x"]]
)
def test_missing_and_unreadable_values_end_with_2(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        app.main(words)
    assert stop.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


def test_run_is_the_module_main(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--config", "inst2d", "--train.epochs", "0"]
    assert main(words) == app.main(["run", *words]) == 2
    first, second = capsys.readouterr().err.split("train.epochs")[:2]
    assert "data.train.raw" in first + second


def test_shipped_configurations_are_those_of_the_folder(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    files = sorted((ROOT / "configs").glob("*.py"))
    assert [path.stem for path in files] == list(new_config.configurations())
    assert app.main(["new-config"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [path.stem for path in files]
    assert app.main(["new-config", "inst2d"]) == 0
    mine = tmp_path / "mine.py"
    mine.write_text(capsys.readouterr().out)
    assert load(mine) == load(ROOT / "configs" / "inst2d.py")


def test_a_file_is_taken_before_a_shipped_configuration(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert new_config.shipped("inst2d").is_file()
    (tmp_path / "inst2d").write_text("")
    assert new_config.shipped("inst2d") == Path("inst2d")


def test_debug_shows_where_an_error_comes_from() -> None:
    with pytest.raises(Exception, match=r"data\.train\.raw"):
        app.main(["run", "--debug", "--config", "inst2d"])


def test_a_reader_that_ends_is_no_traceback() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "jaxseg.main", "--help"]
    with os.fdopen(writer, "wb") as output:
        options = {"stderr": subprocess.PIPE, "text": True, "check": False}
        done = subprocess.run(command, stdout=output, **options)
    assert done.returncode == 141
    assert "Traceback" not in done.stderr
