"""All arrays that a training run consists of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxseg import hosts
from jaxseg.models import Model
from jaxseg.train.start import transfer

Tree = TypeVar("Tree")


class State(NamedTuple):
    """Parameters and all that changes with them: arrays, the same on all devices.

    What happens in a step depends on this and on the batch alone: random decisions derive from
    ``key`` and ``step``.
    """

    params: Any
    batch_stats: Any
    """Running statistics of batch normalisation, or empty."""
    opt_state: Any
    ema: Any
    """Moving average of the parameters, or empty."""
    step: jax.Array
    """() int32, number of steps taken."""
    total_steps: jax.Array
    """() int32, number of steps that the learning rate is planned for; 0 = as the optimiser was."""
    key: jax.Array
    """Random key, never changed."""


def init_state(
    model: Model,
    tx: optax.GradientTransformation,
    key: jax.Array,
    shape: tuple[int, ...],
    mesh: Mesh,
    *,
    ema: float = 0.0,
    total_steps: int = 0,
    start: Mapping[str, Any] | None = None,
) -> State:
    """The state before the first step.

    Parameters
    ----------
    model, tx : network and optimiser
    key : for the initial parameters and for all random decisions of the run
    shape : of a batch of images, (N, *S, C); only C matters
    mesh : devices to copy the state to
    ema : decay of the moving average that :func:`make_step` will keep; 0 = none
    total_steps : steps that the learning rate is planned for; 0 = as the optimiser was made
    start : arrays of a trained network by name, taken as far as they fit

    Returns
    -------
    State
    """
    initial, later = jax.random.split(key)
    variables = model.init(initial, jax.ShapeDtypeStruct(shape, jnp.float32))
    variables = {"batch_stats": {}, **variables}
    if start is not None:
        # Not the arrays themselves: a step uses its state up.
        variables = jax.tree.map(jnp.array, transfer(variables, start).variables)
    params = variables["params"]

    def beside(params: Any) -> tuple[Any, Any]:
        return tx.init(params), jax.tree.map(jnp.copy, params) if ema else {}

    # As one program: hundreds of small ones, one for each shape, take seconds.
    opt_state, average = jax.jit(beside)(params)
    state = State(
        params=params,
        batch_stats=variables["batch_stats"],
        opt_state=opt_state,
        ema=average,
        step=jnp.zeros((), jnp.int32),
        total_steps=jnp.asarray(total_steps, jnp.int32),
        key=later,
    )
    return replicate(state, mesh)


def variables_of(state: State) -> dict[str, Any]:
    """The network to validate and keep: the average of its parameters where there is one."""
    return {"params": state.ema or state.params, "batch_stats": state.batch_stats}


def replicate(tree: Tree, mesh: Mesh) -> Tree:
    """A copy of every array on every device."""
    return hosts.put(tree, NamedSharding(mesh, P()))


def place(tree: Tree, mesh: Mesh) -> Tree:
    """Arrays (N, ...) with their first axis spread over the devices."""
    return hosts.put(tree, NamedSharding(mesh, P("data")))
