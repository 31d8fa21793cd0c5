"""Configurations that earlier versions saved, read as today's.

A checkpoint holds the configuration that it was trained with, so that what was saved must be
readable for as long as the network is of use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

# Names of options that were renamed, wherever they stand.
RENAMED: Mapping[str, str] = {
    "peer_compatible": "biapy_compatible",
    "reach": "max_distance",
}


def _chance(value: Any) -> dict[str, Any]:
    return {"probability": 0.5 if value else 0.0}


def _turns(value: Any) -> dict[str, Any]:
    return {"probability": 0.75 if value else 0.0}


def _symmetric(name: str) -> Callable[[float], dict[str, Any]]:
    return lambda value: {"probability": float(value > 0), name: [-value, value]}


def _from_zero(value: float) -> dict[str, Any]:
    return {"probability": float(value > 0), "limit": [0.0, value]}


def _factor(name: str) -> Callable[[float], dict[str, Any]]:
    return lambda value: {"probability": float(value > 1), name: [1 / value, value]}


# Version 0.1 had one number for each random change.
CHANGES: Mapping[str, Callable[[Any], dict[str, Any]]] = {
    "rot90": _turns,
    "rotate": _symmetric("degrees"),
    "zoom": _factor("factor"),
    "brightness": _symmetric("limit"),
    "contrast": _symmetric("limit"),
    "gamma": _factor("limit"),
    "noise": _from_zero,
    "blur": _from_zero,
}


def as_now(data: dict[str, Any]) -> dict[str, Any]:
    """Saved plain data with the options that it would have today.

    Parameters
    ----------
    data : the configuration as JSON holds it, of any version

    Returns
    -------
    dict
        New data; what is not known here stays as it is.

    Examples
    --------
    >>> as_now({"augment": {"flips": True, "rotate": 90.0}})["augment"]["rotate"]
    {'probability': 1.0, 'degrees': [-90.0, 90.0]}
    """
    changes = data.get("augment")
    if not isinstance(changes, dict) or "flips" not in changes:
        return data
    flips = _chance(changes["flips"])
    now = {f"flip_{axis}": flips for axis in "zyx"}
    for name, value in changes.items():
        if name != "flips":
            known = name in CHANGES and isinstance(value, int | float)
            now[name] = CHANGES[name](value) if known else value
    return {**data, "augment": now}
