"""Limits of options: small values that can test a value and say what they test.

Limits of numbers hold for every number of an option, those of a tuple each; words beside them,
such as ``"auto"``, are not their business.

>>> limit = at_least(6).or_(0)
>>> limit.text, limit.allows(0), limit.allows(5), limit.allows((6, 7))
('at least 6, or 0', True, False, True)
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real
from typing import Any


@dataclass(frozen=True)
class Limit:
    """What an option may be."""

    text: str
    """In words, after "expected"."""
    test: Callable[[Any], bool]
    """Of one number, or of the whole value."""
    whole: bool = False
    """Whether the value is tested as a whole instead of each of its numbers."""

    def allows(self, value: Any) -> bool:
        """Whether a value of the right type keeps the limit; NaN keeps none."""
        if self.whole:
            return self.test(value)
        if isinstance(value, (tuple, list)):
            return all(self.allows(item) for item in value)
        return isinstance(value, bool) or not isinstance(value, Real) or self.test(value)

    def or_(self, value: float) -> Limit:
        """The same limit, or one number that has a meaning of its own."""
        return Limit(f"{self.text}, or {value}", lambda item: item == value or self.test(item))


def at_least(bound: float) -> Limit:
    """The bound or more."""
    return Limit(f"at least {bound}", lambda value: value >= bound)


def at_most(bound: float) -> Limit:
    """The bound or less."""
    return Limit(f"at most {bound}", lambda value: value <= bound)


def above(bound: float) -> Limit:
    """More than the bound."""
    return Limit(f"above {bound}", lambda value: value > bound)


def below(bound: float) -> Limit:
    """Less than the bound."""
    return Limit(f"below {bound}", lambda value: value < bound)


def between(low: float, high: float) -> Limit:
    """From one bound to the other, both included."""
    return Limit(f"from {low} to {high}", lambda value: low <= value <= high)


def one_of(*legal: float) -> Limit:
    """One of a few numbers."""
    return Limit("one of " + ", ".join(map(str, legal)), lambda value: value in legal)


ODD = Limit("an odd number above 0", lambda value: value > 0 and value % 2 == 1)
POWER_OF_2 = Limit("a power of 2, at least 2", lambda value: value >= 2 and not value & (value - 1))
RATE = Limit("at least 0 and below 1", lambda value: 0 <= value < 1)
INSIDE = Limit("between 0 and 1", lambda value: 0 < value < 1)
SHARE = Limit("above 0 and at most 1", lambda value: 0 < value <= 1)


def lengths(*legal: int) -> Limit:
    """So many values; with 0 among the numbers, none stands for a choice of our own."""
    counts = [str(count) for count in legal if count]
    text = " or ".join(counts) + (" values" if counts != ["1"] else " value")
    text += ", or none" if 0 in legal else ""
    return Limit(text, lambda value: len(value) in legal, whole=True)


def at_least_values(number: int) -> Limit:
    """So many values or more."""
    return Limit(f"at least {number} values", lambda value: len(value) >= number, whole=True)


def rising(value: tuple[float, ...]) -> bool:
    """Whether every number is larger than the one before it."""
    return all(low < high for low, high in itertools.pairwise(value))


def ordered(value: tuple[float, ...]) -> bool:
    """Whether no number is smaller than the one before it."""
    return all(low <= high for low, high in itertools.pairwise(value))


ORDERED = Limit("the lowest first", ordered, whole=True)
RISING = Limit("each larger than the one before", rising, whole=True)


def matches(pattern: str, text: str) -> Limit:
    """Text of a form, given as a regular expression for all of it and in words."""
    form = re.compile(pattern)
    return Limit(text, lambda value: form.fullmatch(value) is not None, whole=True)


# A shell replaces the sign, a configuration file does not: a folder of that name would be made.
PATH = matches(r"(?!~)(?s:.*)", "a path as it is, without ~ for the home folder")
