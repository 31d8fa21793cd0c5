"""Configurations as plain data, as JSON holds them, and back."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import types
from collections.abc import Callable, Iterable, Mapping
from numbers import Integral, Real
from typing import Any, NamedTuple, Union, get_args, get_origin

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
from jaxseg.config.places import at_place, content_of, place_of
from jaxseg.config.schema import Config
from jaxseg.errors import ConfigError, raise_all


def plain(value: Any, hint: Any = None) -> Any:
    """Dataclasses as dictionaries and tuples as lists, as JSON holds them.

    Objects of a user's own are stored as the places where Python finds them: functions and rows as
    text, the class of a section of its own as its key ``class``.

    Parameters
    ----------
    value : a section, or a value of an option
    hint : the annotation of its field; None = it is the class of the value
    """
    # A row that can be called stands where a function could.
    row = callable(value) and bool(place_of(value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type) and not row:
        kind, hint = type(value), bare(hint)
        if hint is Any:
            return place_of(value) or f":{kind.__name__}"
        known = hint is None or kind in (hint, *get_args(hint))
        data: dict[str, Any] = {} if known else {"class": place_of(kind) or f":{kind.__name__}"}
        for one in options_of(kind):
            inner = getattr(value, one.name)
            # A row of one's own is rare; without one, nothing is said about it.
            if one.hint is not Any or inner is not None:
                data[one.name] = plain(inner, one.hint)
        return data
    if isinstance(value, (tuple, list)):
        kinds = get_args(bare(hint)) if get_origin(bare(hint)) is tuple else ()
        repeated = len(kinds) != len(value) or Ellipsis in kinds
        hints = [kinds[0] if kinds else None] * len(value) if repeated else list(kinds)
        return [plain(item, kind) for item, kind in zip(value, hints, strict=True)]
    if isinstance(value, Real) and not isinstance(value, bool):
        return int(value) if isinstance(value, Integral) else float(value)
    return (place_of(value) or _unnamed(value)) if callable(value) else value


def _unnamed(value: Any) -> str:
    """Words for a function that has no place, the same at every start: without its address."""
    named = value if hasattr(value, "__qualname__") else type(value)
    return f":{named.__module__}.{named.__qualname__}"[:200]


def to_plain(config: Config) -> dict[str, Any]:
    """The configuration as JSON holds it."""
    return plain(config)


class Reading(NamedTuple):
    """How plain data is read, and what was wrong with it."""

    wrong: list[ConfigError]
    own: bool
    """Whether objects of a user's own are looked for, which imports modules."""

    def at_place(self, place: Any, where: str) -> Any:
        """An object of a user's own; None where it is not found."""
        try:
            if not self.own:
                raise ConfigError(
                    "objects of one's own are not read here", where=where, found=place
                )
            return at_place(place, where)
        except ConfigError as error:
            self.wrong.append(error)
            return None


def from_plain(data: Any, file: str = "", *, own: bool = True) -> Config:
    """A configuration out of :func:`to_plain`'s data, checked like any other.

    Parameters
    ----------
    data : anything that JSON or YAML can hold
    file : str
        Where it comes from.
    own : bool
        Whether to look for objects of a user's own, which imports the modules that are named.

    Raises
    ------
    ConfigError
        Everything that is not as it should be.
    """
    if not isinstance(data, dict):
        raise ConfigError(
            "not a saved configuration", where=file, expected="an object", found=shown(data)
        )
    reading = Reading([], own)
    config = _section(as_now(data), Config, "", reading)
    # Where a part could not be read, what is wrong with it otherwise follows from that.
    parts = {one.where.rpartition(".")[0] or one.where for one in reading.wrong}
    told = tuple(parts - {""})
    raise_all(
        [*reading.wrong, *(one for one in problems(config) if not one.where.startswith(told))]
    )
    return config


def from_checkpoint(data: Any, file: str = "") -> Config:
    """The configuration that a network was trained with, as far as its use depends on it.

    Random changes of training patches are left out: a function of the user's own among them need
    not be installed where the network only predicts.
    """
    if isinstance(data, dict):
        data = {key: value for key, value in data.items() if key != "augment"}
    return from_plain(data, file)


def build(data: Any, hint: Any, where: str = "") -> Any:
    """The inverse of :func:`plain`: a value of the annotated type out of plain data.

    Parameters
    ----------
    data : plain data; what does not fit is left as it is, to be found by
        :func:`jaxseg.config.option.problems`
    hint : the annotation
    where : dotted name of its field

    Raises
    ------
    ConfigError
        A key that the dataclass does not have, or one that is missing.
    """
    reading = Reading([], own=True)
    value = _build(data, bare(hint), where, reading)
    raise_all(reading.wrong)
    return value


def _build(data: Any, hint: Any, where: str, reading: Reading) -> Any:
    if isinstance(data, dict):
        return _section(data, _kind(data, hint, where, reading), where, reading)
    kinds = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    if isinstance(data, str) and ":" in data and any(get_origin(k) is Callable for k in kinds):
        return reading.at_place(data, where)
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
        _build(item, bare(kind), join(where, str(index)), reading)
        for index, (item, kind) in enumerate(zip(data, hints, strict=True))
    )


def _kind(data: dict[str, Any], hint: Any, where: str, reading: Reading) -> Any:
    """The dataclass that a dictionary stands for; None if there is none."""
    if "class" in data:
        kind = reading.at_place(data["class"], where)
        return kind if isinstance(kind, type) and dataclasses.is_dataclass(kind) else None
    if hint == Model:
        # Configurations saved before there was a choice do not name their network.
        try:
            return architecture(data.get("architecture", "unet"), where)
        except ConfigError as error:
            reading.wrong.append(error)
            return None
    own = [kind for kind in get_args(hint) or (hint,) if dataclasses.is_dataclass(kind)]
    return own[0] if len(own) == 1 else None


def _section(data: dict[str, Any], kind: Any, where: str, reading: Reading) -> Any:
    if kind is None:
        return data
    data = {key: item for key, item in data.items() if key != "class"}
    hints: dict[str, Any] = {one.name: one.hint for one in options_of(kind)}
    if kind is Channel:
        data = {"options": {}} | data
        if data.get("spec") is not None:
            data["spec"] = reading.at_place(data["spec"], join(where, "spec"))
            hints["options"] = getattr(data["spec"], "options", None)
        elif isinstance(data.get("name"), str) and data["name"] in OPTIONS:
            hints["options"] = OPTIONS[data["name"]]
        else:
            name = shown(data.get("name"))
            reading.wrong.append(ConfigError(f"unknown channel {name}", where=where))
            return data
    inner = {}
    for key, item in data.items():
        name = key if key in hints else RENAMED.get(key, key)
        if name in hints:
            inner[name] = _build(item, hints[name], join(where, name), reading)
        else:
            reading.wrong.append(unknown_option(str(key), kind, where))
    unset = dataclasses.MISSING
    needed = [
        field.name
        for field in dataclasses.fields(kind)
        if field.default is unset and field.default_factory is unset
    ]
    missing = [name for name in needed if name not in inner]
    if missing:
        expected = ", ".join(hints)
        reading.wrong.append(ConfigError(f"no {missing[0]} given", where=where, expected=expected))
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
            where=where,
            expected="one of " + ", ".join(SOURCES),
        )
    return SOURCES[name]


def unknown_option(name: str, kind: Any, where: str = "") -> ConfigError:
    """The error for an option that a dataclass does not have; it names those that it has."""
    legal = [one.name for one in options_of(kind) if one.name != "architecture"]
    return ConfigError(
        f"{kind.__name__} has no option {shown(name)}{nearest(name, legal)}",
        where=where,
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

    Of a user's own functions and classes both the place and the source count.

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
    found: dict[str, Any] = {}
    for name, value, read_by in leaves(config):
        if set(read_by or ()) & set(readers):
            found[name] = plain(value)
            if content := content_of(value):
                found[f"{name} (source)"] = content
    return found


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
