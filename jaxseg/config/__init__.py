"""Configuration as frozen dataclasses; importing it never imports JAX."""

from jaxseg.config.channels import OPTIONS, Channel, ChannelOptions, ch
from jaxseg.config.decoders import (
    Agglomeration,
    EmbedSeg,
    FlowTracking,
    Mutex,
    StarDist,
    Watershed,
    decoder_for,
)
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
    Loss,
    Normalize,
    Predict,
    SemanticOutput,
    Source,
    Train,
    UNet,
)

__all__ = [
    "OPTIONS",
    "Agglomeration",
    "Augment",
    "Channel",
    "ChannelOptions",
    "Condition",
    "Config",
    "Data",
    "EmbedSeg",
    "Evaluate",
    "FlowTracking",
    "Loss",
    "Median",
    "Mutex",
    "Normalize",
    "PostProcess",
    "Predict",
    "Refine",
    "Repair",
    "SemanticOutput",
    "Source",
    "StarDist",
    "Train",
    "UNet",
    "Voronoi",
    "Watershed",
    "ch",
    "decoder_for",
]
