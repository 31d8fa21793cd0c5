"""The keys of BiaPy's configuration files: one row each, with its default and what it becomes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from jaxseg.interop.biapy.keys import (
    augmentor,
    data,
    detection,
    earlier,
    loss,
    model,
    problem,
    synapses,
    system,
    test,
    train,
)
from jaxseg.interop.biapy.keys.row import KINDS, Given, Job, Key, Kind, Verdict, verdict

__all__ = [
    "KINDS",
    "OTHER_WORKFLOWS",
    "SECTIONS",
    "SETTINGS",
    "TABLE",
    "Given",
    "Job",
    "Key",
    "Kind",
    "Verdict",
    "verdict",
]

# Later ones have the last word about a field.
PARTS = (earlier, system, problem, detection, data, synapses, augmentor, model, loss, train, test)
TABLE: Mapping[str, Key] = MappingProxyType({key.name: key for part in PARTS for key in part.ROWS})
# Outermost keys; a file that has one of them is BiaPy's.
SECTIONS = frozenset(name.partition(".")[0] for name in TABLE)
# Fields of our configuration out of a job, section by section.
SETTINGS: tuple[Callable[[Job], dict[str, Any]], ...] = tuple(part.settings for part in PARTS)
# What keys of workflows that are not offered begin with; in other workflows they have no effect.
OTHER_WORKFLOWS = (
    *(f"PROBLEM.{name}." for name in problem.OTHER_TASKS),
    "DATA.NORMALIZATION.TARGET.",
    "MODEL.MAE_",
    "MODEL.NAFNET.",
    "MODEL.RCAN_",
    "MODEL.UNET_SR_",
    "MODEL.VIT_MODEL",
    "MODEL.VIT_PRETRAINED_WEIGHTS",
    "TRAIN.MAE_",
    "LOSS.GAN.",
)
