"""A function of JAX as an ONNX model.

The function is traced for a batch, and a size of the image where it allows that, of any length;
what does not depend on the image is computed at once, the rest goes through the table of
:mod:`jaxseg.interop.onnx.primitives`. Dropped, with no meaning after training: names of results,
gradients of one's own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax import export
from jax.extend.core import Literal

from jaxseg.errors import ConfigError
from jaxseg.interop.onnx.graph import IR_VERSION, OPSET, Graph, Tensor
from jaxseg.interop.onnx.primitives import ELEMENTWISE, RULES, broadcast, refusal

INPUT, OUTPUT = "image", "planes"
# What has no elements, such as a border of no width, is not made.
NOTHING = Tensor("")
Value = Tensor | np.ndarray


def to_onnx(
    function: Callable[[Any], Any],
    *,
    channels: int,
    stride: Sequence[int],
    tile: Sequence[int] = (),
    metadata: Mapping[str, str] | None = None,
) -> Any:
    """An ONNX model that computes a function of images.

    Parameters
    ----------
    function : (N, *S, C) float32 to (N, *S, K) float32
    channels : C
    stride : what S must be a multiple of, (z)yx
    tile : the only size S; empty = any multiple of the stride
    metadata : texts to keep in the model

    Returns
    -------
    ``onnx.ModelProto``: ``image`` (N, C, *S) to ``planes`` (N, K, *S), any N

    Raises
    ------
    ConfigError : something in the function has no counterpart, or depends on the size
    """
    names = "dhw"[-len(stride) :]
    sizes = [f"{step}*{name}" for step, name in zip(stride, names, strict=True)]
    text = ", ".join(["b", str(channels), *(map(str, tile) if tile else sizes)])
    traced = _trace(function, export.symbolic_shape(text))
    symbols = {"b": (INPUT, 0, 1)}
    symbols |= {
        name: (INPUT, axis, step)
        for axis, (name, step) in enumerate(zip(names, stride, strict=True), start=2)
    }
    graph = Graph(symbols)
    (result,) = _emit(graph, traced.jaxpr, traced.consts, [Tensor(INPUT)])
    (planes,) = traced.out_avals
    graph.nodes.append(
        graph.onnx.helper.make_node("Identity", [graph.wide(result, planes.shape)], [OUTPUT])
    )
    return _model(graph, traced.in_avals[0].shape, planes.shape, metadata or {})


def _trace(function: Callable[[Any], Any], shape: Sequence[Any]) -> Any:
    """The equations of a function of images with the channels first."""

    def outside(image: Any) -> Any:
        planes = function(jax.numpy.moveaxis(image, 1, -1))
        return jax.numpy.moveaxis(planes, -1, 1)

    try:
        return jax.make_jaxpr(outside)(jax.ShapeDtypeStruct(shape, np.float32))
    except jax.errors.InconclusiveDimensionOperation as error:
        raise ConfigError(
            "this network cannot be written for images of any size",
            found=str(error).strip().splitlines()[0],
            fix="give the size that it shall have, --tile",
        ) from error


def _model(
    graph: Graph, image: Sequence[Any], planes: Sequence[Any], metadata: Mapping[str, str]
) -> Any:
    """The graph as a checked model."""
    helper, float32 = graph.onnx.helper, graph.onnx.TensorProto.FLOAT
    inputs, outputs = (
        helper.make_tensor_value_info(
            name, float32, [size if isinstance(size, int) else str(size) for size in shape]
        )
        for name, shape in ((INPUT, image), (OUTPUT, planes))
    )
    body = helper.make_graph(graph.nodes, "jaxseg", [inputs], [outputs], graph.constants)
    model = helper.make_model(
        body,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="jaxseg",
    )
    helper.set_model_props(model, dict(metadata))
    graph.onnx.checker.check_model(model)
    return model


def _emit(graph: Graph, jaxpr: Any, consts: Sequence[Any], inputs: Sequence[Value]) -> list[Value]:
    """Add the equations to the graph; the values that they return."""
    values: dict[Any, Value] = dict(zip(jaxpr.invars, inputs, strict=True))
    values |= {var: np.asarray(c) for var, c in zip(jaxpr.constvars, consts, strict=True)}

    def value_of(var: Any) -> Value:
        return (
            np.asarray(var.val, getattr(var.aval, "dtype", None))
            if isinstance(var, Literal)
            else values[var]
        )

    for eqn in jaxpr.eqns:
        results = _equation(graph, eqn, [value_of(var) for var in eqn.invars])
        values |= zip(eqn.outvars, results, strict=True)
    return [value_of(var) for var in jaxpr.outvars]


def _equation(graph: Graph, eqn: Any, inputs: Sequence[Value]) -> list[Value]:
    """The results of one equation."""
    name = eqn.primitive.name
    inner = eqn.params.get("jaxpr", eqn.params.get("call_jaxpr"))
    if inner is not None:
        body = getattr(inner, "jaxpr", inner)
        return _emit(graph, body, getattr(inner, "consts", ()), inputs)
    shape = eqn.outvars[0].aval.shape
    known = all(isinstance(value, np.ndarray) for value in inputs) and name != "dim_as_value"
    if known and all(isinstance(size, int) for size in shape):
        found = eqn.primitive.bind(*inputs, **eqn.params)
        return [np.asarray(f) for f in (found if eqn.primitive.multiple_results else [found])]
    if any(isinstance(size, int) and size == 0 for size in shape):
        return [NOTHING]
    if name == "broadcast_in_dim":
        value, narrow = broadcast(graph, eqn, graph.raw(inputs[0]), eqn.invars[0].aval.shape)
        return [Tensor(value, narrow or _is_narrow(inputs[0], eqn.invars[0].aval.shape))]
    if name in ELEMENTWISE:
        result = ELEMENTWISE[name](graph, eqn, *map(graph.raw, inputs))
        return [Tensor(result, all(_is_narrow(value, shape) for value in inputs))]
    if name not in RULES:
        raise refusal(eqn, "it is not in the table of operations")
    shapes = [var.aval.shape for var in eqn.invars]
    wide = [graph.wide(value, size) for value, size in zip(inputs, shapes, strict=True)]
    made = RULES[name](graph, eqn, *wide)
    return [Tensor(each) for each in (made if isinstance(made, list) else [made])]


def _is_narrow(value: Value, shape: Sequence[Any]) -> bool:
    """Whether a value may be smaller than a shape."""
    return value.shape != tuple(shape) if isinstance(value, np.ndarray) else value.narrow


def is_close(ours: np.ndarray, theirs: np.ndarray, tolerance: float) -> tuple[bool, float]:
    """Whether two results are the same, and by how much they differ.

    Parameters
    ----------
    ours, theirs : of the same shape
    tolerance : largest difference, in multiples of the largest value, at least of 1

    Returns
    -------
    (whether they are close, largest difference in those multiples); NaN is never close

    >>> is_close(np.array([0.0, 50.0]), np.array([0.001, 50.0]), 1e-4)
    (True, 2e-05)
    """
    largest = max(1.0, float(np.abs(ours).max(initial=0.0)))
    difference = float(np.abs(ours - theirs).max(initial=0.0)) / largest
    return (difference <= tolerance, difference) if math.isfinite(difference) else (False, math.nan)
