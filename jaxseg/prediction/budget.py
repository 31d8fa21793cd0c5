"""How large a tile may be: what a network holds in memory for each voxel that it sees."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

# What the tiles of one call may hold on a device. It does not depend on the machine, so that
# several machines that share an image cut it alike.
BUDGET = 3 * 2**30


def most_voxels(apply: Callable[..., Any], *given: Any) -> int:
    """How many voxels one call of a network may have to stay within ``BUDGET``.

    Parameters
    ----------
    apply : function of arrays, the last of which is a batch of images (N, *S, C)
    *given : arrays, or what has their shapes and element types

    Returns
    -------
    int
        At least 1.

    Examples
    --------
    A network that keeps three more planes beside its image needs 16 bytes per voxel:

    >>> image = jnp.zeros((1, 8, 8, 1))
    >>> most_voxels(lambda x: (x + 1) * (x - 1), image) == BUDGET // 16
    True
    """
    image = given[-1]
    voxels = math.prod(image.shape[:-1])
    inner = jax.make_jaxpr(apply)(*given).jaxpr
    held = _peak(inner) + _size(image)
    return max(1, BUDGET * voxels // held)


def _peak(jaxpr: Any) -> int:
    """Most bytes of results that are needed at one time, arguments not counted."""
    reads = [*(equation.invars for equation in jaxpr.eqns), jaxpr.outvars]
    last = {
        variable: place
        for place, variables in enumerate(reads)
        for variable in variables
        if not hasattr(variable, "val")
    }
    held = most = 0
    alive: dict[Any, int] = {}
    for place, equation in enumerate(jaxpr.eqns):
        made = {variable: _size(variable.aval) for variable in equation.outvars}
        # The last inner result is what the equation gives.
        inner = max((_peak(one) for one in _inside(equation)), default=0)
        most = max(most, held + max(inner, sum(made.values())))
        alive |= {variable: size for variable, size in made.items() if variable in last}
        for variable in [one for one in alive if last[one] <= place]:
            del alive[variable]
        held = sum(alive.values())
    return most


def _inside(equation: Any) -> list[Any]:
    """The functions that an equation calls."""
    values = [value for value in equation.params.values() if value is not None]
    found = [getattr(value, "jaxpr", value) for value in values]
    return [one for one in found if hasattr(one, "eqns")]


def _size(kind: Any) -> int:
    return math.prod(kind.shape) * jnp.dtype(kind.dtype).itemsize
