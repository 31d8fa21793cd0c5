"""Networks to and from other software: ONNX and BioImage.IO packages."""

from jaxseg.interop.bioimageio.scaling import disagreement, stats_for
from jaxseg.interop.onnx.convert import is_close, to_onnx
from jaxseg.interop.onnx.foreign import Foreign, open_foreign
from jaxseg.interop.onnx.session import make_forward, open_onnx

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
