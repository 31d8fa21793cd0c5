"""A file imports only from lower floors; the floors are the architecture."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "jaxseg"
FLOORS = {
    0: {"errors"},
    1: {"config", "geometry", "symmetry", "runtime", "progress", "signals", "memory", "hosts"},
    2: {"volume"},
    3: {"io", "normalize", "resample", "augment", "targets", "losses", "models", "labels"},
    4: {"measure", "metrics", "channels"},
    5: {"data", "tta", "checkpoint", "decoding", "interop", "network"},
    6: {"train", "prediction"},
    7: {"report", "blocks"},
    8: {"runs"},
    9: {"stages"},
    10: {"tasks"},
    11: {"planning"},
    12: {"workflows"},
    13: {"cli"},
    14: {"main"},
}
FLOOR = {name: floor for floor, names in FLOORS.items() for name in names}
FILES = [path for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py"]


def part(path: Path) -> str:
    """The module or package directly below jaxseg that a file belongs to."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported(path: Path) -> set[str]:
    """The parts of jaxseg that a file imports, wherever in the file it does so."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("jaxseg"):
            rest = node.module.split(".")[1:]
            found |= {rest[0]} if rest else {alias.name for alias in node.names}
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
            found |= {name[1] for name in names if name[0] == "jaxseg" and len(name) > 1}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_down(path: Path) -> None:
    assert part(path) in FLOOR, f"{part(path)} has no floor: add it to the table in this test"
    for other in imported(path) - {part(path)}:
        assert FLOOR[other] < FLOOR[part(path)], f"{part(path)} must not import {other}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_have_one_subject(path: Path) -> None:
    assert path.stem not in {"utils", "helpers", "common", "base", "misc"}
    assert len(path.read_text().splitlines()) <= 400


def test_config_never_imports_jax() -> None:
    for path in (PACKAGE / "config").glob("*.py"):
        assert "jax" not in {name.split(".")[0] for name in external(path)}


def external(path: Path) -> set[str]:
    """Modules a file imports from outside jaxseg."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if not name.startswith("jaxseg")}
