"""How operations on objects are done by blocks, and where objects may be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxseg.channels import columns
from jaxseg.config import Config, Refine, Watershed
from jaxseg.config.rules.postprocessing import MASKS
from jaxseg.decoding import growth_mask, plan
from jaxseg.labels.extents import reach_of, removed_by
from jaxseg.labels.objects import fill_holes
from jaxseg.stages.changes import Nearby, Renames, WholeObjects


def refine_kind(one: Refine, spacing: tuple[float, ...]) -> Any:
    """How an operation of refinement is done by blocks."""
    reach = reach_of(one, spacing)
    if reach is not None:
        return Nearby(reach)
    if one.operation == "fill_holes":
        return WholeObjects()
    return Renames(
        lambda where, shape: removed_by(
            one, where.voxels, where.low, where.high, shape=shape, spacing=spacing
        )
    )


def confined(labels: np.ndarray, region: np.ndarray | None) -> np.ndarray:
    """Labels without what lies outside a region."""
    return labels if region is None else np.where(region, labels, 0)


def voronoi_mask(config: Config, planes: np.ndarray, *, spacing: Sequence[float]) -> np.ndarray:
    """Where one channel says that objects are, without holes.

    Parameters
    ----------
    config : of the run
    planes : (*S, K) of all channels
    spacing : size of a voxel, (z)yx, µm

    Returns
    -------
    (*S) bool
    """
    options, ndim = config.postprocess.voronoi, config.ndim
    channels = {channel.name: channel for channel in config.channels}
    name = options.channel or next(name for name in MASKS if name in channels)
    own = planes[..., columns(config.channels, ndim)[name]]
    given = () if options.threshold == "rule" else (options.threshold,)
    chosen = plan(
        [channels[name]],
        ndim=ndim,
        spacing=spacing,
        options=Watershed(growth=(name,), growth_thresholds=given),
    )
    mask = growth_mask(own, chosen.growth)
    return fill_holes(mask.astype(np.uint8)) > 0
