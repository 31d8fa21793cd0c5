"""Configuration as frozen dataclasses; importing it never imports JAX."""

from jaxseg.config.channels import OPTIONS, Channel, ChannelOptions, ch
from jaxseg.config.decoders import Agglomeration, FlowTracking, Mutex
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
    "Agglomeration",
    "Augment",
    "Channel",
    "ChannelOptions",
    "Config",
    "Data",
    "Evaluate",
    "FlowTracking",
    "Mutex",
    "Normalize",
    "Predict",
    "SemanticOutput",
    "Source",
    "Train",
    "UNet",
    "Watershed",
    "ch",
]
