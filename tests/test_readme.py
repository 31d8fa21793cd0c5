"""The README's Python runs, its commands and files exist, and its names are the library's."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import jaxseg
from jaxseg.cli import export
from jaxseg.cli.check import Check
from jaxseg.config import Config
from jaxseg.config.load import parse

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
    for name in ("ch", "encode", "decode", "watershed", "matching", "measure", "predict"):
        assert not hasattr(getattr(jaxseg, name), "__path__"), f"js.{name} is a module"
        assert callable(getattr(jaxseg, name))


def test_make_targets_and_files_exist() -> None:
    targets = re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    for target in re.findall(r"\bmake ([a-z0-9-]+)", README):
        assert target in targets
    for path in re.findall(r"\b((?:configs|benchmarks|jaxseg|tests)/[\w/.]+\.(?:py|md))", README):
        assert (ROOT / path).is_file()


def names_of(options: type) -> set[str]:
    return {f"--{field.name}" for field in dataclasses.fields(options)}


# What the command lines of tools take, other than fields of the configuration.
TOOLS = {
    "jaxseg.cli.check": names_of(Check),
    "jaxseg.cli.export": names_of(export.Arguments),
    "jaxseg.cli.import_weights": {"--from", "--to", "--config"},
    "jaxseg.cli.slurm": {"--shards", "--config"},
}


def test_options_in_the_readme_are_legal() -> None:
    commands = [
        command
        for kind, text in BLOCKS
        if kind == "bash"
        for command in text.replace("\\\n", " ").splitlines()
    ]
    assert len(commands) > 8
    for command in commands:
        options = set(re.findall(r"(--[\w.-]+)", command))
        tool = next((name for name in TOOLS if name in command), "")
        if tool:
            assert options <= TOOLS[tool]
            continue
        for option in options - {"--config", "--help", "--debug", "--dry-run"}:
            value = {"--phases": ["train"], "--model": ["unet"]}.get(option, ["x"])
            network = ["--model", "bmz"] if option.startswith("--model.") else []
            parse([*network, option, *value], Config())
