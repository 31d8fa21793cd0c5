"""Where Python finds an object, so that a configuration that holds it can be saved and read again.

A place is ``module:name``, or ``path.py:name`` of what a configuration file defines itself.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib
import inspect
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


def content_of(value: Any) -> str:
    """A hash of the source of a user's own functions and classes in a value; empty without any.

    It is that of the functions and classes themselves, not of what they call. What comes with this
    library has its version, and what has no source that can be read has its place alone.

    Parameters
    ----------
    value : of an option: a function, a class, a row of a table, or some of them

    >>> content_of((3, "text", remember))
    ''
    """
    sources = list(_sources(value))
    text = "\0".join(sources)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest() if sources else ""


def _sources(value: Any) -> Iterator[str]:
    """The source of every own function or class in a value, in their order."""
    if isinstance(value, (tuple, list)):
        for item in value:
            yield from _sources(item)
    elif isinstance(value, functools.partial):
        yield from _sources((value.func, *value.args, *value.keywords.values()))
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        if not _is_ours(type(value)):
            yield from _sources(type(value))
        for one in dataclasses.fields(value):
            yield from _sources(getattr(value, one.name))
    elif callable(value) and not _is_ours(value):
        try:
            yield inspect.getsource(value)
        except (OSError, TypeError):
            return


def _is_ours(value: Any) -> bool:
    """Whether a function or class comes with this library."""
    return (getattr(value, "__module__", None) or "").partition(".")[0] == "jaxseg"


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
            where=where,
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
