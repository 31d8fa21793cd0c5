"""How many parameters a network has, and where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax


def count_parameters(variables: Mapping[str, Any]) -> int:
    """Number of trained values."""
    return sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))


def summary(variables: Mapping[str, Any]) -> str:
    """A table of the outermost modules of a network, their arrays and parameters.

    Parameters
    ----------
    variables : what ``init`` gives, or its shapes: ``jax.eval_shape(model.init, key, image)``

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
    wide = max(len("module"), *map(len, variables["params"])) + 2
    lines = [f"{'module':<{wide}} {'arrays':>8} {'parameters':>16}"]
    for name in sorted(variables["params"]):
        leaves = jax.tree.leaves(variables["params"][name])
        own = sum(leaf.size for leaf in leaves)
        part = 100 * own / max(total, 1)
        lines.append(f"{name:<{wide}} {len(leaves):>8} {own:>16,} {part:>6.1f} %")
    arrays = len(jax.tree.leaves(variables["params"]))
    return "\n".join([*lines, f"{'all':<{wide}} {arrays:>8} {total:>16,}"])
