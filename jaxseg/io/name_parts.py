"""Which names of two folders belong together when they differ by more than nothing.

``training-0001`` and ``training_groundtruth-0001`` differ in what all names of their folder share.
What varies within a folder, its *varying part*, is the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence


def varying_parts(names: Sequence[str]) -> tuple[str, ...]:
    """Names without the beginning and the end that all of them share.

    Nothing is cut within a number or a word: of ``im10`` and ``im11`` the numbers vary, not their
    last digits, or ``im10`` would fit ``im20`` of another folder.

    Parameters
    ----------
    names : stems of the files of one folder

    Returns
    -------
    one part per name, in their order; a single name has none that varies and stays whole

    >>> varying_parts(["training-0001", "training-0002"])
    ('0001', '0002')
    >>> varying_parts(["a_mask", "b_mask"]), varying_parts(["im10", "im11"])
    (('a', 'b'), ('10', '11'))
    """
    if len(names) < 2:
        return tuple(names)
    start = _longest(names, _common(names), lambda _, length: length)
    rest = [name[start:] for name in names]
    shared = _common([name[::-1] for name in rest])
    end = _longest(rest, shared, lambda name, length: len(name) - length)
    return tuple(name[: len(name) - end] for name in rest)


def match_names(left: Sequence[str], right: Sequence[str]) -> tuple[int, ...] | None:
    """For every name of one folder the place of its partner in the other, by varying parts.

    Parameters
    ----------
    left, right : stems of the files of two folders

    Returns
    -------
    one index into ``right`` per name of ``left``; None unless it is one to one. One name against
    one says nothing, as nothing varies

    >>> match_names(["x-1", "x-2"], ["x_truth-2", "x_truth-1"])
    (1, 0)
    >>> match_names(["x-1", "x-2"], ["y-1", "y-3"]) is None
    True
    """
    ours, theirs = varying_parts(left), varying_parts(right)
    places = {part: index for index, part in enumerate(theirs)}
    complete = len(set(ours)) == len(ours) and len(places) == len(theirs)
    if not complete or set(ours) != set(places):
        return None
    return tuple(places[part] for part in ours)


def match_by_order(left: Sequence[str], right: Sequence[str]) -> tuple[int, ...]:
    """For every name of one list the place of its partner in another of the same length, by order.

    Numbers within names count as numbers: ``im2`` is before ``im10``.

    >>> match_by_order(["im10", "im2"], ["x", "y"])
    (1, 0)
    """
    ours, theirs = (
        sorted(range(len(names)), key=lambda place: _numbers_apart(names[place]))
        for names in (left, right)
    )
    found = dict(zip(ours, theirs, strict=True))
    return tuple(found[place] for place in range(len(left)))


def _numbers_apart(name: str) -> tuple[tuple[int, int, str], ...]:
    """A key that sorts numbers within names as numbers."""
    parts = re.split(r"(\d+)", name)
    return tuple((1, int(part), part) if part.isdecimal() else (0, 0, part) for part in parts)


def _common(names: Sequence[str]) -> int:
    """How many letters all names begin with; the first and the last by order decide."""
    first, last = min(names), max(names)
    differ = (index for index, letter in enumerate(first) if last[index : index + 1] != letter)
    return next(differ, len(first))


def _longest(names: Sequence[str], length: int, place: Callable[[str, int], int]) -> int:
    """The longest length, of at most so many letters, that cuts no name within a word."""
    while length and not all(_is_border(name, place(name, length)) for name in names):
        length -= 1
    return length


def _is_border(name: str, place: int) -> bool:
    """Whether no number or word goes on across a place of a name; capitals begin words."""
    if place in (0, len(name)):
        return True
    before, after = _kind(name[place - 1]), _kind(name[place])
    return "sign" in (before, after) or (before != after and (before, after) != ("upper", "lower"))


def _kind(letter: str) -> str:
    if letter.isdigit():
        return "digit"
    if letter.isalpha():
        return "upper" if letter.isupper() else "lower"
    return "sign"
