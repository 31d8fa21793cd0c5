"""Configuration dataclasses against their annotations: checking values, and to and from plain data.

One walk over ``typing`` hints serves the checks of a Python configuration file, which may hold
anything, and the reading of a saved JSON, which has lost tuples and classes.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from jaxseg.config.architectures import SOURCES, Model
from jaxseg.config.channels import OPTIONS, Channel, nearest
from jaxseg.errors import ConfigError


def mistakes(value: Any, hint: Any, field: str) -> Iterator[ConfigError]:
    """Every place where a value does not fit its annotation, with the dotted name of the field."""
    hint = _bare(hint)
    if dataclasses.is_dataclass(hint):
        yield from _dataclass_mistakes(value, hint, field)
    elif get_origin(hint) in (Union, types.UnionType):
        if not any(_fits(value, option) for option in get_args(hint)):
            yield _mistake(value, hint, field)
        elif dataclasses.is_dataclass(value):
            yield from mistakes(value, type(value), field)
    elif get_origin(hint) is tuple:
        yield from _tuple_mistakes(value, hint, field)
    elif not _fits(value, hint):
        yield _mistake(value, hint, field)


def plain(value: Any) -> Any:
    """Dataclasses as dictionaries and tuples as lists, as JSON holds them."""
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value)]
        return {name: plain(getattr(value, name)) for name in names}
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    return value


def build(data: Any, hint: Any, field: str = "") -> Any:
    """The inverse of :func:`plain`: a value of the annotated type out of plain data.

    Raises
    ------
    ConfigError : a key that the dataclass does not have, or one that is missing
    """
    hint = _bare(hint)
    if hint == Model:
        # Configurations saved before there was a choice do not name their network.
        hint = architecture(data.get("architecture", "unet"), field)
    if hint is Channel:
        kind = OPTIONS.get(data.get("name", ""))
        if kind is None:
            raise ConfigError(f"unknown channel {data.get('name')!r}", file=field)
        options = build(data.get("options", {}), kind, f"{field}.options")
        rest = {name: data[name] for name in ("weight", "loss") if name in data}
        return Channel(name=data["name"], options=options, **rest)
    if dataclasses.is_dataclass(hint):
        hints = get_type_hints(hint, include_extras=True)
        unknown = [key for key in data if key not in hints]
        if unknown:
            raise unknown_option(unknown[0], hint, field)
        inner = {key: build(item, hints[key], f"{field}.{key}") for key, item in data.items()}
        return hint(**inner)  # type: ignore[operator]
    if get_origin(hint) in (Union, types.UnionType) and isinstance(data, list):
        # Of all types that a field may have, only tuples are lists in JSON.
        hint = next(kind for kind in get_args(hint) if get_origin(kind) is tuple)
    if get_origin(hint) is tuple:
        item_hints = get_args(hint)
        repeated = len(item_hints) == 2 and item_hints[1] is Ellipsis
        hints_of = [item_hints[0]] * len(data) if repeated else item_hints
        return tuple(build(item, kind, field) for item, kind in zip(data, hints_of, strict=True))
    return data


def architecture(name: str, field: str = "model") -> Any:
    """The dataclass of a network by its name.

    Raises
    ------
    ConfigError : there is none of this name
    """
    if name not in SOURCES:
        raise ConfigError(
            f"unknown network {name!r}{nearest(name, SOURCES)}",
            file=field,
            expected="one of " + ", ".join(SOURCES),
        )
    return SOURCES[name]


def unknown_option(name: str, kind: Any, field: str = "") -> ConfigError:
    """The error for an option that a dataclass does not have; it names those that it has."""
    legal = [option for option in get_type_hints(kind) if option != "architecture"]
    return ConfigError(
        f"{kind.__name__} has no option {name!r}{nearest(name, legal)}",
        file=field,
        expected="one of " + ", ".join(legal),
    )


def flat(data: Any, prefix: str = "") -> Mapping[str, Any]:
    """Nested plain data as one mapping from dotted names to values.

    >>> dict(flat({"train": {"lr": 0.1}, "seed": 0}))
    {'train.lr': 0.1, 'seed': 0}
    """
    if not isinstance(data, dict):
        return {prefix: data}
    found: dict[str, Any] = {}
    for key, value in data.items():
        found |= flat(value, f"{prefix}.{key}" if prefix else str(key))
    return found


def _bare(hint: Any) -> Any:
    """An annotation without the notes for the command line."""
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def _fits(value: Any, hint: Any) -> bool:
    hint = _bare(hint)
    if get_origin(hint) is Literal:
        return any(value == option and type(value) is type(option) for option in get_args(hint))
    if get_origin(hint) is tuple:
        return not list(_tuple_mistakes(value, hint, ""))
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint)


def _mistake(value: Any, hint: Any, field: str) -> ConfigError:
    hint = _bare(hint)
    if get_origin(hint) is Literal:
        options = [str(option) for option in get_args(hint)]
        expected = "one of " + ", ".join(options) + nearest(str(value), options)
    else:
        expected = getattr(hint, "__name__", str(hint).replace("typing.", ""))
    return ConfigError("illegal value", file=field, expected=expected, found=repr(value))


def _dataclass_mistakes(value: Any, hint: Any, field: str) -> Iterator[ConfigError]:
    if not isinstance(value, hint):
        yield _mistake(value, hint, field)
        return
    hints = get_type_hints(type(value), include_extras=True)
    for name, inner in hints.items():
        yield from mistakes(getattr(value, name), inner, f"{field}.{name}" if field else name)


def _tuple_mistakes(value: Any, hint: Any, field: str) -> Iterator[ConfigError]:
    if not isinstance(value, tuple):
        yield ConfigError("illegal value", file=field, expected="a tuple", found=repr(value))
        return
    kinds = get_args(hint)
    if kinds[-1] is not Ellipsis and len(kinds) != len(value):
        yield ConfigError("illegal value", file=field, expected=f"{len(kinds)} values", found=value)
        return
    for index, item in enumerate(value):
        kind = kinds[0] if kinds[-1] is Ellipsis else kinds[index]
        yield from mistakes(item, kind, f"{field}[{index}]")
