"""The loss that training calls: from labels and logits to the parts that are added up."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxseg import losses
from jaxseg.channels.layout import columns, row
from jaxseg.channels.objective import loss_parts, metric_parts
from jaxseg.channels.planes import encode, encode_masked
from jaxseg.channels.spec import Parts
from jaxseg.config import Channel, Loss
from jaxseg.config.option import checked
from jaxseg.targets import Sites, border_weights


def loss_of(
    channels: Sequence[Channel],
    *,
    ndim: int,
    spacing: Sequence[float] | None = None,
    max_distance: int | Sequence[int] | None = None,
    max_label: int | None = None,
    options: Loss | None = None,
) -> Callable[..., tuple[Parts, Parts, Any]]:
    """The loss of a list of channels, as the training step calls it.

    Parameters
    ----------
    channels : to learn
    ndim : 2 or 3
    spacing : size of a voxel, (z)yx, µm; None = 1
    max_distance : how far distances are followed along each axis, in voxels; None = to the end
    max_label : a number that no label of a patch exceeds
    options : how much a voxel counts; None = all the same

    Returns
    -------
    loss(model, variables, batch, key, train) -> (loss parts, metric parts, batch statistics).
    ``batch`` holds ``image`` (N, *S, C) float and ``truth``, arrays by name: ``objects`` (N, *S)
    int32, compact, -1 where the label is not known; ``classes`` (N, *S) int32; ``sites``
    (N, *S, 4), the planes of :class:`jaxseg.targets.Sites`; or an image (N, *S, C) float of any
    name, which targets are given as it is, nan where it is not known. The true values are made from
    these here, so after augmentation. ``key`` goes to the model.
    A model may return several logits in training, the finest first (deep supervision): the loss of
    each counts as :func:`jaxseg.losses.level_weights` says, and its parts are named
    ``F level 1`` and so on; metrics are those of the finest

    Raises
    ------
    ConfigError : a channel that does not exist in this dimension
    """
    columns(channels, ndim)
    options = checked(options, Loss)

    def truth(arrays: Mapping[str, jax.Array]) -> Truth:
        return true_values(
            arrays,
            channels,
            ndim=ndim,
            spacing=spacing,
            max_distance=max_distance,
            max_label=max_label,
            options=options,
        )

    def loss(
        model: Any,
        variables: Mapping[str, Any],
        batch: Mapping[str, Any],
        key: jax.Array | None,
        train: bool,
    ) -> tuple[Parts, Parts, Any]:
        found = jax.vmap(truth)(batch["truth"])
        if train:
            logits, statistics = model.apply(variables, batch["image"], train=True, key=key)
        else:
            logits = model.apply(variables, batch["image"])
            statistics = variables.get("batch_stats", {})
        levels = tuple(logits) if isinstance(logits, (list, tuple)) else (logits,)
        finest = jax.lax.stop_gradient(levels[0])
        known: dict[str, Any] = {"labels": found.ids, "spacing": spacing, "max_label": max_label}
        measured = metric_parts(finest, found.planes, found.mask, channels, **known)
        whole = Whole(spacing, max_label)
        return _parts_of_levels(levels, found, channels, options, whole), measured, statistics

    return loss


class Truth(NamedTuple):
    """What a patch, or each of N, is compared with."""

    planes: jax.Array
    """(*S, K) true values."""
    mask: jax.Array
    """(*S, K) bool, the values that count."""
    border: jax.Array | None
    """(*S) how much every voxel counts."""
    ids: jax.Array
    """(*S) int32 objects, 0 where the label is not known."""


class Whole(NamedTuple):
    """What channels that are compared with whole objects need to know beside the labels."""

    spacing: Sequence[float] | None
    max_label: int | None


def true_values(
    truth: Mapping[str, jax.Array],
    channels: Sequence[Channel],
    *,
    ndim: int,
    spacing: Sequence[float] | None,
    max_distance: int | Sequence[int] | None,
    max_label: int | None,
    options: Loss,
) -> Truth:
    """True values of one patch and their weights, from arrays as :func:`loss_of` takes them."""
    labels, classes = _labels_of(truth)
    if labels is None:
        return _true_planes(truth, channels, ndim, spacing, max_label)
    known, ids = labels >= 0, jnp.maximum(labels, 0)
    planes, mask = encode_masked(
        ids,
        channels,
        spacing=spacing,
        classes=classes,
        known=known,
        max_distance=max_distance,
        max_label=max_label,
    )
    if not options.border_weight:
        return Truth(jnp.asarray(planes), jnp.asarray(mask), None, ids)
    border = border_weights(
        ids, spacing=spacing, weight=options.border_weight, sigma=options.border_sigma
    )
    return Truth(jnp.asarray(planes), jnp.asarray(mask), border, ids)


def _labels_of(truth: Mapping[str, Any]) -> tuple[Any, Any]:
    """Objects, or classes alone, and classes beside objects; None where there are none."""
    if "objects" in truth:
        return truth["objects"], truth.get("classes")
    return truth.get("classes"), None


def true_planes(
    truth: Mapping[str, Any],
    channels: Sequence[Channel],
    *,
    ndim: int,
    spacing: Sequence[float] | None = None,
) -> jax.Array:
    """What a perfect network would predict of a patch.

    Parameters
    ----------
    truth : arrays as :func:`loss_of` takes them, without N, not traced
    channels : to encode
    ndim : 2 or 3
    spacing : size of a voxel, (z)yx, µm; None = 1

    Returns
    -------
    (*S, K) float32; 0 where a value is not known
    """
    labels, classes = _labels_of(truth)
    if labels is None:
        rows = int(truth["sites"][..., 2:].max()) if "sites" in truth else None
        return _true_planes(truth, channels, ndim, spacing, rows).planes
    ids = np.maximum(labels, 0)
    classes = None if classes is None else np.maximum(classes, 0)
    return jnp.asarray(encode(ids, channels, spacing=spacing, classes=classes))


def _true_planes(
    truth: Mapping[str, Any],
    channels: Sequence[Channel],
    ndim: int,
    spacing: Sequence[float] | None,
    max_label: int | None,
) -> Truth:
    """True values out of what targets take as it is, nan where they are not known."""
    planes, mask = [], []
    for channel in channels:
        name = channel.options.truth if channel.options.truth in truth else next(iter(truth))
        given = Sites.of(jnp.asarray(truth[name])) if name == "sites" else truth[name]
        found, known = row(channel, ndim).target(
            given, spacing=spacing, options=channel.options, max_distance=None,
            max_label=max_label, classes=None,
        )  # fmt: skip
        finite = jnp.isfinite(found)
        planes.append(jnp.where(finite, found, 0))
        mask.append(finite if known is None else finite & known)
    ids = jnp.zeros(planes[0].shape[:-1], jnp.int32)
    return Truth(jnp.concatenate(planes, -1), jnp.concatenate(mask, -1), None, ids)


def _parts_of_levels(
    levels: Sequence[jax.Array],
    truth: Truth,
    channels: Sequence[Channel],
    options: Loss,
    whole: Whole,
) -> Parts:
    """The loss of every output of a network, with the weight of its level."""
    parts: Parts = {}
    fine = levels[0].shape[1:-1]
    for level, (logits, weight) in enumerate(
        zip(levels, losses.level_weights(len(levels)), strict=True)
    ):
        steps = losses.level_steps(fine, logits.shape[1:-1])
        there = jax.tree.map(functools.partial(losses.at_level, steps=steps), truth)
        found = loss_parts(
            logits,
            there.planes,
            there.mask,
            channels,
            labels=there.ids,
            spacing=_coarser(whole.spacing, steps),
            max_label=whole.max_label,
            border=there.border,
            balance=options.balance,
        )
        for name, (numerator, denominator) in found.items():
            suffix = f" level {level}" if level else ""
            parts[name + suffix] = (weight * numerator, denominator)
    return parts


def _coarser(spacing: Sequence[float] | None, steps: Sequence[int]) -> tuple[float, ...]:
    """Size of the voxels that are left of every so many, µm."""
    sizes = spacing if spacing is not None else (1.0,) * len(steps)
    return tuple(size * step for size, step in zip(sizes, steps, strict=True))
