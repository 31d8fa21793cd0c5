"""Semantic and instance segmentation of microscopy images on JAX.

The names below are what research code composes; each lives in the module named beside it and is
imported on first use, so that ``import jaxseg`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "ch": "config",
    "Config": "config",
    "UNet": "config",
    "Train": "config",
    "Augment": "config",
    "Watershed": "config",
    "PostProcess": "config",
    "StarDist": "config",
    "EmbedSeg": "config",
    "encode": "channels",
    "activate": "channels",
    "columns": "channels",
    "loss_of": "channels",
    "decode": "decoding",
    "watershed": "decoding",
    "stardist": "decoding",
    "embedseg": "decoding",
    "matching": "metrics",
    "measure": "measure",
    "predict": "prediction",
    "make_forward": "prediction",
    "make_step": "train",
    "init_state": "train",
    "optimizer": "train",
    "place": "train",
    "variables_of": "train",
    "open_image": "io",
    "open_labels": "io",
    "batch": "data",
    "random_augment": "augment",
}
_MODULES = ("augment", "config", "data", "errors", "geometry", "io", "labels", "losses",
            "metrics", "models", "normalize", "report", "symmetry", "targets",
            "tta", "volume", "workflows")  # fmt: skip

__all__ = [*_HOME, *_MODULES]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"jaxseg.{_HOME[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"jaxseg.{name}")
    raise AttributeError(f"module 'jaxseg' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
