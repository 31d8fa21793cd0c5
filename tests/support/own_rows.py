"""A channel, a loss, a network and a measurement of a user's own, in a module that can be found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxseg import losses
from jaxseg.channels import ChannelSpec, Roles
from jaxseg.channels.spec import always
from jaxseg.config import Architecture, ChannelOptions, Measurement, option, section
from jaxseg.config.limits import above, at_least
from jaxseg.models import Model

# ------------------------------------------------------------------------------- a channel


@section
class Depth(ChannelOptions):
    """Options of a channel that is the distance to the left border of the image."""

    losses = ("mse", "mae")
    unit: float = option(4.0, above(0))
    """Voxels that are 1."""


def from_the_left(labels: Any, *, options: Depth, **_: Any) -> tuple[jax.Array, None]:
    """How far right a voxel of an object lies, 0 in the background."""
    place = jnp.broadcast_to(jnp.arange(labels.shape[-1]), labels.shape)
    return jnp.where(jnp.asarray(labels) > 0, place / options.unit, 0.0)[..., None], None


DEPTH = ChannelSpec(
    options=Depth,
    target=from_the_left,
    link=lambda logits, options: jax.nn.softplus(logits),
    loss=lambda logits, target, options: losses.absolute_error(jax.nn.softplus(logits), target),
    watershed=Roles(
        seed=+1, seed_threshold=always(0.01), growth=8, growth_threshold=always(0.01), surface=10
    ),
)

# ---------------------------------------------------------------------------------- a loss


def fourth_power(values: jax.Array, target: jax.Array) -> jax.Array:
    """The fourth power of the difference."""
    return (values - target) ** 4


# ------------------------------------------------------------------------------- a network


@section
class Thin(Architecture):
    """Two convolutions."""

    width: int = option(4, at_least(1))
    """Channels between them."""

    def build(self, heads: Sequence[int], ndim: int, *, style: Any, remat: bool) -> Model:
        """The network."""
        inner = nn.Conv(self.width, (3,) * ndim)
        net = nn.Sequential([inner, nn.relu, nn.Conv(sum(heads), (3,) * ndim)])

        def apply(variables: Any, image: Any, *, train: bool = False, **_: Any) -> Any:
            logits = net.apply(variables, image)
            return (logits, {}) if train else logits

        def init(key: Any, image: Any) -> Any:
            return net.init(key, jnp.zeros((1, *(8,) * ndim, image.shape[-1])))

        return Model(init, apply, (2,) * ndim, (1,) * ndim)


# --------------------------------------------------------------------------- a measurement


def filled(mask: np.ndarray, spacing: Sequence[float], image: np.ndarray) -> np.ndarray:
    """Share of the box that is object, and the brightest voxel."""
    return np.array([mask.mean(), image[mask].max()])


FILLED = Measurement("filled", filled, intensity=True, size=2)


# ------------------------------------------------------------------- an operation on objects


def without_tips(labels: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
    """Objects without the voxels whose neighbours along the last axis are all of another id."""
    padded = np.pad(labels, [(0, 0)] * (labels.ndim - 1) + [(1, 1)])
    beside = (padded[..., 2:] == labels) | (padded[..., :-2] == labels)
    return np.where(beside, labels, 0).astype(labels.dtype)
