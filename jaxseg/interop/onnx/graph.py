"""An ONNX graph that grows: its nodes, its constants, and sizes that are known only when it runs.

A size is an ``int`` or a symbolic dimension of JAX, an expression in names such as ``2*h + 1``.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxseg.interop.onnx.optional import onnx_module

# The oldest set of operations with axes of reductions as inputs; most software reads it.
OPSET, IR_VERSION = 18, 8
OPERATORS: Mapping[type, str] = {
    ast.Add: "Add",
    ast.Sub: "Sub",
    ast.Mult: "Mul",
    ast.Pow: "Pow",
}
FUNCTIONS: Mapping[str, str] = {"floordiv": "Div", "mod": "Mod", "max": "Max", "min": "Min"}


class Tensor(NamedTuple):
    """A value of the graph."""

    name: str
    narrow: bool = False
    """Axes may have size 1 where the value is longer: single elements need no more."""


class Graph:
    """Nodes in the order of their computation, and constants by name.

    Parameters
    ----------
    symbols : how the length of a named size is found: (name of an input, axis, divisor)
    """

    def __init__(self, symbols: Mapping[str, tuple[str, int, int]]) -> None:
        self.onnx = onnx_module()
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._symbols = symbols
        self._known: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._sizes: dict[str, str] = {}

    def node(self, operation: str, *inputs: str, **attributes: Any) -> str:
        """Add an operation with one output; its name."""
        name = f"t{len(self.nodes)}"
        self.nodes.append(
            self.onnx.helper.make_node(
                operation, list(inputs), [name], f"{operation}{len(self.nodes)}", **attributes
            )
        )
        return name

    def constant(self, values: Any, dtype: Any = None) -> str:
        """The name of a constant; equal ones are stored once."""
        array = np.ascontiguousarray(np.asarray(values, dtype)).reshape(np.shape(values))
        key = (str(array.dtype), array.shape, array.tobytes())
        if key not in self._known:
            self._known[key] = f"c{len(self.constants)}"
            self.constants.append(self.onnx.numpy_helper.from_array(array, self._known[key]))
        return self._known[key]

    def integers(self, values: Sequence[int]) -> str:
        """Axes, sizes and the like, as ONNX wants them."""
        return self.constant(list(values), np.int64)

    def shape(self, sizes: Sequence[Any]) -> str:
        """A shape, (len(sizes),) int64."""
        if all(isinstance(size, int) for size in sizes):
            return self.integers(sizes)
        return self.node("Concat", *map(self.size, sizes), axis=0)

    def size(self, size: Any) -> str:
        """One size, (1,) int64."""
        if isinstance(size, int):
            return self.integers([size])
        text = str(size)
        if text not in self._sizes:
            tree = ast.parse(text.replace("^", "**"), mode="eval").body
            self._sizes[text] = self._expression(tree)
        return self._sizes[text]

    def _expression(self, tree: Any) -> str:
        """An arithmetic expression as JAX writes it."""
        match tree:
            case ast.Constant(value=int(number)):
                return self.integers([number])
            case ast.Name(id=name):
                return self._symbol(name)
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                return self.node("Neg", self._expression(inner))
            case ast.BinOp(left=left, op=operator, right=right):
                parts = self._expression(left), self._expression(right)
                return self.node(OPERATORS[type(operator)], *parts)
            case ast.Call(func=ast.Name(id=name), args=args):
                return self.node(FUNCTIONS[name], *map(self._expression, args))
        raise AssertionError(f"JAX writes sizes in another way: {ast.unparse(tree)}")

    def _symbol(self, name: str) -> str:
        if name not in self._sizes:
            source, axis, divisor = self._symbols[name]
            length = self.node("Shape", source, start=axis, end=axis + 1)
            whole = length if divisor == 1 else self.node("Div", length, self.integers([divisor]))
            self._sizes[name] = whole
        return self._sizes[name]

    def wide(self, value: Tensor | np.ndarray, shape: Sequence[Any]) -> str:
        """A value of the graph or a known one, at its full shape."""
        if isinstance(value, np.ndarray):
            return self.constant(value)
        if not value.narrow:
            return value.name
        return self.node("Expand", value.name, self.shape(shape))

    def raw(self, value: Tensor | np.ndarray) -> str:
        """A value of the graph or a known one, as narrow as it may be."""
        return self.constant(value) if isinstance(value, np.ndarray) else value.name


Rule = Callable[..., str | list[str]]
