"""The packages of the extras, loaded where they are used."""

from __future__ import annotations

import importlib
from typing import Any

from jaxseg.errors import ConfigError


def load(name: str, extra: str) -> Any:
    """A module of an optional package.

    Raises
    ------
    ConfigError : it is not installed
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ConfigError(
            f"the package {name.partition('.')[0]} is missing",
            fix=f"pip install 'jaxseg[{extra}]'",
        ) from error


def onnx_module() -> Any:
    """The package onnx with its parts that are used here."""
    for part in ("onnx.helper", "onnx.numpy_helper", "onnx.checker"):
        load(part, "onnx")
    return load("onnx", "onnx")
