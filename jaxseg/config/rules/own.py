"""Rules about objects of a user's own: a run stores where they are, to find them again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jaxseg.config.option import join
from jaxseg.config.saved import to_plain
from jaxseg.config.schema import Config
from jaxseg.errors import ConfigError

# Keys of plain data that hold places.
PLACES = ("class", "spec", "loss", "function", "apply", "task")


def own_problems(config: Config) -> Iterator[ConfigError]:
    """Functions, classes and rows that have no name in a module or configuration file."""
    yield from _nameless(to_plain(config), "")


def _nameless(data: Any, where: str) -> Iterator[ConfigError]:
    items = enumerate(data) if isinstance(data, list) else data.items()
    for key, value in items:
        place = join(where, str(key))
        if isinstance(value, (dict, list)):
            yield from _nameless(value, place)
        elif key in PLACES and isinstance(value, str) and value.startswith(":"):
            yield ConfigError(
                "this has no name by which it could be found again",
                where=place.removesuffix(".class"),
                found=value[1:],
                fix="define it at the top level of a module or of the configuration file",
            )
