"""A file imports only from lower floors; the floors are the architecture."""

from __future__ import annotations

import ast
import functools
import graphlib
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "jaxseg"
FLOORS = {
    0: {"errors"},
    1: {"config", "geometry", "symmetry", "runtime", "progress", "signals", "memory", "hosts"},
    2: {"volume"},
    3: {"io", "percentiles", "resample", "augment", "targets", "losses", "models", "labels"},
    4: {"measurements", "metrics", "channels", "normalize"},
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
# Below the floor of runs, what looks at a whole configuration: it chooses a network for it,
# translates it, or tells whether a checkpoint fits it.
KNOW_THE_CONFIGURATION = {
    "jaxseg.checkpoint",
    "jaxseg.interop.biapy.job",
    "jaxseg.interop.biapy.translation",
    "jaxseg.interop.foreign",
    "jaxseg.network",
    "jaxseg.prediction.foreign",
    "jaxseg.prediction.predictor",
}
# Modules that gather the rows of a table or the steps of a run, and so import each of them; all
# tasks do.
GATHERING = {
    "jaxseg.decoding.table",
    "jaxseg.planning.prediction",
    "jaxseg.stages.decoders",
    "jaxseg.stages.objects",
    "jaxseg.workflows",
}
MOST_IMPORTS, MOST_LINES = 15, 400
VAGUE = {"utils", "helpers", "common", "base", "misc"}


def module(path: Path) -> str:
    """The name by which a file is imported."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {
    module(path): path for path in sorted(PACKAGE.rglob("*.py")) if path.parent != PACKAGE
} | {module(path): path for path in sorted(PACKAGE.glob("[!_]*.py"))}


def part(name: str) -> str:
    """The module or package directly below jaxseg that a module belongs to."""
    return name.split(".")[1]


@functools.cache
def tree(name: str) -> ast.Module:
    return ast.parse(MODULES[name].read_text())


def names_imported(name: str) -> Iterator[str]:
    """What a module imports, wherever in its file it does so: modules, and names out of them."""
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@functools.cache
def imports(name: str) -> frozenset[str]:
    """The modules of jaxseg that a module imports.

    Importing a module runs the ``__init__`` of the packages around it, which counts as an import
    except where the importing module lies in the package itself.
    """
    found = set(names_imported(name))
    found |= {one.rpartition(".")[0] for one in found if one not in MODULES}
    around = {one.rpartition(".")[0] for one in found if one in MODULES}
    around |= {one.rpartition(".")[0] for one in around}
    found |= {one for one in around if not f"{name}.".startswith(f"{one}.")}
    return frozenset(one for one in found if one in MODULES and one != name)


def test_imports_go_down() -> None:
    unknown = {part(name) for name in MODULES} - FLOOR.keys()
    assert not unknown, "they have no floor: add them to the table in this test"
    wrong = [
        f"{name} imports {other}"
        for name in MODULES
        for other in imports(name)
        if part(other) != part(name) and FLOOR[part(other)] >= FLOOR[part(name)]
    ]
    assert not wrong


def test_files_do_not_import_each_other_in_circles() -> None:
    graphlib.TopologicalSorter({name: imports(name) for name in MODULES}).prepare()


def test_files_are_short_and_have_one_subject() -> None:
    long = {name for name, path in MODULES.items() if path.read_text().count("\n") > MOST_LINES}
    assert not long
    assert not {name for name, path in MODULES.items() if path.stem in VAGUE}


def test_files_need_few_others() -> None:
    many = {
        name: len(imports(name))
        for name, path in MODULES.items()
        if len(imports(name)) > MOST_IMPORTS
        and path.name != "__init__.py"
        and part(name) != "tasks"
    }
    assert many.keys() <= GATHERING, many


def test_packages_are_packages() -> None:
    """A folder without ``__init__.py`` would be missing in the wheel."""
    folders = {path.parent for path in MODULES.values()}
    assert not [folder for folder in folders if not (folder / "__init__.py").is_file()]


def test_configuration_never_imports_jax() -> None:
    for name in MODULES:
        if part(name) == "config":
            assert "jax" not in {one.split(".")[0] for one in names_imported(name)}, name


def test_array_functions_never_see_a_whole_configuration() -> None:
    knowing = {
        name
        for name in MODULES
        if part(name) != "config" and FLOOR[part(name)] < FLOOR["runs"]
        for one in names_imported(name)
        if one.startswith("jaxseg.config") and one.endswith(".Config")
    }
    assert knowing <= KNOW_THE_CONFIGURATION


def test_no_stage_is_told_by_its_name() -> None:
    """Names of stages are shown and stored; only where a stage is made does its name stand."""
    stages = {name for name in MODULES if part(name) == "stages"}
    names = {value for name in stages for value in stage_names(name)}
    assert names
    for name in MODULES.keys() - stages:
        for node in ast.walk(tree(name)):
            if isinstance(node, ast.Compare):
                words = {one.value for one in ast.walk(node) if isinstance(one, ast.Constant)}
                assert not words & names, f"{name}:{node.lineno}"


def stage_names(name: str) -> Iterator[str]:
    """Names that stand in the calls that make stages."""
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Stage":
            values = [word.value for word in node.keywords if word.arg == "name"]
            yield from (value.value for value in values if isinstance(value, ast.Constant))
