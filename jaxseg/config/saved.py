"""Configurations as plain data, as JSON holds them, and back."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import types
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import Any, Union, get_args, get_origin

from jaxseg.config.architectures import SOURCES, Model
from jaxseg.config.channels import OPTIONS, Channel
from jaxseg.config.earlier import RENAMED, as_now
from jaxseg.config.option import (
    bare,
    join,
    leaves,
    nearest,
    options_of,
    problems,
    shown,
)
from jaxseg.config.schema import Config
from jaxseg.errors import ConfigError, raise_all


def plain(value: Any) -> Any:
    """Dataclasses as dictionaries and tuples as lists, as JSON holds them."""
    if hasattr(value, "to_plain"):
        return plain(value.to_plain())
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value)]
        return {name: plain(getattr(value, name)) for name in names}
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    if isinstance(value, Real) and not isinstance(value, bool):
        return int(value) if isinstance(value, Integral) else float(value)
    return value


def to_plain(config: Config) -> dict[str, Any]:
    """The configuration as JSON holds it."""
    return plain(config)


def from_plain(data: Any, file: str = "") -> Config:
    """A configuration out of :func:`to_plain`'s data, checked like any other.

    Parameters
    ----------
    data : anything that JSON or YAML can hold
    file : str
        Where it comes from.

    Raises
    ------
    ConfigError
        Everything that is not as it should be.
    """
    if not isinstance(data, dict):
        raise ConfigError(
            "not a saved configuration", file=file, expected="an object", found=shown(data)
        )
    wrong: list[ConfigError] = []
    config = build(as_now(data), Config, wrong=wrong)
    raise_all([*wrong, *problems(config)])
    return config


def build(data: Any, hint: Any, where: str = "", wrong: list[ConfigError] | None = None) -> Any:
    """The inverse of :func:`plain`: a value of the annotated type out of plain data.

    Parameters
    ----------
    data : plain data; what does not fit is left as it is, to be found by
        :func:`jaxseg.config.option.problems`
    hint : the annotation
    where : dotted name of its field
    wrong : takes keys that are unknown or missing; None = raise them

    Raises
    ------
    ConfigError
        A key that the dataclass does not have, or one that is missing.
    """
    found: list[ConfigError] = []
    value = _build(data, bare(hint), where, found if wrong is None else wrong)
    raise_all(found)
    return value


def _build(data: Any, hint: Any, where: str, wrong: list[ConfigError]) -> Any:
    if isinstance(data, dict):
        return _section(data, _kind(data, hint, where, wrong), where, wrong)
    kinds = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    tuples = [kind for kind in kinds if get_origin(kind) is tuple]
    if not isinstance(data, list) or not tuples:
        return data
    # Of all types that an option may have, only tuples are lists in JSON.
    items = get_args(tuples[0])
    repeated = len(items) == 2 and items[1] is Ellipsis
    if not repeated and len(items) != len(data):
        return tuple(data)
    hints = [items[0]] * len(data) if repeated else items
    return tuple(
        _build(item, bare(kind), join(where, str(index)), wrong)
        for index, (item, kind) in enumerate(zip(data, hints, strict=True))
    )


def _kind(data: dict[str, Any], hint: Any, where: str, wrong: list[ConfigError]) -> Any:
    """The dataclass that a dictionary stands for; None if there is none."""
    if hint == Model:
        # Configurations saved before there was a choice do not name their network.
        try:
            return architecture(data.get("architecture", "unet"), where)
        except ConfigError as error:
            wrong.append(error)
            return None
    return hint if dataclasses.is_dataclass(hint) else None


def _section(data: dict[str, Any], kind: Any, where: str, wrong: list[ConfigError]) -> Any:
    if kind is None:
        return data
    if hasattr(kind, "from_plain"):
        try:
            return kind.from_plain(data, where)
        except ConfigError as error:
            wrong.append(error)
            return data
    hints: dict[str, Any] = {one.name: one.hint for one in options_of(kind)}
    if kind is Channel:
        name = data.get("name", "")
        if not isinstance(name, str) or name not in OPTIONS:
            wrong.append(ConfigError(f"unknown channel {shown(name)}", file=where))
            return data
        hints["options"], data = OPTIONS[name], {"options": {}} | data
    inner = {}
    for key, item in data.items():
        name = key if key in hints else RENAMED.get(key, key)
        if name in hints:
            inner[name] = _build(item, hints[name], join(where, name), wrong)
        else:
            wrong.append(unknown_option(str(key), kind, where))
    unset = dataclasses.MISSING
    needed = [
        field.name
        for field in dataclasses.fields(kind)
        if field.default is unset and field.default_factory is unset
    ]
    missing = [name for name in needed if name not in inner]
    if missing:
        wrong.append(ConfigError(f"no {missing[0]} given", file=where, expected=", ".join(hints)))
        return data
    return kind(**inner)


def architecture(name: Any, where: str = "model") -> Any:
    """The dataclass of a network by its name.

    Raises
    ------
    ConfigError
        There is none of this name.
    """
    if not isinstance(name, str) or name not in SOURCES:
        raise ConfigError(
            f"unknown network {shown(name)}{nearest(str(name), SOURCES)}",
            file=where,
            expected="one of " + ", ".join(SOURCES),
        )
    return SOURCES[name]


def unknown_option(name: str, kind: Any, where: str = "") -> ConfigError:
    """The error for an option that a dataclass does not have; it names those that it has."""
    legal = [one.name for one in options_of(kind) if one.name != "architecture"]
    return ConfigError(
        f"{kind.__name__} has no option {shown(name)}{nearest(name, legal)}",
        file=where,
        expected="one of " + ", ".join(legal),
    )


def flat(data: Any, prefix: str = "") -> dict[str, Any]:
    """Nested plain data as one mapping from dotted names to values.

    >>> flat({"train": {"lr": 0.1}, "seed": 0})
    {'train.lr': 0.1, 'seed': 0}
    """
    if not isinstance(data, dict):
        return {prefix: data}
    found: dict[str, Any] = {}
    for key, value in data.items():
        found |= flat(value, join(prefix, str(key)))
    return found


def values(config: Config, *readers: str) -> dict[str, Any]:
    """What some readers read of a configuration, as a flat mapping of plain data.

    Parameters
    ----------
    config : Config
    *readers : str
        Names that options have in ``read_by``, see :data:`jaxseg.config.schema.READERS`.

    Examples
    --------
    >>> values(Config(), "join")
    {'blocks.merge_threshold': 0.5}
    """
    return {
        name: plain(value)
        for name, value, read_by in leaves(config)
        if set(read_by or ()) & set(readers)
    }


def select(config: Config, fields: Iterable[str]) -> dict[str, Any]:
    """The part of a configuration that some dotted prefixes name, as a flat mapping.

    >>> select(Config(), ["train.lr", "seed"])
    {'train.lr': 0.001, 'seed': 0}
    """
    everything, prefixes = flat(plain(config)), tuple(fields)
    return {
        name: value
        for name, value in everything.items()
        if any(name == prefix or name.startswith(prefix + ".") for prefix in prefixes)
    }


def differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The names that two flat mappings do not have with the same value, sorted.

    >>> differing({"lr": 0.1, "seed": 0}, {"lr": 0.2, "seed": 0})
    ['lr']
    """
    return sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))


def digest(data: Any) -> str:
    """A short hash of plain data, the same for equal values in any order of keys."""
    text = json.dumps(data, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
