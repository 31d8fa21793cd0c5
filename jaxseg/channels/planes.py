"""From labels to planes: the true values of a list of channels, and which of them count."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxseg.channels.layout import columns, row
from jaxseg.config import Channel
from jaxseg.config.channels import Semantic
from jaxseg.config.option import problems
from jaxseg.errors import ConfigError, InputError, raise_all
from jaxseg.symmetry import Edges
from jaxseg.targets import compact, shifted
from jaxseg.volume import checked_spacing

Planes = jax.Array | np.ndarray


def encode(
    labels: Any,
    channels: Sequence[Channel],
    *,
    spacing: Sequence[float] | None = None,
    classes: Any = None,
    max_distance: int | Sequence[int] | None = None,
    max_label: int | None = None,
) -> Planes:
    """What a perfect network would predict for these labels.

    Parameters
    ----------
    labels : (*S) int, 0 = background. NumPy: any integer type, any ids. JAX, also inside jit:
        int32, compact
    channels : made with :func:`jaxseg.ch`
    spacing : size of a voxel, (z)yx, µm; None = 1
    classes : (*S) int, the class of every voxel, for S beside channels of instances; None = the
        labels are the classes
    max_distance : how far distances are followed along each axis, in voxels; None = to the end
    max_label : a number that no label exceeds; JAX labels need it for channels of whole objects

    Returns
    -------
    (*S, K) float32, NumPy or JAX as the labels; a NumPy result may be read-only

    Raises
    ------
    InputError : labels that are not integers, are negative, or are no class
    ConfigError : a channel that does not exist in this dimension, or ``max_label`` missing

    >>> from jaxseg.config import ch
    >>> labels = np.array([[0, 70000, 70000, 5]])
    >>> encode(labels, (ch("F"), ch("C", mode="inner")))[0].tolist()
    [[0.0, 0.0], [1.0, 1.0], [1.0, 1.0], [1.0, 1.0]]
    """
    parts = _targets(labels, channels, spacing, classes, max_distance, max_label)
    planes = jnp.concatenate([planes for planes, _ in parts], axis=-1)
    return np.asarray(planes) if isinstance(labels, np.ndarray) else planes


def encode_masked(
    labels: Any,
    channels: Sequence[Channel],
    *,
    spacing: Sequence[float] | None = None,
    classes: Any = None,
    known: Any = None,
    max_distance: int | Sequence[int] | None = None,
    max_label: int | None = None,
) -> tuple[Planes, Planes]:
    """The planes of :func:`encode`, and which of their values count in the loss.

    A value does not count where it is not known, e.g. an affinity whose partner is outside or a
    class to be ignored, nor outside objects for channels with ``mask_values`` and for classes
    beside instances. Where a voxel is not known at all nothing counts; other voxels take it for
    background, but an affinity does not count if either of its voxels is unknown.

    Parameters
    ----------
    labels, channels, spacing, classes, max_distance, max_label : as for :func:`encode`
    known : (*S) bool, where the labels say anything; None = everywhere

    Returns
    -------
    planes : (*S, K) float32
    mask : (*S, K) bool
    """
    if known is not None:
        labels = labels * known
    parts = _targets(labels, channels, spacing, classes, max_distance, max_label)
    masks = [
        _counts(planes, defined, labels, known, channel, beside=classes is not None)
        for channel, (planes, defined) in zip(channels, parts, strict=True)
    ]
    planes = jnp.concatenate([planes for planes, _ in parts], axis=-1)
    mask = jnp.concatenate(masks, axis=-1)
    if isinstance(labels, np.ndarray):
        return np.asarray(planes), np.asarray(mask)
    return planes, mask


def _targets(
    labels: Any,
    channels: Sequence[Channel],
    spacing: Sequence[float] | None,
    classes: Any,
    max_distance: int | Sequence[int] | None,
    max_label: int | None,
) -> list[tuple[jax.Array, jax.Array | None]]:
    ndim = labels.ndim
    _check(labels, channels, spacing, classes)
    ids = compact(labels)
    return [
        row(channel, ndim).target(
            ids,
            spacing=None if spacing is None else tuple(map(float, spacing)),
            options=channel.options,
            max_distance=max_distance,
            max_label=max_label,
            classes=classes,
        )
        for channel in channels
    ]


def _check(
    labels: Any, channels: Sequence[Channel], spacing: Sequence[float] | None, classes: Any
) -> None:
    ndim = labels.ndim
    if ndim not in (2, 3):
        raise InputError("labels have two or three axes", expected="(z)yx", found=labels.shape)
    if spacing is not None:
        checked_spacing(spacing, ndim)
    wrong = [
        problem for channel in channels for problem in problems(channel, f"channel {channel.name}")
    ]
    raise_all(wrong)
    columns(channels, ndim)
    semantic = [channel for channel in channels if isinstance(channel.options, Semantic)]
    if semantic and len(channels) > 1 and classes is None:
        raise ConfigError(
            "S beside channels of instances needs an image of classes",
            found=[channel.name for channel in channels],
            fix="give classes=",
        )
    values = labels if classes is None else classes
    for channel in semantic if isinstance(values, np.ndarray) else ():
        _check_classes(values, channel.options)


def _check_classes(values: np.ndarray, options: Any) -> None:
    legal = (values >= 0) & (values < options.classes) | (values == options.ignore)
    if not legal.all():
        raise InputError(
            "labels that are no class",
            expected=f"0 to {options.classes - 1}"
            + (f", or {options.ignore} to ignore" if options.ignore >= 0 else ""),
            found=", ".join(map(str, np.unique(values[~legal])[:5])),
            fix="set the number of classes, or the value to ignore, of channel S",
        )


def _counts(
    planes: jax.Array,
    defined: jax.Array | None,
    labels: Any,
    known: Any,
    channel: Channel,
    *,
    beside: bool,
) -> jax.Array:
    counts = jnp.ones(planes.shape, bool) if defined is None else defined
    spec = row(channel, labels.ndim)
    # Where there is no object there is no class of one.
    if spec.where(channel.options) == "foreground" or (beside and spec.exclusive):
        counts &= jnp.asarray(labels > 0)[..., None]
    if known is None:
        return counts
    known = jnp.asarray(known)
    counts &= known[..., None]
    kind = spec.symmetry(labels.ndim, channel.options)
    if not isinstance(kind, Edges):
        return counts
    partners = [shifted(known, offset) for offset in kind.offsets]
    return counts & jnp.stack(partners, axis=-1)
