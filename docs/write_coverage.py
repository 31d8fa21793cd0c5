"""Write ``docs/coverage.md``: ``python docs/write_coverage.py``.

A test compares the page with what this program would write.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jaxseg.interop.biapy.keys import TABLE, Key

PAGE = Path(__file__).with_name("coverage.md")
HEAD = """# What the documents of BiaPy describe, and what there is of it

This page is written by `python docs/write_coverage.py`; do not edit it.

For semantic and instance segmentation. *there*: it means the same; *nearly*: the text says how it
differs; *another way*: it is done otherwise, the text says how; *needless*: there is nothing to
choose, the text says why; *not there*: it is refused, never ignored. What becomes of every key of a
configuration file is in [biapy_keys.md](biapy_keys.md), and what options there are in
[options.md](options.md).
"""
WORDS = {"exact": "there", "approximated": "nearly", "no effect": "needless",
         "refused": "not there"}  # fmt: skip
# From the most to the least that can be had.
ORDER = ("there", "nearly", "another way", "needless", "not there")


def rows_module() -> Any:
    """The module of the rows beside this program."""
    path = Path(__file__).with_name("coverage_rows.py")
    spec = importlib.util.spec_from_file_location("coverage_rows", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def page() -> str:
    """The whole page."""
    return HEAD + "".join(_sections()) + "\n" + _counts()


def _sections() -> Iterator[str]:
    for title, rows in rows_module().SECTIONS.items():
        yield f"\n## {title}\n\n| documented | here | how |\n|---|---|---|\n"
        for row in rows:
            names = f" ({', '.join(f'`{name}`' for name in row.keys)})" if row.keys else ""
            yield f"| {row.what}{names} | {verdict(row)} | {meaning(row)} |\n"


def verdict(row: Any) -> str:
    """The word for a row: its own, or the least of those of its keys."""
    if row.verdict:
        return str(row.verdict)
    return max((WORDS[TABLE[name].kind] for name in row.keys), key=ORDER.index)


def meaning(row: Any) -> str:
    """Fields and notes of the keys, then what the row says itself."""
    parts = [] if row.verdict and row.keys else [part for name in row.keys for part in _of(name)]
    return "; ".join(dict.fromkeys([*parts, *([row.here] if row.here else [])])).replace("|", "\\|")


def _of(name: str) -> Iterator[str]:
    key: Key = TABLE[name]
    if key.becomes:
        yield f"`{key.becomes}`"
    if key.note:
        yield key.note


def _counts() -> str:
    found = [verdict(row) for rows in rows_module().SECTIONS.values() for row in rows]
    listed = ", ".join(f"{found.count(word)} {word}" for word in ORDER)
    return f"{len(found)} rows: {listed}.\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
