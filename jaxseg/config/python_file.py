"""A configuration as a Python file that a person goes on from: only what differs from a default."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from jaxseg import config as options
from jaxseg.config.channels import Channel
from jaxseg.config.schema import Config

WIDTH = 100


def python_text(config: Config, about: str) -> str:
    """The text of a file that defines ``config``.

    Parameters
    ----------
    config : the configuration
    about : what the file is for, its docstring

    Returns
    -------
    text; running it gives an equal configuration

    >>> print(python_text(Config(seed=3), "A seed."))
    \"\"\"A seed.\"\"\"
    <BLANKLINE>
    from jaxseg.config import Config
    <BLANKLINE>
    config = Config(
        seed=3,
    )
    <BLANKLINE>
    """
    names: dict[str, str] = {}
    text = _dataclass(config, names, 0)
    modules: dict[str, list[str]] = {}
    for name, module in sorted(names.items(), key=lambda item: item[0]):
        modules.setdefault(module, []).append(name)
    imports = [f"from {module} import {', '.join(found)}" for module, found in modules.items()]
    wrapped = [line if len(line) <= WIDTH else _wrapped(line) for line in sorted(imports)]
    safe = about.replace("\\", "\\\\").replace('"""', "'''")
    close = "\n" if "\n" in safe else ""
    return f'"""{safe}{close}"""\n\n' + "\n".join(wrapped) + f"\n\nconfig = {text}\n"


def _wrapped(line: str) -> str:
    head, _, names = line.partition(" import ")
    return f"{head} import (\n" + "".join(f"    {name},\n" for name in names.split(", ")) + ")"


def _value(value: Any, names: dict[str, str], depth: int) -> str:
    """A value as Python writes it, its classes noted in ``names`` with their modules."""
    if isinstance(value, Channel):
        return _channel(value, names, depth)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _dataclass(value, names, depth)
    if isinstance(value, tuple):
        items = [_value(item, names, depth + 1) for item in value]
        short = f"({', '.join(items)}{',' if len(items) == 1 else ''})"
        if "\n" not in short and len(short) + 4 * depth < WIDTH - 20:
            return short
        inner = "    " * (depth + 1)
        return "(\n" + "".join(f"{inner}{item},\n" for item in items) + "    " * depth + ")"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)


def _dataclass(value: Any, names: dict[str, str], depth: int) -> str:
    """A dataclass with its fields that are not as by default."""
    kind = type(value)
    module = "jaxseg.config" if hasattr(options, kind.__name__) else kind.__module__
    names[kind.__name__] = module
    given = [
        f"{field.name}={_value(getattr(value, field.name), names, depth + 1)}"
        for field in dataclasses.fields(value)
        if field.init and not _is_default(field, getattr(value, field.name))
    ]
    return _call(kind.__name__, given, depth, wide=kind is Config)


def _channel(channel: Channel, names: dict[str, str], depth: int) -> str:
    """A channel, as :func:`jaxseg.config.ch` makes it."""
    names["ch"] = "jaxseg.config"
    given = [json.dumps(channel.name)]
    for field in dataclasses.fields(channel.options):
        value = getattr(channel.options, field.name)
        if not _is_default(field, value):
            given.append(f"{field.name}={_value(value, names, depth + 1)}")
    for field in dataclasses.fields(channel):
        if field.name in ("weight", "loss") and not _is_default(
            field, getattr(channel, field.name)
        ):
            given.append(f"{field.name}={_value(getattr(channel, field.name), names, depth + 1)}")
    return _call("ch", given, depth)


def _call(name: str, given: list[str], depth: int, *, wide: bool = False) -> str:
    short = f"{name}({', '.join(given)})"
    if not wide and "\n" not in short and len(short) + 4 * depth < WIDTH - 20:
        return short
    inner = "    " * (depth + 1)
    return f"{name}(\n" + "".join(f"{inner}{item},\n" for item in given) + "    " * depth + ")"


def _is_default(field: dataclasses.Field[Any], value: Any) -> bool:
    if field.default is not dataclasses.MISSING:
        return bool(field.default == value)
    if field.default_factory is not dataclasses.MISSING:
        return bool(field.default_factory() == value)
    return False
