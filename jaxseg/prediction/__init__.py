"""Prediction: an image of any size through a network, in tiles."""

from jaxseg.prediction.classify import classified
from jaxseg.prediction.forward import make_forward
from jaxseg.prediction.sliding import predict
from jaxseg.prediction.tiling import Tiling, choose_tile, chunk_shape

__all__ = ["Tiling", "choose_tile", "chunk_shape", "classified", "make_forward", "predict"]
