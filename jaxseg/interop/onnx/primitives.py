"""Each primitive of JAX that our networks and links use, as operations of ONNX: one table.

A rule is called with the graph, the equation, and the names of its inputs, and returns the name of
its output, or a list of them. Those in ``ELEMENTWISE`` get inputs that may be narrow, see
:class:`jaxseg.interop.onnx.graph.Tensor`.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from jaxseg.errors import ConfigError
from jaxseg.interop.onnx.graph import Graph, Rule

END = np.iinfo(np.int64).max


def refusal(eqn: Any, why: str) -> ConfigError:
    """The error for what has no counterpart here."""
    return ConfigError(
        f"{eqn.primitive.name} of the network cannot be written as ONNX: {why}",
        fix="tell the developers which network it is",
    )


# ------------------------------------------------------------------------------ single elements

# Same meaning, same number of inputs.
SAME: Mapping[str, str] = {
    "add": "Add",
    "sub": "Sub",
    "mul": "Mul",
    "div": "Div",
    "max": "Max",
    "min": "Min",
    "pow": "Pow",
    "neg": "Neg",
    "abs": "Abs",
    "exp": "Exp",
    "log": "Log",
    "sqrt": "Sqrt",
    "sin": "Sin",
    "cos": "Cos",
    "tanh": "Tanh",
    "erf": "Erf",
    "floor": "Floor",
    "logistic": "Sigmoid",
    "gt": "Greater",
    "ge": "GreaterOrEqual",
    "lt": "Less",
    "le": "LessOrEqual",
    "eq": "Equal",
    "and": "And",
    "or": "Or",
    "not": "Not",
    "copy": "Identity",
    "stop_gradient": "Identity",
    "name": "Identity",
}


def _same(graph: Graph, eqn: Any, *inputs: str) -> str:
    return graph.node(SAME[eqn.primitive.name], *inputs)


def _one(graph: Graph, eqn: Any) -> str:
    return graph.constant(1, eqn.invars[0].aval.dtype)


def _expm1(graph: Graph, eqn: Any, value: str) -> str:
    return graph.node("Sub", graph.node("Exp", value), _one(graph, eqn))


def _erfc(graph: Graph, eqn: Any, value: str) -> str:
    return graph.node("Sub", _one(graph, eqn), graph.node("Erf", value))


def _rsqrt(graph: Graph, eqn: Any, value: str) -> str:
    return graph.node("Reciprocal", graph.node("Sqrt", value))


def _square(graph: Graph, eqn: Any, value: str) -> str:
    return graph.node("Mul", value, value)


def _integer_pow(graph: Graph, eqn: Any, value: str) -> str:
    if eqn.params["y"] == 2:
        return _square(graph, eqn, value)
    return graph.node("Pow", value, graph.constant(eqn.params["y"], eqn.invars[0].aval.dtype))


def _ne(graph: Graph, eqn: Any, first: str, second: str) -> str:
    return graph.node("Not", graph.node("Equal", first, second))


def _select(graph: Graph, eqn: Any, which: str, *cases: str) -> str:
    if len(cases) != 2 or eqn.invars[0].aval.dtype != bool:
        raise refusal(eqn, "a choice of more than two")
    return graph.node("Where", which, cases[1], cases[0])


def _clamp(graph: Graph, eqn: Any, low: str, value: str, high: str) -> str:
    return graph.node("Min", graph.node("Max", value, low), high)


def _convert(graph: Graph, eqn: Any, value: str) -> str:
    kind = graph.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(eqn.params["new_dtype"]))
    return graph.node("Cast", value, to=kind)


ELEMENTWISE: Mapping[str, Callable[..., str]] = MappingProxyType(
    {
        **dict.fromkeys(SAME, _same),
        "expm1": _expm1,
        "erfc": _erfc,
        "rsqrt": _rsqrt,
        "square": _square,
        "integer_pow": _integer_pow,
        "ne": _ne,
        "select_n": _select,
        "clamp": _clamp,
        "convert_element_type": _convert,
    }
)

# -------------------------------------------------------------------------------------- shapes


def _reshape(graph: Graph, eqn: Any, value: str) -> str:
    before, after = eqn.invars[0].aval.shape, eqn.outvars[0].aval.shape
    # 0 repeats the size at the same place, -1 is what remains; other unknown sizes are computed.
    sizes = [
        0 if not isinstance(size, int) and place < len(before) and before[place] == size else size
        for place, size in enumerate(after)
    ]
    unknown = [place for place, size in enumerate(sizes) if not isinstance(size, int)]
    if len(unknown) == 1:
        sizes[unknown[0]] = -1
    return graph.node("Reshape", value, graph.shape(sizes))


def _squeeze(graph: Graph, eqn: Any, value: str) -> str:
    return graph.node("Squeeze", value, graph.integers(eqn.params["dimensions"]))


def _transpose(graph: Graph, eqn: Any, value: str) -> str:
    return graph.node("Transpose", value, perm=list(eqn.params["permutation"]))


def _concatenate(graph: Graph, eqn: Any, *values: str) -> str:
    # Parts without any element were never made.
    parts = [value for value in values if value]
    return graph.node("Concat", *parts, axis=eqn.params["dimension"])


def _stack(graph: Graph, eqn: Any, *values: str) -> str:
    axis = graph.integers([eqn.params["axis"]])
    parts = [graph.node("Unsqueeze", value, axis) for value in values]
    return graph.node("Concat", *parts, axis=eqn.params["axis"])


def _split(graph: Graph, eqn: Any, value: str) -> list[str]:
    sizes, axis = eqn.params["sizes"], graph.integers([eqn.params["axis"]])
    starts = [sum(sizes[:place]) for place in range(len(sizes))]
    return [
        graph.node("Slice", value, graph.shape([start]), graph.shape([start + size]), axis)
        for start, size in zip(starts, sizes, strict=True)
    ]


def _slice(graph: Graph, eqn: Any, value: str) -> str:
    whole, params = eqn.invars[0].aval.shape, eqn.params
    start, stop = params["start_indices"], params["limit_indices"]
    steps = params["strides"] or (1,) * len(whole)
    axes = [a for a, n in enumerate(whole) if (start[a], stop[a], steps[a]) != (0, n, 1)]
    if not axes:
        return graph.node("Identity", value)
    ends = [END if stop[axis] == whole[axis] else stop[axis] for axis in axes]
    return graph.node(
        "Slice",
        value,
        graph.shape([start[axis] for axis in axes]),
        graph.shape(ends),
        graph.integers(axes),
        graph.integers([steps[axis] for axis in axes]),
    )


def _pad(graph: Graph, eqn: Any, value: str, filling: str) -> str:
    config = eqn.params["padding_config"]
    if any(inner for _, _, inner in config):
        raise refusal(eqn, "zeros between elements")
    low, high = [pair[0] for pair in config], [pair[1] for pair in config]
    return graph.node("Pad", value, graph.shape([*low, *high]), filling)


def _gather(graph: Graph, eqn: Any, value: str, places: str) -> str:
    """Only what ``take`` does along one axis, and slices along one."""
    numbers, sizes = eqn.params["dimension_numbers"], eqn.params["slice_sizes"]
    shape, more = eqn.invars[0].aval.shape, eqn.invars[1].aval.ndim - 1
    axis, *extra = numbers.start_index_map
    others = [a for a in range(len(shape)) if a != axis]
    if extra or numbers.operand_batching_dims or any(sizes[a] != shape[a] for a in others):
        raise refusal(eqn, "more than one axis")
    # Beyond the end JAX would clip or give NaN; our networks never ask for it.
    if not numbers.collapsed_slice_dims and not more:
        start = graph.node("Cast", places, to=graph.onnx.TensorProto.INT64)
        stop = graph.node("Add", start, graph.size(sizes[axis]))
        return graph.node("Slice", value, start, stop, graph.integers([axis]))
    outside = tuple(a if a < axis else a + more - 1 for a in others)
    if (numbers.collapsed_slice_dims, numbers.offset_dims) != ((axis,), outside):
        raise refusal(eqn, "the order of the axes")
    flat = graph.node("Squeeze", places, graph.integers([-1]))
    return graph.node("Gather", value, flat, axis=axis)


def _iota(graph: Graph, eqn: Any) -> str:
    shape, axis = eqn.params["shape"], eqn.params["dimension"]
    scalar = graph.integers([])
    length = graph.node("Reshape", graph.size(shape[axis]), scalar)
    count = graph.node("Range", graph.constant(0, np.int64), length, graph.constant(1, np.int64))
    line = [-1 if at == axis else 1 for at in range(len(shape))]
    count = graph.node("Reshape", count, graph.integers(line))
    kind = graph.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(eqn.params["dtype"]))
    return graph.node("Expand", graph.node("Cast", count, to=kind), graph.shape(shape))


def _dim_as_value(graph: Graph, eqn: Any) -> str:
    scalar = graph.node("Reshape", graph.size(eqn.params["dim"]), graph.integers([]))
    kind = graph.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(eqn.outvars[0].aval.dtype))
    return graph.node("Cast", scalar, to=kind)


# ------------------------------------------------------------------------- sums and products


def _reduce(operation: str) -> Rule:
    def rule(graph: Graph, eqn: Any, value: str) -> str:
        return graph.node(operation, value, graph.integers(eqn.params["axes"]), keepdims=0)

    return rule


def _dot_general(graph: Graph, eqn: Any, left: str, right: str) -> str:
    (left_sum, right_sum), (left_batch, right_batch) = eqn.params["dimension_numbers"]
    first, second = (len(var.aval.shape) for var in eqn.invars)
    if not left_batch and second == 2 and tuple(left_sum) == (first - 1,) and right_sum[0] == 0:
        return graph.node("MatMul", left, right)
    letters = iter(string.ascii_lowercase)
    one = [next(letters) for _ in range(first)]
    two = [next(letters) for _ in range(second)]
    for a, b in zip((*left_batch, *left_sum), (*right_batch, *right_sum), strict=True):
        two[b] = one[a]
    free = [one[a] for a in range(first) if a not in (*left_batch, *left_sum)]
    free += [two[b] for b in range(second) if b not in (*right_batch, *right_sum)]
    result = [one[a] for a in left_batch] + free
    equation = f"{''.join(one)},{''.join(two)}->{''.join(result)}"
    return graph.node("Einsum", left, right, equation=equation)


def _conv(graph: Graph, eqn: Any, image: str, kernel: str) -> str:
    params = eqn.params
    numbers, pads = params["dimension_numbers"], params["padding"]
    flat = graph.node("Transpose", image, perm=list(numbers.lhs_spec))
    spread = tuple(params["lhs_dilation"])
    options = {
        "strides": list(params["window_strides"]),
        "dilations": list(params["rhs_dilation"]),
        "group": params["feature_group_count"],
    }
    if params["batch_group_count"] != 1:
        raise refusal(eqn, "groups of samples")
    if set(spread) == {1}:
        weights = graph.node("Transpose", kernel, perm=list(numbers.rhs_spec))
        options["pads"] = [low for low, _ in pads] + [high for _, high in pads]
        result = graph.node("Conv", flat, weights, **options)
    else:
        result = _transposed(graph, eqn, flat, kernel, options)
    back = np.argsort(numbers.out_spec).tolist()
    return graph.node("Transpose", result, perm=back)


def _transposed(graph: Graph, eqn: Any, image: str, kernel: str, options: dict[str, Any]) -> str:
    """A convolution of an image with zeros between its voxels, as a transposed convolution."""
    numbers, params = eqn.params["dimension_numbers"], eqn.params
    if options["group"] != 1 or set(options["strides"]) != {1}:
        raise refusal(eqn, "a transposed convolution with groups or strides")
    out, inside, *space = numbers.rhs_spec
    taps = [eqn.invars[1].aval.shape[axis] for axis in space]
    reach = [step * (n - 1) for step, n in zip(options["dilations"], taps, strict=True)]
    cut = [
        (whole - low, whole - high)
        for whole, (low, high) in zip(reach, params["padding"], strict=True)
    ]
    if min(map(min, cut)) < 0:
        raise refusal(eqn, "a transposed convolution with a border")
    ones = [-1] * len(space)
    weights = graph.node("Transpose", kernel, perm=[inside, out, *space])
    weights = graph.node(
        "Slice",
        weights,
        graph.integers([-1] * len(space)),
        graph.integers([-END] * len(space)),
        graph.integers(range(2, 2 + len(space))),
        graph.integers(ones),
    )
    options |= {
        "strides": list(params["lhs_dilation"]),
        "pads": [low for low, _ in cut] + [high for _, high in cut],
    }
    return graph.node("ConvTranspose", image, weights, **options)


def _max_pool(graph: Graph, eqn: Any, value: str) -> str:
    params = eqn.params
    window, steps = params["window_dimensions"], params["window_strides"]
    dilated = set(params["base_dilation"]) | set(params["window_dilation"])
    edges = {window[0], window[-1], steps[0], steps[-1]}
    if dilated != {1} or edges != {1} or any(map(any, params["padding"])):
        raise refusal(eqn, "only windows over space are known")
    axes = range(1, len(window) - 1)
    flat = graph.node("Transpose", value, perm=[0, len(window) - 1, *axes])
    pooled = graph.node("MaxPool", flat, kernel_shape=list(window[1:-1]), strides=list(steps[1:-1]))
    return graph.node("Transpose", pooled, perm=[0, *(a + 1 for a in axes), 1])


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "reshape": _reshape,
        "squeeze": _squeeze,
        "transpose": _transpose,
        "concatenate": _concatenate,
        "stack": _stack,
        "slice": _slice,
        "split": _split,
        "pad": _pad,
        "gather": _gather,
        "iota": _iota,
        "dim_as_value": _dim_as_value,
        "reduce_sum": _reduce("ReduceSum"),
        "reduce_max": _reduce("ReduceMax"),
        "reduce_min": _reduce("ReduceMin"),
        "dot_general": _dot_general,
        "conv_general_dilated": _conv,
        "reduce_window_max": _max_pool,
    }
)


def broadcast(graph: Graph, eqn: Any, value: str, before: Sequence[Any]) -> tuple[str, bool]:
    """New axes of size 1 where the result has them, and whether axes still have to grow."""
    shape, kept = eqn.params["shape"], eqn.params["broadcast_dimensions"]
    new = [axis for axis in range(len(shape)) if axis not in kept]
    if new:
        value = graph.node("Unsqueeze", value, graph.integers(new))
    sizes = dict(zip(kept, before, strict=True))
    return value, any(sizes.get(axis, 1) != size for axis, size in enumerate(shape))
