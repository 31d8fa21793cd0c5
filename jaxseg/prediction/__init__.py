"""Prediction: an image of any size through a network, in tiles."""

from jaxseg.prediction.border import BORDERS, MIRRORED, Border
from jaxseg.prediction.classify import classified
from jaxseg.prediction.forward import compiled_forward, make_forward
from jaxseg.prediction.sliding import predict
from jaxseg.prediction.tiling import Tiling, choose_tile, chunk_shape

__all__ = [
    "BORDERS",
    "MIRRORED",
    "Border",
    "Tiling",
    "choose_tile",
    "chunk_shape",
    "classified",
    "compiled_forward",
    "make_forward",
    "predict",
]
