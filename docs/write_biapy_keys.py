"""Write ``docs/biapy_keys.md`` from the table of keys: ``python docs/write_biapy_keys.py``.

A test compares the page with what this program would write.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from jaxseg.interop.biapy.keys import OTHER_WORKFLOWS, TABLE, Key
from jaxseg.interop.biapy.report import shown

PAGE = Path(__file__).with_name("biapy_keys.md")
HEAD = """# Keys of BiaPy's configuration files

This page is written by `python docs/write_biapy_keys.py`; do not edit it.

What becomes of every key that a YAML file may hold. *exact*: the field means the same;
*approximated*: nearly, the text says how; *no effect*: it changes no result here, the text says
why;
*refused*: only the default can be had. Some values of a key have a verdict of their own; the table
that `jaxseg run --config job.yaml` prints has it. Keys that begin with {others} belong to
other workflows.

| key | default | kind | becomes |
|---|---|---|---|
"""


def page() -> str:
    """The whole page."""
    others = ", ".join(f"`{name}`" for name in OTHER_WORKFLOWS)
    return HEAD.format(others=others) + "\n".join(_rows()) + "\n"


def _rows() -> Iterator[str]:
    for key in TABLE.values():
        if key.now:
            yield f"| `{key.name}` | | old name | `{key.now}` |"
        else:
            yield f"| `{key.name}` | {_default(key)} | {key.kind} | {_meaning(key)} |"


def _default(key: Key) -> str:
    return f"`{shown(key.default)}`" if key.default not in (None, "", [], [{}]) else ""


def _meaning(key: Key) -> str:
    field = f"`{key.becomes}`" if key.becomes else ""
    return ": ".join(part for part in (field, key.note) if part).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
