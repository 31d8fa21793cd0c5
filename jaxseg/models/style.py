"""What all blocks of a network have in common."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax


def gelu(image: jax.Array) -> jax.Array:
    """Each value times the probability that a normal one is smaller (Hendrycks & Gimpel 2016).

    As in PyTorch by ``erf``; that of flax is by ``erfc``, which takes XLA three times as long.
    """
    return image * (0.5 * (1 + lax.erf(image * 2**-0.5)))


ACTIVATIONS: Mapping[str, Callable[[jax.Array], jax.Array]] = MappingProxyType(
    {
        "elu": nn.elu,
        "relu": nn.relu,
        "leaky_relu": nn.leaky_relu,
        "gelu": gelu,
        "silu": nn.silu,
    }
)


@dataclasses.dataclass(frozen=True)
class Style:
    """Options that do not depend on the place in the network."""

    norm: str = "none"
    """A kind of :class:`jaxseg.models.normalization.Norm`."""
    activation: str = "elu"
    recipe: str = "plain"
    """How convolutions are computed, a name in ``RECIPES``."""
    dtype: Any = jnp.float32
    """Element type of the arithmetic."""
    axis: str | None = None
    """Mesh axis over which ``shard_map`` spreads the batch; None = it is not spread."""

    def varying(self, value: jax.Array) -> jax.Array:
        """A parameter as different between devices as the image is, for gradients given by hand.

        Such a gradient is each device's own; it is then added up over the devices.
        """
        return lax.pcast(value, self.axis, to="varying") if self.axis else value

    def activate(self, image: jax.Array) -> jax.Array:
        """The non-linearity of the network."""
        return ACTIVATIONS[self.activation](image)
