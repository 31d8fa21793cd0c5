"""The README's Python runs, its commands and files exist, and its names are the library's."""

from __future__ import annotations

import importlib
import pkgutil
import re
import runpy
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import jaxseg
from jaxseg.cli import app
from jaxseg.config import ARCHITECTURES, OPTIONS
from jaxseg.config.decoders import KINDS

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
# Files that commands name but nobody has, by those that stand for them.
FILES = {"mine.py": "inst2d", "CONFIG.py": "inst2d", "job.yaml": "inst2d"}


def blocks_of(page: Path, kind: str) -> list[tuple[Path, str]]:
    """The code of one language on a page."""
    texts = re.findall(rf"```{kind}\n(.*?)```", page.read_text(), flags=re.DOTALL)
    return [(page, text) for text in texts]


CODE = [block for page in PAGES for block in blocks_of(page, "python")]


@pytest.mark.parametrize("code", [pytest.param(text, id=page.stem) for page, text in CODE])
def test_python_blocks_run(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(code, "README.md", "exec"), {})
    printed = capsys.readouterr().out.split()
    assert bool(printed) == ("print(" in code)
    if printed:
        assert float(printed[0]) > 0.9


def test_public_names_are_there_whatever_was_imported_before() -> None:
    for module in pkgutil.walk_packages(jaxseg.__path__, "jaxseg."):
        # The compiled kernels are no module of Python.
        if not module.name.endswith("._native"):
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


def commands() -> Iterator[Any]:
    """The commands of all pages, in words."""
    for page in PAGES:
        for _, text in blocks_of(page, "bash"):
            for line in text.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                if words and words[0] == "jaxseg":
                    yield pytest.param(words[1:], id=f"{page.stem}: {' '.join(words)}")


@pytest.mark.parametrize("words", list(commands()))
def test_commands_of_the_pages_are_legal(words: list[str]) -> None:
    if ">" in words:
        words = words[: words.index(">")]
    name, *options = [FILES.get(word, word) for word in words if word != "--help"]
    assert app._parse([name, *options], name, app._module(name)) is not None


def test_every_option_has_its_line() -> None:
    """The page of options is what the program beside it writes."""
    writer = runpy.run_path(str(ROOT / "docs" / "write_options.py"))
    assert writer["PAGE"].read_text(encoding="utf-8") == writer["page"](), (
        "run python docs/write_options.py"
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / link).exists(), link


def test_every_channel_decoder_and_network_is_explained() -> None:
    text = (ROOT / "docs" / "channels.md").read_text()
    channels = set(
        re.findall(r"\w+", " ".join(re.findall(r"^\| ([\w, ]+) \|", text, re.MULTILINE)))
    )
    assert set(OPTIONS) <= channels
    assert set(KINDS) <= set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))
    exchange = (ROOT / "docs" / "exchange.md").read_text()
    assert set(ARCHITECTURES) <= set(re.findall(r"`([\w+]+)`", exchange))
    for path in (ROOT / "configs").glob("*.py"):
        assert f"{path.stem}" in README
