"""Networks to and from other software: ONNX and BioImage.IO packages."""

from jaxseg.exchange.convert import is_close, to_onnx
from jaxseg.exchange.foreign import Foreign, open_foreign
from jaxseg.exchange.scaling import disagreement, stats_for
from jaxseg.exchange.session import make_forward, open_onnx

__all__ = [
    "Foreign",
    "disagreement",
    "is_close",
    "make_forward",
    "open_foreign",
    "open_onnx",
    "stats_for",
    "to_onnx",
]
