"""Small damage to files of any kind: bytes, values of documents, fields of messages."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

VALUES: list[Any] = [
    *(None, 0, -1, 1e308, 10**18, 10**30, 0.5, True, "x", "", "../..", "∞", [], {}, [[]], [1] * 99),
]
NUMBER = re.compile(rb"\d+")
WORDS = [
    b"-1",
    b"0",
    b"1e308",
    b"99999999999999999999",
    b"nan",
    b"[",
    b"{",
    b"*a",
    b"!!python/x",
    b"",
]


def mutated(content: bytes, rng: np.random.Generator, *, text: bool = False) -> bytes:
    """A few bytes changed, a part cut out, doubled or zeroed, or a value of a text made absurd."""
    bad, how = bytearray(content), rng.integers(6)
    if text and how < 3:
        return mutated_text(content, rng)
    if how < 3:
        # Half of the changes in the first bytes, where they hurt.
        limit = min(len(bad), 600 if rng.random() < 0.5 else len(bad))
        for at in rng.integers(limit, size=rng.integers(1, 5)):
            bad[at] = rng.integers(256)
    elif how == 3:
        return bytes(bad[: rng.integers(len(bad))])
    else:
        low, high = sorted(rng.integers(len(bad) + 1, size=2))
        high = min(high, low + 64)
        bad[low:high] = bytes(high - low) if how == 4 else bad[low:high] * 2
    return bytes(bad)


def mutated_text(content: bytes, rng: np.random.Generator) -> bytes:
    """One value of a document in JSON replaced or its key renamed; of other text, a number."""
    try:
        document = json.loads(content)
    except ValueError:
        return _other_number(content, rng)
    return json.dumps(mutated_document(document, rng)).encode()


def mutated_document(document: Any, rng: np.random.Generator) -> Any:
    """One value of plain data replaced by another, or its key renamed; it is changed in place."""
    places = list(leaves(document))
    if not places:
        return []
    holder, key = places[rng.integers(len(places))]
    if isinstance(holder, dict) and rng.random() < 0.2:
        holder[f"{key}x"] = holder.pop(key)
    else:
        holder[key] = VALUES[rng.integers(len(VALUES))]
    return document


def _other_number(content: bytes, rng: np.random.Generator) -> bytes:
    """A number of a text replaced by a word."""
    found = list(NUMBER.finditer(content))
    if not found:
        return content[:-1]
    at = found[rng.integers(len(found))]
    return content[: at.start()] + WORDS[rng.integers(len(WORDS))] + content[at.end() :]


def leaves(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place of a document, as what holds it and the key."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(items):
        yield value, key
        if isinstance(inner, (dict, list)):
            yield from leaves(inner)


ODD: dict[type, list[Any]] = {
    str: ["", "x", "Loop", "../x", "é" * 40],
    bytes: [b"", b"x", b"Loop", b"../x", b"\xff" * 40],
    float: [0.0, float("nan"), 1e38],
    int: [0, -1, 1, 7, 2**31 - 1, 2**62],
}


def mutated_message(message: Any, rng: np.random.Generator) -> None:
    """One field anywhere in a message of protobuf set to an odd value, emptied or doubled."""
    places = list(_fields(message))
    holder, field = places[rng.integers(len(places))]
    value = getattr(holder, field.name)
    repeated = not isinstance(value, (str, bytes)) and hasattr(value, "extend")
    if rng.random() < 0.2 or (field.message_type is not None and not repeated):
        holder.ClearField(field.name)
    elif field.message_type is not None:
        value.extend([value[rng.integers(len(value))]])
    else:
        odd = ODD[type(value[0] if repeated else value)]
        chosen = odd[rng.integers(len(odd))]
        with contextlib.suppress(TypeError, ValueError):  # of a kind that the field cannot have
            if repeated:
                value[rng.integers(len(value))] = chosen
            else:
                setattr(holder, field.name, chosen)


def _fields(message: Any) -> Iterator[tuple[Any, Any]]:
    """Every field that is set in a message or deeper, with the message that has it."""
    for field, value in message.ListFields():
        yield message, field
        if field.message_type is not None:
            for item in [value] if hasattr(value, "ListFields") else value:
                yield from _fields(item)
