"""The conventions of public functions, held for all of them by reflection.

A function is public where the ``__init__`` of its package, or a module directly below ``jaxseg``,
offers it. A new one is tested by existing.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import jaxseg

MODULES = sorted(
    name
    for name in jaxseg.__all__
    if name not in jaxseg._HOME and name not in ("config", "errors", "workflows", "blocks")
)
# What a function may take by position though it has a default: one more operand, no option.
OPTIONS = ("bool", "int", "float", "str")
# Exceptions, each with its reason.
POSITIONAL_OPTIONS = {
    "decoding.decoder_of": "the name of the decoder is what the function is asked for",
    "decoding.row_of": "the decoder's name is what the function is asked for",
    "symmetry.orientations": "the name of the group is what the function is asked for",
    "targets.half_neighborhood": "the neighbourhood is what the function is asked for",
    "targets.ray_directions": "the number of rays is what the function is asked for",
    "data.save_probability_maps": "the value to ignore is one more operand",
}
# Parts of decoders that only their stages call; the decoders' own functions say what they take.
PARTS = {
    "decoding.affinity_edges",
    "decoding.agglomeration_steps",
    "decoding.flow_steps",
    "decoding.fragment_ascents",
    "decoding.fragment_reach",
    "decoding.mask_plan",
    "decoding.mutex_steps",
    "decoding.near_offsets",
    "decoding.shapes",
    "decoding.watershed_steps",
}
KEY_LATER = {"train.init_state": "the key serves the model, which comes first"}


def functions() -> Iterator[tuple[str, Callable[..., Any]]]:
    """Every public function with its name."""
    for module in MODULES:
        home = importlib.import_module(f"jaxseg.{module}")
        names = getattr(home, "__all__", None) or [
            name for name, value in vars(home).items()
            if not name.startswith("_") and getattr(value, "__module__", "") == home.__name__
        ]  # fmt: skip
        for name in names:
            if inspect.isfunction(getattr(home, name)):
                yield f"{module}.{name}", getattr(home, name)


FUNCTIONS = dict(functions())
DOCUMENTED = sorted(FUNCTIONS.keys() - PARTS)
every_function = pytest.mark.parametrize("name", FUNCTIONS)


def parameters(name: str) -> list[inspect.Parameter]:
    return list(inspect.signature(FUNCTIONS[name]).parameters.values())


def is_array(annotation: object) -> bool:
    return bool(re.search(r"\bArray\b|ndarray|ArrayLike", str(annotation)))


@every_function
def test_randomness_is_a_key_and_comes_first(name: str) -> None:
    names = [one.name for one in parameters(name)]
    assert "rng" not in names or names[0] == "rng"
    if "key" in names and name not in KEY_LATER:
        assert names[0] == "key"


@every_function
def test_options_are_keyword_only(name: str) -> None:
    given = [
        one
        for one in parameters(name)
        if one.default is not one.empty and one.kind is one.POSITIONAL_OR_KEYWORD
    ]
    assert len(given) <= 1, "more than one optional argument by position"
    for one in given:
        kinds = re.findall(r"\w+", str(one.annotation))
        is_option = set(kinds) & set(OPTIONS) and not set(kinds) & {"Sequence", "Mapping", "tuple"}
        assert not is_option or name in POSITIONAL_OPTIONS, f"{one.name} is an option"


@pytest.mark.parametrize("name", DOCUMENTED)
def test_docstrings_have_their_sections(name: str) -> None:
    text, given = inspect.getdoc(FUNCTIONS[name]) or "", parameters(name)
    assert text, "no docstring"
    assert text.partition("\n")[0].rstrip().endswith((".", "?"))
    if len(given) > 2:
        assert "Parameters\n" in text
    if "Parameters\n" in text:
        section = text.partition("Parameters\n")[2]
        missing = [one.name for one in given if not re.search(rf"\b{one.name}\b", section)]
        assert not missing
        returned = inspect.signature(FUNCTIONS[name]).return_annotation
        if returned not in (None, "None", inspect.Signature.empty):
            assert "Returns\n" in text or "Yields\n" in text


@pytest.mark.parametrize("name", DOCUMENTED)
def test_shapes_of_arrays_are_told(name: str) -> None:
    text, signature = inspect.getdoc(FUNCTIONS[name]) or "", inspect.signature(FUNCTIONS[name])
    arrays = [one for one in signature.parameters.values() if is_array(one.annotation)]
    if len(signature.parameters) > 2 and arrays:
        assert re.search(r"\(\*?[A-Z]\w*\b|\([^()]*,\)|\(n\b|shape|scalar", text)


def test_exceptions_are_functions() -> None:
    assert PARTS | POSITIONAL_OPTIONS.keys() | KEY_LATER.keys() <= FUNCTIONS.keys()


@pytest.mark.full
@pytest.mark.parametrize("first", ["decoding", "measurements"])
def test_names_mean_the_same_whatever_was_imported_before(first: str) -> None:
    code = (
        f"import importlib, types, jaxseg as js\n"
        f"importlib.import_module('jaxseg.{first}')\n"
        "for name in js.__all__:\n"
        "    value = getattr(js, name)\n"
        "    assert isinstance(value, types.ModuleType) != (name in js._HOME), name\n"
        "assert set(js.__all__) <= set(dir(js))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_editors_see_every_name() -> None:
    """The names under ``TYPE_CHECKING`` are those of ``__all__`` and come from where they live."""
    tree = ast.parse(Path(jaxseg.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {}
    for node in block.body:
        assert isinstance(node, ast.ImportFrom)
        seen |= {alias.name: node.module for alias in node.names}
    assert sorted(seen) == sorted(jaxseg.__all__)
    for name, module in seen.items():
        if name in jaxseg._HOME:
            assert getattr(importlib.import_module(module), name) is getattr(jaxseg, name)
    assert Path(jaxseg.__file__).with_name("py.typed").is_file()
