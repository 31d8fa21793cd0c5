"""How many parameters a network has, and where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax


def count_parameters(variables: Mapping[str, Any]) -> int:
    """Number of trained values."""
    return sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))


def summary(
    variables: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]] | None = None
) -> str:
    """A table of the outermost modules of a network, their arrays and parameters.

    Parameters
    ----------
    variables : what ``init`` gives, or its shapes: ``jax.eval_shape(model.init, key, image)``
    shapes : of the results of the modules by name, for a column of their own

    Returns
    -------
    one line for each module, in the order of their names, and one for the whole

    >>> import jax.numpy as jnp
    >>> print(summary({"params": {"head_0": {"bias": jnp.zeros(2), "kernel": jnp.zeros((4, 2))}}}))
    module     arrays       parameters
    head_0          2               10  100.0 %
    all             2               10
    """
    total = count_parameters(variables)
    names = sorted(variables["params"])
    given = {name: " x ".join(map(str, size)) for name, size in (shapes or {}).items()}
    wide = max(len("module"), *map(len, names)) + 2
    column = max(map(len, given.values()), default=-1) + 1

    def line(name: str, shape: str, arrays: Any, size: str, part: str = "") -> str:
        return f"{name:<{wide}}{shape:>{column}} {arrays:>8} {size:>16}{part}"

    lines = [line("module", "output" if given else "", "arrays", "parameters")]
    for name in names:
        leaves = jax.tree.leaves(variables["params"][name])
        own = sum(leaf.size for leaf in leaves)
        part = f" {100 * own / max(total, 1):>6.1f} %"
        lines.append(line(name, given.get(name, ""), len(leaves), f"{own:,}", part))
    arrays = len(jax.tree.leaves(variables["params"]))
    return "\n".join([*lines, line("all", "", arrays, f"{total:,}")])
