"""ONNX models run by onnxruntime; what comes from others is looked at before it is run.

A model may keep its weights in other files. They are read here, from the package or the folder of
the model only, so that the runtime itself never opens a path that a model names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxseg.errors import InputError
from jaxseg.interop.bioimageio.archive import LARGEST_MODEL, is_inside
from jaxseg.interop.onnx.optional import load, onnx_module

Part = Callable[[str], bytes]
Sizes = tuple[int | None, ...]


class Network(NamedTuple):
    """A model with one input and one output."""

    run: Callable[[np.ndarray], np.ndarray]
    """An array in the order of the model's own axes, float32, to one in that of its output."""
    inputs: Sizes
    """Length of the axes of the input; None = any."""
    outputs: Sizes
    metadata: Mapping[str, str]


def open_onnx(data: bytes, *, file: str, part: Part | None = None) -> Network:
    """A model ready to run.

    Parameters
    ----------
    data : an ONNX file
    file : its name, for messages
    part : gives the content of a file beside it; None = there is none

    Raises
    ------
    InputError : damaged, larger than 2 GiB, weights in a file that is not there or lies outside,
        more than one input or output, or not of float32
    ConfigError : onnx or onnxruntime is missing
    """
    runtime = load("onnxruntime", "onnx")
    data = _whole(data, file, part)
    options = runtime.SessionOptions()
    # What is wrong is raised; it need not be printed as well.
    options.log_severity_level = 4
    available = runtime.get_available_providers()
    wanted = [
        name for name in ("CUDAExecutionProvider", "CPUExecutionProvider") if name in available
    ]
    errors = _errors()
    try:
        session = runtime.InferenceSession(data, options, providers=wanted, enable_fallback=0)
        (given,), (result,) = (
            _only(ends, kind, file)
            for ends, kind in ((session.get_inputs(), "input"), (session.get_outputs(), "output"))
        )
        # Names that are no text are found only now.
        sizes, names = (_sizes(given), _sizes(result)), (given.name, result.name)
        metadata = dict(session.get_modelmeta().custom_metadata_map)
    except errors as error:
        raise InputError(f"not a model that runs: {first_line(error)}", where=file) from error

    def run(array: np.ndarray) -> np.ndarray:
        try:
            return session.run([names[1]], {names[0]: np.ascontiguousarray(array)})[0]
        except errors as error:
            raise InputError(
                f"the model stopped: {first_line(error)}",
                where=file,
                found=f"an input of {array.shape}",
                expected=f"axes of length {sizes[0]}",
            ) from error

    return Network(run, *sizes, metadata)


def _only(ends: list[Any], kind: str, file: str) -> list[Any]:
    """The one input or output of a model."""
    if len(ends) != 1:
        names = ", ".join(end.name for end in ends) or "none"
        raise InputError(f"a model needs one {kind}", where=file, expected=1, found=names)
    if ends[0].type != "tensor(float)":
        found = ends[0].type
        raise InputError(f"an {kind} of another type", where=file, expected="float32", found=found)
    return ends


def _sizes(end: Any) -> Sizes:
    """Lengths of the axes of an input or output, None where they may differ."""
    return tuple(size if isinstance(size, int) and size > 0 else None for size in end.shape)


def _errors() -> tuple[type[Exception], ...]:
    """What onnxruntime raises: kinds without a common parent, and those of Python for odd text."""
    state = load("onnxruntime.capi.onnxruntime_pybind11_state", "onnx")
    kinds = [kind for kind in vars(state).values() if isinstance(kind, type)]
    own = tuple(kind for kind in kinds if issubclass(kind, Exception))
    return (*own, RuntimeError, ValueError, TypeError, MemoryError)


def first_line(error: Exception | str) -> str:
    """An error of another library, short enough for one of ours."""
    lines = str(error).strip().splitlines()
    return lines[0][:160] if lines else type(error).__name__


# ---------------------------------------------------------------------- weights in other files


def _whole(data: bytes, file: str, part: Part | None) -> bytes:
    """The model with the weights that it keeps in other files."""
    if len(data) > LARGEST_MODEL:
        raise InputError("a model of more than 2 GiB", where=file, found=f"{len(data)} bytes")
    onnx = onnx_module()
    decode = load("google.protobuf.message", "onnx").DecodeError
    try:
        model = onnx.load_model_from_string(data)
    except (decode, ValueError) as error:
        raise InputError("not an ONNX model", where=file, found=first_line(error)) from error
    outside = [t for t in _tensors(model) if t.data_location == onnx.TensorProto.EXTERNAL]
    if not outside:
        return data
    contents: dict[str, bytes] = {}
    for tensor in outside:
        entry = {item.key: item.value for item in tensor.external_data}
        name = entry.get("location", "")
        if not is_inside(name) or part is None:
            raise InputError("weights in a file outside of the package", where=file, found=name)
        if name not in contents:
            contents[name] = part(name)
        _fill(onnx, tensor, contents[name], entry, file)
    if model.ByteSize() > LARGEST_MODEL:
        raise InputError("weights of more than 2 GiB", where=file)
    return model.SerializeToString()


def _fill(onnx: Any, tensor: Any, content: bytes, entry: Mapping[str, str], file: str) -> None:
    """Put the bytes of a tensor in its place."""
    try:
        start = int(entry.get("offset", 0))
        length = int(entry.get("length", len(content) - start))
    except ValueError as error:
        raise InputError("weights at no place", where=file, found=tensor.name) from error
    if start < 0 or length < 0 or start + length > len(content):
        raise InputError(
            "weights beyond the end of their file",
            where=file,
            expected=f"at most {len(content)} bytes",
            found=f"{length} from {start}",
        )
    tensor.raw_data = content[start : start + length]
    tensor.data_location = onnx.TensorProto.DEFAULT
    del tensor.external_data[:]


def _tensors(message: Any) -> Iterator[Any]:
    """Every tensor anywhere in a message: of graphs, attributes, functions."""
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for item in value if isinstance(value, Sequence) else [value]:
            if field.message_type.name == "TensorProto":
                yield item
            else:
                yield from _tensors(item)


# ------------------------------------------------------------------------------ order of axes


def make_forward(
    network: Network, inputs: str, outputs: str, ndim: int
) -> Callable[[Any], np.ndarray]:
    """A model as the function that prediction calls.

    Parameters
    ----------
    network : any model
    inputs, outputs : the order of its axes, of ``b``, ``c`` and ``zyx``; an axis that is left out
        has one element
    ndim : spatial axes of the tiles

    Returns
    -------
    (N, *S, C) float32 to (N, *S, K) float32; where the model takes a single sample, one at a time
    """
    ours = "b" + "zyx"[-ndim:] + "c"
    several = "b" in inputs and "b" in outputs
    one = not several or network.inputs[inputs.index("b")] == 1

    def call(tiles: np.ndarray) -> np.ndarray:
        kept = [axis for axis in ours if axis in inputs]
        cut = tiles[tuple(slice(None) if axis in inputs else 0 for axis in ours)]
        answer = network.run(cut.transpose([kept.index(axis) for axis in inputs]))
        if answer.ndim != len(outputs):
            raise InputError(
                "the model gives another number of axes", expected=outputs, found=answer.shape
            )
        present = [axis for axis in ours if axis in outputs]
        sorted_ = answer.transpose([outputs.index(axis) for axis in present])
        new = tuple(slice(None) if axis in outputs else None for axis in ours)
        return sorted_[new].astype(np.float32, copy=False)

    def forward(tiles: Any) -> np.ndarray:
        tiles = np.asarray(tiles, np.float32)
        if not one:
            return call(tiles)
        return np.concatenate([call(tiles[n : n + 1]) for n in range(len(tiles))])

    return forward
