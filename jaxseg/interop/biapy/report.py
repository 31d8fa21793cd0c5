"""The table that says what becomes of every key of a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jaxseg.interop.biapy.keys import KINDS
from jaxseg.interop.biapy.translation import Row, Translation

COUNTED = {
    "exact": "translated exactly",
    "approximated": "approximated",
    "no effect": "without effect here",
    "refused": "refused",
}
LONGEST = 28


def report(translation: Translation) -> str:
    """All keys of a file in one table: key, value, kind, and what it becomes.

    Parameters
    ----------
    translation : see :func:`jaxseg.interop.biapy.translation.translate`

    Returns
    -------
    a text of several lines
    """
    counts = ", ".join(f"{translation.count(kind)} {COUNTED[kind]}" for kind in KINDS)
    head = f"{translation.file}: {len(translation.rows)} keys of BiaPy, {counts}"
    return "\n".join([head, *_table(translation), *_notices(translation)])


def meaning(row: Row) -> str:
    """What a key becomes, with how it is approximated or why it does nothing."""
    parts = [part for part in (row.verdict.becomes, row.verdict.note) if part]
    return ": ".join(parts)


def _table(translation: Translation) -> Iterator[str]:
    cells = [("key", "value", "kind", "becomes")]
    cells += [
        (row.key, shown(row.value), row.verdict.kind, meaning(row)) for row in translation.rows
    ]
    widths = [max(len(row[column]) for row in cells) for column in range(3)]
    for row in cells if translation.rows else ():
        fixed = (cell.ljust(width) for cell, width in zip(row[:3], widths, strict=True))
        yield "  " + "  ".join((*fixed, row[3])).rstrip()


def _notices(translation: Translation) -> Iterator[str]:
    for notice in translation.notices:
        yield f"  {notice}"


def shown(value: Any) -> str:
    """A value, as short as a cell of a table asks.

    >>> shown([256, 256, 1]), shown("x" * 40)
    ('(256, 256, 1)', 'xxxxxxxxxxxxxxxxxxxxxxxxx...')
    """
    flat = isinstance(value, list) and not any(isinstance(item, (list, dict)) for item in value)
    text = f"({', '.join(map(str, value))})" if flat else str(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
