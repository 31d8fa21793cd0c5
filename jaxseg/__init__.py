"""Semantic and instance segmentation of microscopy images on JAX.

The names below are what research code composes; each lives in the module named beside it and is
imported on first use, so that ``import jaxseg`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # What editors and type checkers see; ``__getattr__`` below imports the same names on first use.
    from jaxseg import (
        augment,
        blocks,
        channels,
        checkpoint,
        config,
        data,
        decoding,
        errors,
        geometry,
        io,
        labels,
        losses,
        measurements,
        metrics,
        models,
        normalize,
        prediction,
        report,
        symmetry,
        targets,
        train,
        tta,
        volume,
        workflows,
    )
    from jaxseg.augment import random_augment
    from jaxseg.channels import activate, columns, encode, loss_of
    from jaxseg.config import (
        Augment,
        Config,
        EmbedSeg,
        PostProcess,
        StarDist,
        Train,
        UNet,
        Watershed,
        ch,
    )
    from jaxseg.data import batch
    from jaxseg.decoding import decode
    from jaxseg.decoding.embedseg import embedseg
    from jaxseg.decoding.stardist import stardist
    from jaxseg.decoding.watershed.decode import watershed
    from jaxseg.io import open_image, open_labels
    from jaxseg.measurements import measure
    from jaxseg.metrics import matching
    from jaxseg.prediction import make_forward, predict
    from jaxseg.train import init_state, make_step, optimizer, place, variables_of

__version__ = "0.1.0"

# Where each name of the library lives. None is called like a module or a package directly below,
# which importing it would put in its place.
_HOME = {
    "random_augment": "augment",
    "activate": "channels",
    "columns": "channels",
    "encode": "channels",
    "loss_of": "channels",
    "Augment": "config",
    "Config": "config",
    "EmbedSeg": "config",
    "PostProcess": "config",
    "StarDist": "config",
    "Train": "config",
    "UNet": "config",
    "Watershed": "config",
    "ch": "config",
    "batch": "data",
    "decode": "decoding",
    "embedseg": "decoding",
    "stardist": "decoding",
    "watershed": "decoding",
    "open_image": "io",
    "open_labels": "io",
    "measure": "measurements",
    "matching": "metrics",
    "make_forward": "prediction",
    "predict": "prediction",
    "init_state": "train",
    "make_step": "train",
    "optimizer": "train",
    "place": "train",
    "variables_of": "train",
}

__all__ = [
    "Augment",
    "Config",
    "EmbedSeg",
    "PostProcess",
    "StarDist",
    "Train",
    "UNet",
    "Watershed",
    "activate",
    "augment",
    "batch",
    "blocks",
    "ch",
    "channels",
    "checkpoint",
    "columns",
    "config",
    "data",
    "decode",
    "decoding",
    "embedseg",
    "encode",
    "errors",
    "geometry",
    "init_state",
    "io",
    "labels",
    "loss_of",
    "losses",
    "make_forward",
    "make_step",
    "matching",
    "measure",
    "measurements",
    "metrics",
    "models",
    "normalize",
    "open_image",
    "open_labels",
    "optimizer",
    "place",
    "predict",
    "prediction",
    "random_augment",
    "report",
    "stardist",
    "symmetry",
    "targets",
    "train",
    "tta",
    "variables_of",
    "volume",
    "watershed",
    "workflows",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"jaxseg.{_HOME[name]}"), name)
    if name in __all__:
        return importlib.import_module(f"jaxseg.{name}")
    raise AttributeError(f"module 'jaxseg' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
