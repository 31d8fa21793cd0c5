"""Networks to and from ONNX."""

from jaxseg.interop.onnx.convert import is_close, to_onnx
from jaxseg.interop.onnx.session import make_forward, open_onnx

__all__ = ["is_close", "make_forward", "open_onnx", "to_onnx"]
