"""Configuration as frozen dataclasses; importing it never imports JAX."""

from jaxseg.config.channels import OPTIONS, Channel, ChannelOptions, ch
from jaxseg.config.schema import (
    Augment,
    Blocks,
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
    "Blocks",
    "Channel",
    "ChannelOptions",
    "Config",
    "Data",
    "Evaluate",
    "Normalize",
    "Predict",
    "SemanticOutput",
    "Source",
    "Train",
    "UNet",
    "Watershed",
    "ch",
]
