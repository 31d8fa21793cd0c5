"""Configuration as frozen dataclasses; importing it never imports JAX."""

from jaxseg.config.channels import OPTIONS, Channel, ChannelOptions, ch
from jaxseg.config.postprocessing import (
    Condition,
    Median,
    PostProcess,
    Refine,
    Repair,
    Voronoi,
)
from jaxseg.config.schema import (
    Augment,
    Config,
    Data,
    Evaluate,
    Normalize,
    Predict,
    SemanticOutput,
    Source,
    Train,
    UNet,
    Watershed,
)

__all__ = [
    "OPTIONS",
    "Augment",
    "Channel",
    "ChannelOptions",
    "Condition",
    "Config",
    "Data",
    "Evaluate",
    "Median",
    "Normalize",
    "PostProcess",
    "Predict",
    "Refine",
    "Repair",
    "SemanticOutput",
    "Source",
    "Train",
    "UNet",
    "Voronoi",
    "Watershed",
    "ch",
]
