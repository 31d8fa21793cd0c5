"""How far predicted planes are from true ones, channel by channel and sample by sample.

Every part is a pair of numerator and denominator per sample, both (N,): whoever adds them up over
samples and devices gets the same ratio on one device and on many, and can name a sample whose
numerator is not finite.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxseg.channels.layout import columns, ndim_of
from jaxseg.channels.planes import encode_masked
from jaxseg.channels.spec import ChannelSpec, Joint, Parts
from jaxseg.channels.table import CHANNELS
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
    objects: int | None = None,
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
    objects : a number that no label exceeds; for these channels

    Returns
    -------
    {name: (numerator (N,), denominator (N,))}. The numerator, a sum over voxels, carries the
    weight of the channel, so the loss is the sum over names of ``sum(numerator) /
    max(sum(denominator), 1)``. S has a second entry, ``S dice``: the denominator counts the
    classes that the sample has. E has three, ``E instance``, ``E variance`` and ``E seed``

    Raises
    ------
    ConfigError : K columns are not what these channels have, or labels are missing
    """
    parts: Parts = {}
    for channel, spec, own_logits, target, counts in _each(channels, logits, planes, mask):
        if isinstance(spec.loss, Joint):
            values = spec.link(own_logits, channel.options)
            terms = _whole(spec.loss.loss, channel, values, counts, labels, spacing, objects)
            parts |= {name: (channel.weight * top, bottom) for name, (top, bottom) in terms.items()}
            continue
        loss = spec.loss(own_logits, target, channel.options)
        # A loss of all columns together has one value per voxel.
        per_voxel = counts.all(axis=-1, keepdims=True) if loss.shape[-1] == 1 else counts
        parts[channel.name] = _sums(channel.weight * loss, per_voxel)
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
    objects: int | None = None,
) -> Parts:
    """How well every channel is predicted, in numbers a person can read.

    Parameters
    ----------
    logits, planes, mask, channels, labels, spacing, objects : as in :func:`loss_parts`

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
        values = spec.link(own_logits, channel.options)
        if isinstance(spec.loss, Joint):
            parts |= _whole(spec.loss.metric, channel, values, counts, labels, spacing, objects)
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


def loss_of(
    channels: Sequence[Channel],
    *,
    ndim: int,
    spacing: Sequence[float] | None = None,
    reach: int | Sequence[int] | None = None,
    objects: int | None = None,
) -> Callable[..., tuple[Parts, Parts, Any]]:
    """The loss of a list of channels, as the training step calls it.

    Parameters
    ----------
    channels : to learn
    ndim : 2 or 3
    spacing : size of a voxel, (z)yx, µm; None = 1
    reach : how far distances are followed along each axis, in voxels; None = through the patch
    objects : a number that no label of a patch exceeds

    Returns
    -------
    loss(model, variables, batch, key, train) -> (loss parts, metric parts, batch statistics).
    ``batch`` holds ``image`` (N, *S, C) float and ``labels`` (N, *S) int32, compact; the true
    values are made from the labels here, so after augmentation. ``key`` goes to the model

    Raises
    ------
    ConfigError : a channel that does not exist in this dimension
    """
    columns(channels, ndim)

    def true_values(labels: jax.Array) -> tuple[jax.Array, jax.Array]:
        planes, mask = encode_masked(
            labels, channels, spacing=spacing, reach=reach, objects=objects
        )
        return jnp.asarray(planes), jnp.asarray(mask)

    def loss(
        model: Any,
        variables: Mapping[str, Any],
        batch: Mapping[str, jax.Array],
        key: jax.Array | None,
        train: bool,
    ) -> tuple[Parts, Parts, Any]:
        planes, mask = jax.vmap(true_values)(batch["labels"])
        if train:
            logits, statistics = model.apply(variables, batch["image"], train=True, key=key)
        else:
            logits = model.apply(variables, batch["image"])
            statistics = variables.get("batch_stats", {})
        known: dict[str, Any] = {"labels": batch["labels"], "spacing": spacing, "objects": objects}
        measured = metric_parts(jax.lax.stop_gradient(logits), planes, mask, channels, **known)
        return loss_parts(logits, planes, mask, channels, **known), measured, statistics

    return loss


def _each(
    channels: Sequence[Channel], logits: jax.Array, planes: jax.Array, mask: jax.Array
) -> list[tuple[Channel, ChannelSpec, jax.Array, jax.Array, jax.Array]]:
    """Every channel with its row of the table and its columns of the arrays."""
    places = columns(channels, ndim_of(logits, channels))
    logits = logits.astype(jnp.float32)
    return [
        (channel, CHANNELS[channel.name], logits[..., own], planes[..., own], mask[..., own])
        for channel, own in zip(channels, places.values(), strict=True)
    ]


def _whole(
    function: Callable[..., Parts],
    channel: Channel,
    values: jax.Array,
    counts: jax.Array,
    labels: jax.Array | None,
    spacing: Sequence[float] | None,
    objects: int | None,
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
        objects=objects,
    )
    return {f"{channel.name} {part}": ratio for part, ratio in found.items()}


def _sums(values: jax.Array, counts: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Per sample, the sum of the values that count, and their number."""
    inside = tuple(range(1, values.ndim))
    total = jnp.where(counts, values, 0).sum(axis=inside)
    return total, counts.sum(axis=inside, dtype=jnp.float32)


def _iou(hard: jax.Array, target: jax.Array, counts: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Per sample, intersection and union."""
    inside, true = tuple(range(1, hard.ndim)), target > 0.5
    shared = (hard & true & counts).sum(axis=inside, dtype=jnp.float32)
    return shared, ((hard | true) & counts).sum(axis=inside, dtype=jnp.float32)
