"""What every decoder begins and ends with: planes that fit, where objects may lie, clean labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from jaxseg.channels import columns
from jaxseg.config import Channel, Watershed
from jaxseg.config.decoders import Threshold
from jaxseg.decoding.watershed.growth import growth_mask
from jaxseg.decoding.watershed.plan import Plan, plan
from jaxseg.errors import ConfigError
from jaxseg.labels import objects


def check_columns(planes: np.ndarray, channels: Sequence[Channel]) -> None:
    """Refuse planes that do not have the columns of the channels.

    Raises
    ------
    ConfigError : another number of columns
    """
    total = columns(channels, planes.ndim - 1).total
    if planes.shape[-1] != total:
        raise ConfigError(
            "the planes do not fit the channels",
            expected=f"{total} columns for {' '.join(channel.name for channel in channels)}",
            found=f"{planes.shape[-1]} columns",
        )


def object_mask(
    planes: np.ndarray,
    channels: Sequence[Channel],
    *,
    spacing: Sequence[float] | None = None,
    threshold: tuple[Threshold, ...] = (),
) -> np.ndarray:
    """Voxels of any object, by the channel that a watershed would let objects grow in.

    Parameters
    ----------
    planes : (*S, K) float
    channels : in the order of the columns
    spacing : size of a voxel, (z)yx, µm; None = 1
    threshold : one, in units of that channel, or auto; empty = by rule. By rule and auto there is
        nothing in noise

    Returns
    -------
    (*S) bool

    Raises
    ------
    ConfigError : channels that do not tell objects from background
    """
    found = mask_plan(channels, ndim=planes.ndim - 1, spacing=spacing, threshold=threshold)
    return growth_mask(planes, found.growth)


def without_flow(channels: Sequence[Channel]) -> tuple[Channel, ...]:
    """The channels that are no component of a flow, and may tell objects from background."""
    return tuple(channel for channel in channels if channel.options.family != "flow")


def grown_in(channels: Sequence[Channel], ndim: int) -> tuple[str, ...]:
    """Names of the channels that objects beside flows lie in; none where that cannot be told."""
    try:
        found = mask_plan(without_flow(channels), ndim=ndim)
    except ConfigError:
        return ()
    return tuple(name for criterion in found.growth for name in criterion.source.names)


def mask_plan(
    channels: Sequence[Channel],
    *,
    ndim: int,
    spacing: Sequence[float] | None = None,
    threshold: tuple[Threshold, ...] = (),
) -> Plan:
    """The plan for :func:`object_mask`, which has no seeds; parameters and errors as there."""
    options = Watershed(growth_thresholds=threshold)
    return replace(plan(channels, ndim=ndim, spacing=spacing, options=options), seeds=())


def cleaned(labels: np.ndarray, *, fill_holes: bool, min_size: int) -> np.ndarray:
    """Labels with holes filled if wanted, without small objects, numbered 1..N."""
    return objects.drop_small(objects.fill_holes(labels) if fill_holes else labels, min_size)
