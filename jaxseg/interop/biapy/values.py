"""Values of keys as their types ask: what is written in several ways, and what is no such value."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from jaxseg.interop.biapy.keys.row import Key

# The last words of keys whose default, empty or none, does not say what they hold.
FORMS: Mapping[str, str] = {
    **dict.fromkeys(
        ("SEED_MORPH_RADIUS", "GRID", "CHANNELS_PER_HEAD_INFO", "WEIGHTS", "CLASS_WEIGHTS",
         "EVAL_BORDER_CROP", "MATCHING_STATS_THS_COLORED_IMG", "INSTANCE_SEG_HALO",
         "MEDIAN_FILTER_SIZE"), "numbers"),
    **dict.fromkeys(("SEED_CHANNELS_THRESH", "GROWTH_MASK_CHANNELS_THRESH"), "levels"),
    **dict.fromkeys(
        ("DATA_CHANNELS", "DATA_CHANNELS_LOSSES", "SEED_CHANNELS", "GROWTH_MASK_CHANNELS",
         "SEED_MORPH_SEQUENCE", "FREEZE_LAYERS_MATCHING", "TYPE", "METRICS", "MEDIAN_FILTER_AXIS",
         "OPERATIONS", "EXTRA_PROPS"), "words"),
    **dict.fromkeys(
        ("DATA_MW_TH_BINARY_MASK", "DATA_MW_TH_CONTOUR", "DATA_MW_TH_POINTS",
         "DATA_MW_TH_DISTANCE", "DATA_MW_TH_FOREGROUND", "LOW_THRESHOLD", "HIGH_THRESHOLD",
         "DA_PROB"), "number or none"),
    "KERNEL_SIZE": "numbers or none",
    "DATA_CHANNELS_EXTRA_OPTS": "options",
}  # fmt: skip
# Words that some keys had before they had True and False, or the other way round.
WORDS_OR_FLAGS = ("CLASS_REBALANCE",)


def fitted(value: Any, key: Key) -> Any:
    """A value as the type of a key asks: 1 for 1.0, 3 for [3], and the other way round.

    Parameters
    ----------
    value : of the file
    key : its row, whose default says the type

    Raises
    ------
    ValueError : it cannot be one

    >>> from jaxseg.interop.biapy.keys import TABLE
    >>> fitted(3, TABLE["TRAIN.LR"]), fitted(2, TABLE["PROBLEM.NDIM"])
    ([3], '2D')
    """
    default, last = key.default, key.name.rpartition(".")[2]
    form = FORMS.get(last, "")
    if default is None:
        return value if value is None or not form else OPTIONAL[form](value)
    if isinstance(default, list):
        return _listed(value, default, form)
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(default, bool):
        if isinstance(value, bool):
            return value
        raise ValueError("not True or False")
    if isinstance(default, str):
        if isinstance(value, bool) and last in WORDS_OR_FLAGS:
            return value
        text = "" if value is None else _word(value)
        return f"{text}D" if default == "2D" and text in ("2", "3") else text
    number = _number(value)
    if isinstance(default, float):
        return float(number)
    if number != int(number):
        raise ValueError("not a whole number")
    return int(number)


def _listed(value: Any, default: list[Any], form: str) -> list[Any]:
    """A list; a single value is a list of one."""
    given = [] if value is None else value if isinstance(value, list) else [value]
    if default and not given:
        raise ValueError("an empty list")
    if not form and default and all(isinstance(item, (int, float)) for item in default):
        form = "numbers"
    if not form and default and all(isinstance(item, str) for item in default):
        form = "words"
    return [ITEMS[form](item) for item in given] if form else given


def _number(value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ValueError("not a finite number")
    return value


def _word(value: Any) -> str:
    if isinstance(value, (bool, list, dict)) or value is None:
        raise ValueError("not a word")
    return str(value)


def _level(value: Any) -> Any:
    return value if value == "auto" else _number(value)


def _options(value: Any) -> Any:
    """Options by channel."""
    if isinstance(value, dict) and all(
        options is None or isinstance(options, dict) for options in value.values()
    ):
        return value
    raise ValueError("not options of channels, such as {Db: {mask_values: True}}")


def _numbers(value: Any) -> Any:
    return [_number(item) for item in value] if isinstance(value, list) else _number(value)


# What every item of a list of a form must be, and what a value must be that may be none.
ITEMS: Mapping[str, Callable[[Any], Any]] = {
    "numbers": _number,
    "levels": _level,
    "words": _word,
    "options": _options,
    "numbers or none": _number,
}
OPTIONAL: Mapping[str, Callable[[Any], Any]] = {
    "number or none": _number,
    "numbers or none": _numbers,
}
