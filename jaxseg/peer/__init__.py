"""Networks that were trained with BiaPy 3.7.1."""

from jaxseg.peer.options import network_of
from jaxseg.peer.tensors import Weights, read
from jaxseg.peer.weights import convert

__all__ = ["Weights", "convert", "network_of", "read"]
