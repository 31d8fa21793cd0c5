"""The README's Python runs, its commands and files exist, and its names are the library's."""

from __future__ import annotations

import importlib
import pkgutil
import re
import shlex
from pathlib import Path

import pytest

import jaxseg
from jaxseg.cli import app

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, flags=re.DOTALL)


@pytest.mark.parametrize("code", [text for kind, text in BLOCKS if kind == "python"])
def test_python_blocks_run(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(code, "README.md", "exec"), {})
    printed = capsys.readouterr().out.split()
    assert bool(printed) == ("print(" in code)
    if printed:
        assert float(printed[0]) > 0.9


def test_public_names_are_there_whatever_was_imported_before() -> None:
    for module in pkgutil.walk_packages(jaxseg.__path__, "jaxseg."):
        importlib.import_module(module.name)
    for name in re.findall(r"js\.([\w.]+)", README):
        value = jaxseg
        for part in name.split("."):
            value = getattr(value, part)
    for name in ("ch", "encode", "decode", "watershed", "matching", "predict"):
        assert not hasattr(getattr(jaxseg, name), "__path__"), f"js.{name} is a module"
        assert callable(getattr(jaxseg, name))


def test_make_targets_and_files_exist() -> None:
    targets = re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    for target in re.findall(r"\bmake ([a-z0-9-]+)", README):
        assert target in targets
    for path in re.findall(r"\b((?:configs|benchmarks|jaxseg|tests)/[\w/.]+\.(?:py|md))", README):
        assert (ROOT / path).is_file()


def commands() -> list[list[str]]:
    """The commands of the README, in words."""
    lines = [
        line
        for kind, text in BLOCKS
        if kind == "bash"
        for line in text.replace("\\\n", " ").splitlines()
    ]
    words = [shlex.split(line, comments=True) for line in lines]
    return [line for line in words if line and line[0].rpartition("/")[2] == "jaxseg"]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_commands_in_the_readme_are_legal(words: list[str], monkeypatch) -> None:
    name = words[1]
    options = [word for word in words[2:] if word not in (">", "...")]
    if ">" in words:
        options = words[2 : words.index(">")]
    if name in ("run", "plan", "slurm"):
        values = {"CONFIG.py": "inst2d", "...": "inst2d"}
        options = [values.get(word, word) for word in words[2:]]
    if "--help" in options:
        options.remove("--help")
    arguments = app._parse([name, *options], name, app._module(name))
    assert arguments is not None
