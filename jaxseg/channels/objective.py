"""How far predicted planes are from true ones, channel by channel and sample by sample.

Every part is a pair of numerator and denominator per sample, both (N,): whoever adds them up over
samples and devices gets the same ratio on one device and on many, and can name a sample whose
numerator is not finite.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

from jaxseg.channels.layout import columns, ndim_of
from jaxseg.channels.spec import ChannelSpec, Joint, Parts
from jaxseg.channels.table import spec_of
from jaxseg.channels.weights import chosen_loss, voxel_weights
from jaxseg.config import Channel
from jaxseg.errors import ConfigError


def loss_parts(
    logits: jax.Array,
    planes: jax.Array,
    mask: jax.Array,
    channels: Sequence[Channel],
    *,
    labels: jax.Array | None = None,
    spacing: Sequence[float] | None = None,
    max_label: int | None = None,
    border: jax.Array | None = None,
    balance: bool = False,
) -> Parts:
    """The loss of every channel.

    Parameters
    ----------
    logits : (N, *S, K) float, from the network
    planes : (N, *S, K) true values
    mask : (N, *S, K) bool, the values that count
    channels : in the order of the columns
    labels : (N, *S) int32, for channels that are compared with whole objects
    spacing : size of a voxel, (z)yx, µm; None = 1; for these channels
    max_label : a number that no label exceeds; for these channels
    border : (N, *S) how much every voxel counts, in channels compared voxel by voxel; None = 1
    balance : in binary channels, whether the rarer answer counts as much as the other one

    Returns
    -------
    {name: (numerator (N,), denominator (N,))}. The numerator, a weighted sum over voxels, carries
    the weight of the channel, the denominator is the sum of the weights of the voxels that count,
    so the loss is the sum over names of ``sum(numerator) / sum(denominator)``. S has a second
    entry, ``S dice``: the denominator counts the classes that the sample has. E has three,
    ``E instance``, ``E variance`` and ``E seed``

    Raises
    ------
    ConfigError : K columns are not what these channels have, or labels are missing
    """
    parts: Parts = {}
    for channel, spec, own_logits, target, counts in _each(channels, logits, planes, mask):
        if isinstance(spec.loss, Joint):
            values = spec.link(own_logits, channel.options)
            terms = _whole(spec.loss.loss, channel, values, counts, labels, spacing, max_label)
            parts |= {name: (channel.weight * top, bottom) for name, (top, bottom) in terms.items()}
            continue
        loss = chosen_loss(channel, spec)(own_logits, target, channel.options)
        # A loss of all columns together has one value per voxel.
        per_voxel = counts.all(axis=-1, keepdims=True) if loss.shape[-1] == 1 else counts
        weights = voxel_weights(channel, spec, target, counts, border=border, balance=balance)
        parts[channel.name] = _sums(channel.weight * loss, per_voxel, weights)
        if spec.overlap is None:
            continue
        values = spec.link(own_logits, channel.options)
        overlap = spec.overlap(values, target, counts, channel.options)
        if overlap is not None:
            parts[f"{channel.name} dice"] = (channel.weight * overlap[0], overlap[1])
    return parts


def metric_parts(
    logits: jax.Array,
    planes: jax.Array,
    mask: jax.Array,
    channels: Sequence[Channel],
    *,
    labels: jax.Array | None = None,
    spacing: Sequence[float] | None = None,
    max_label: int | None = None,
    linked: bool = False,
) -> Parts:
    """How well every channel is predicted, in numbers a person can read.

    Parameters
    ----------
    logits, planes, mask, channels, labels, spacing, max_label : as in :func:`loss_parts`
    linked : the logits are values already, such as predicted planes

    Returns
    -------
    {name: (numerator (N,), denominator (N,))}, to be added up before they are divided; a
    denominator of 0 says that there was nothing to compare. ``F IoU``: intersection and union of
    what is above 0.5, over all columns of the channel; ``S_3 IoU``: of the voxels of class 3;
    ``Db error``: mean absolute error in units of the channel; ``E IoU``: of every object with
    what its own kernel gives

    Raises
    ------
    ConfigError : K columns are not what these channels have, or labels are missing
    """
    parts: Parts = {}
    names = columns(channels, ndim_of(logits, channels))
    for channel, spec, own_logits, target, counts in _each(channels, logits, planes, mask):
        values = own_logits if linked else spec.link(own_logits, channel.options)
        if isinstance(spec.loss, Joint):
            parts |= _whole(spec.loss.metric, channel, values, counts, labels, spacing, max_label)
        elif not spec.binary:
            parts[f"{channel.name} error"] = _sums(jnp.abs(values - target), counts)
        elif spec.exclusive and values.shape[-1] > 1:
            hard = jax.nn.one_hot(values.argmax(axis=-1), values.shape[-1], dtype=bool)
            for column, name in enumerate(names.names[names[channel.name]]):
                one = slice(column, column + 1)
                parts[f"{name} IoU"] = _iou(hard[..., one], target[..., one], counts[..., one])
        else:
            parts[f"{channel.name} IoU"] = _iou(values > 0.5, target, counts)
    return parts


def _each(
    channels: Sequence[Channel], logits: jax.Array, planes: jax.Array, mask: jax.Array
) -> list[tuple[Channel, ChannelSpec, jax.Array, jax.Array, jax.Array]]:
    """Every channel with its row of the table and its columns of the arrays."""
    places = columns(channels, ndim_of(logits, channels))
    logits = logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
    return [
        (channel, spec_of(channel), logits[..., own], planes[..., own], mask[..., own])
        for channel, own in zip(channels, places.values(), strict=True)
    ]


def _whole(
    function: Callable[..., Parts],
    channel: Channel,
    values: jax.Array,
    counts: jax.Array,
    labels: jax.Array | None,
    spacing: Sequence[float] | None,
    max_label: int | None,
) -> Parts:
    """Loss or metric of a channel that is compared with whole objects."""
    if labels is None:
        raise ConfigError(f"channel {channel.name} is compared with labels", fix="give labels=")
    found = function(
        values,
        labels,
        counts.all(axis=-1),
        options=channel.options,
        spacing=spacing,
        max_label=max_label,
    )
    return {f"{channel.name} {part}": ratio for part, ratio in found.items()}


def _sums(
    values: jax.Array, counts: jax.Array, weights: jax.Array | float = 1.0
) -> tuple[jax.Array, jax.Array]:
    """Per sample, the weighted sum of the values that count, and the sum of their weights."""
    inside = tuple(range(1, values.ndim))
    total = jnp.where(counts, weights * values, 0).sum(axis=inside)
    return total, jnp.where(counts, weights, 0).sum(axis=inside, dtype=jnp.float32)


def _iou(hard: jax.Array, target: jax.Array, counts: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Per sample, intersection and union."""
    inside, true = tuple(range(1, hard.ndim)), target > 0.5
    shared = (hard & true & counts).sum(axis=inside, dtype=jnp.float32)
    return shared, ((hard | true) & counts).sum(axis=inside, dtype=jnp.float32)
