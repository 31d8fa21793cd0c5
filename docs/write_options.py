"""Write ``docs/options.md`` from the configuration: ``python docs/write_options.py``.

A test compares the page with what this program would write.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jaxseg.config import OPTIONS, Config
from jaxseg.config.architectures import SOURCES
from jaxseg.config.option import docs_of, options_of

PAGE = Path(__file__).with_name("options.md")
HEAD = """# Options

This page is written by `python docs/write_options.py`; do not edit it.

Every option can be set in a configuration file and on the command line, which wins over the file:
`train.lr` is `Config(train=Train(lr=1e-3))` in Python and `--train.lr 1e-3` for `jaxseg run`.
Lengths are in voxels in (z)yx order unless the text says µm. An empty list or text means "decide
from the data".
"""


def page() -> str:
    """The whole page."""
    parts = [HEAD, "## The run\n", *_table(Config, "", nested=False)]
    for one in options_of(Config):
        if one.name == "channels":
            parts += _channels()
        elif one.name == "model":
            parts += _networks()
        elif dataclasses.is_dataclass(one.default):
            parts += [f"\n## {one.name}\n", f"{docs_of(Config).get(one.name, '')}\n"]
            parts += _table(type(one.default), one.name, holder=one.default)
    return "\n".join(parts) + "\n"


def _channels() -> Iterator[str]:
    yield "\n## channels\n"
    yield "`Config(channels=(ch('F'), ch('Db', norm=True)))`; `--channels.1.options.norm` sets the"
    yield "option of the second channel. [channels.md](channels.md) says what the channels are.\n"
    for name, kind in OPTIONS.items():
        yield f"### {name}\n\n{_sentence(kind)}\n"
        if dataclasses.fields(kind):
            yield from _table(kind, "options")
            yield ""


def _networks() -> Iterator[str]:
    yield "\n## model\n"
    yield "`--model NAME` chooses the network; `--model.features 16 32 64` sets an option of it.\n"
    for name, kind in SOURCES.items():
        yield f"### {name}\n\n{_sentence(kind)}\n"
        yield from _table(kind, "model")
        yield ""


def _sentence(kind: Any) -> str:
    return (kind.__doc__ or "").partition("\n\n")[0].replace("\n", " ").strip()


def _table(kind: Any, where: str, *, nested: bool = True, holder: Any = None) -> Iterator[str]:
    """The rows of a section and, where asked for, of the sections in it."""
    yield "| option | default | meaning |"
    yield "|---|---|---|"
    yield from _rows(kind, where, nested=nested, holder=holder)


def _rows(kind: Any, where: str, *, nested: bool, holder: Any = None) -> Iterator[str]:
    """Rows of a section; ``holder`` is the section as it stands where it is used."""
    docs = docs_of(kind)
    for one in options_of(kind):
        name = f"{where}.{one.name}" if where else one.name
        inner = one.default if holder is None else getattr(holder, one.name)
        if dataclasses.is_dataclass(inner) and not isinstance(inner, type):
            if nested:
                yield from _rows(type(inner), name, nested=True, holder=inner)
            continue
        if one.name in ("channels", "model", "architecture"):
            continue
        limits = "; ".join(limit.text for limit in one.limits)
        meaning = docs.get(one.name, "").replace("|", "\\|")
        yield f"| `{name}` | {_value(inner)} | {meaning}{f' ({limits})' if limits else ''} |"


def _value(value: Any) -> str:
    if value is dataclasses.MISSING:
        return "must be given"
    if value in ("", ()):
        return "empty"
    if isinstance(value, tuple):
        return "`" + " ".join(str(item) for item in value) + "`"
    return f"`{value}`"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
