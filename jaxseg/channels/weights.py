"""How the loss of a channel is chosen, and how much each of its voxels counts."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from jaxseg import losses
from jaxseg.channels.links import binary_cross_entropy, compared
from jaxseg.channels.spec import ChannelSpec, Joint
from jaxseg.config import Channel
from jaxseg.config.channels import Semantic

ERRORS = {"mse": losses.squared_error, "mae": losses.absolute_error}


def chosen_loss(channel: Channel, spec: ChannelSpec) -> Callable[..., jax.Array]:
    """The loss of the voxels of a channel; whichever it is, the link is the one of the table.

    Parameters
    ----------
    channel : with a legal ``loss``
    spec : its row

    Returns
    -------
    (logits (..., k), target (..., k), options) to (..., k) or (..., 1)
    """
    if callable(channel.loss):
        return compared(channel.loss, spec.link)
    if channel.loss in ERRORS:
        return compared(ERRORS[channel.loss], spec.link)
    if channel.loss == "bce":
        return binary_cross_entropy
    assert not isinstance(spec.loss, Joint)  # these are not compared voxel by voxel
    return spec.loss


def voxel_weights(
    channel: Channel,
    spec: ChannelSpec,
    target: jax.Array,
    mask: jax.Array,
    *,
    border: jax.Array | None,
    balance: bool,
) -> jax.Array:
    """How much every voxel counts in the loss of a channel.

    Parameters
    ----------
    channel, spec : and its row
    target : (N, *S, k) true values
    mask : (N, *S, k) bool, the values that count
    border : (N, *S) weights of all channels, or None
    balance : whether the two answers of a binary channel count the same

    Returns
    -------
    (N, *S, k), (N, *S, 1) or (1, ..., 1) float32
    """
    weights = jnp.ones((1,) * target.ndim) if border is None else border[..., None]
    if balance and spec.binary and not spec.exclusive:
        weights = weights * losses.balance_weights(target, mask)
    options = channel.options
    if isinstance(options, Semantic) and options.class_weights:
        weights = weights * _of_classes(target, jnp.asarray(options.class_weights, jnp.float32))
    return weights


def _of_classes(target: jax.Array, weights: jax.Array) -> jax.Array:
    """(N, *S, 1) weight of the true class; two classes have a single plane."""
    if len(weights) == 2:
        return weights[0] + target * (weights[1] - weights[0])
    return (target * weights).sum(axis=-1, keepdims=True)
