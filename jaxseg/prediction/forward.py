"""A trained model as the function that prediction calls: image tiles to channel values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxseg.prediction.stream import Forward


class Network(Protocol):
    """What prediction needs of a model."""

    @property
    def apply(self) -> Callable[..., jax.Array]:
        """(variables, image (N, *S, C)) to logits (N, *S, K)."""


def make_forward(
    model: Network,
    variables: Mapping[str, Any],
    activate: Callable[[jax.Array], jax.Array],
    *,
    mesh: Mesh | None = None,
) -> Forward:
    """The network and its links as one compiled function, its batch spread over the devices.

    Parameters
    ----------
    model : its ``apply`` takes the variables and (N, *S, C) float32
    variables : parameters and statistics, copied to the devices once
    activate : logits (N, *S, K) to channel values of the same shape
    mesh : devices along an axis "data" that share a batch; None = the default device. A batch that
        does not divide by their number is filled up with copies

    Returns
    -------
    (N, *S, C) float32 to (N, *S, K) float32, one compilation per shape
    """
    mesh = mesh or jax.make_mesh((1,), ("data",), devices=jax.devices()[:1])
    devices = mesh.shape["data"]
    split, everywhere = NamedSharding(mesh, P("data")), NamedSharding(mesh, P())
    variables = jax.device_put(variables, everywhere)
    compiled = compiled_forward(model, activate, mesh)

    def forward(tiles: Any) -> jax.Array:
        count = len(tiles)
        if count % devices == 0:
            return compiled(variables, jax.device_put(tiles, split))
        filled = jnp.concatenate([tiles, jnp.repeat(tiles[-1:], -count % devices, axis=0)])
        answers = compiled(variables, jax.device_put(filled, split))
        return jax.device_put(answers, everywhere)[:count]

    return forward


def compiled_forward(
    model: Network, activate: Callable[[jax.Array], jax.Array], mesh: Mesh
) -> Callable[..., jax.Array]:
    """The function of variables and tiles that :func:`make_forward` calls, under ``jax.jit``.

    Parameters
    ----------
    model, activate, mesh : as there; the mesh divides the batch

    Returns
    -------
    callable
        Variables and tiles (N, *S, C) to planes (N, *S, K).
    """

    def local(variables: Mapping[str, Any], tiles: jax.Array) -> jax.Array:
        return activate(model.apply(variables, tiles)).astype(jnp.float32)

    # Each device works for itself, so there is nothing for check_vma to check.
    return jax.jit(
        jax.shard_map(
            local, mesh=mesh, in_specs=(P(), P("data")), out_specs=P("data"), check_vma=False
        )
    )
