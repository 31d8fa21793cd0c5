"""Where Python finds an object, so that a configuration that holds it can be saved and read again.

A place is ``module:name``, or ``path.py:name`` of what a configuration file defines itself.
"""

from __future__ import annotations

import importlib
import runpy
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tyro.constructors import PrimitiveConstructorSpec

from jaxseg.errors import ConfigError

# What configuration files define that were run in this process, by their absolute path.
_FILES: dict[str, Mapping[str, Any]] = {}


def remember(path: str | Path, namespace: Mapping[str, Any]) -> None:
    """Note what a configuration file defines, when it has been run."""
    _FILES[str(Path(path).resolve())] = namespace


def place_of(value: Any) -> str:
    """The place of a function, a class or a row of a table; empty where it has no name of its own.

    >>> place_of(remember)
    'jaxseg.config.places:remember'
    """
    for home, namespace in _namespaces(value):
        for name, item in list(namespace.items()):
            if item is value and name.isidentifier():
                return f"{home}:{name}"
    return ""


def _namespaces(value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Modules and files where an object may be defined, with what they define."""
    parts = [value, *(vars(value).values() if hasattr(value, "__dict__") else ())]
    modules = {getattr(part, "__module__", None) for part in parts if callable(part)}
    for module in sorted(name for name in modules if isinstance(name, str)):
        if module in sys.modules:
            yield module, vars(sys.modules[module])
    yield from _FILES.items()
    yield "__main__", vars(sys.modules["__main__"])


def at_place(place: Any, where: str = "") -> Any:
    """The object at a place.

    Parameters
    ----------
    place : str
        As :func:`place_of` gives it. The module is imported, the file run.
    where : str
        The option that names it, for messages.

    Raises
    ------
    ConfigError
        There is no such module, file or name.
    """
    home, _, name = str(place).rpartition(":")
    try:
        if home.endswith(".py"):
            path = str(Path(home).resolve())
            if path not in _FILES:
                remember(path, runpy.run_path(path))
            return _FILES[path][name]
        return getattr(importlib.import_module(home), name)
    except Exception as error:
        raise ConfigError(
            f"nothing is found at {str(place)[:200]!r}: {type(error).__name__}: {error}",
            file=where,
            expected="module:name or path.py:name",
            fix="install the module, or put the file back",
        ) from error


# A word on the command line; in a configuration file also an object, which a command line shows.
WORD: Any = PrimitiveConstructorSpec(
    nargs=1,
    metavar="NAME",
    instance_from_str=lambda words: words[0],
    is_instance=lambda value: True,
    str_from_instance=lambda value: [value if isinstance(value, str) else place_of(value) or "own"],
)
