"""Marker-controlled watershed from any set of channels."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxseg.config import Channel, Watershed
from jaxseg.decoding.judging import judged
from jaxseg.decoding.mask import check_columns
from jaxseg.decoding.watershed.flood import flood, flood_slices
from jaxseg.decoding.watershed.growth import foreground_plane, growth_mask, seed_mask
from jaxseg.decoding.watershed.necks import necks
from jaxseg.decoding.watershed.plan import Plan, plan
from jaxseg.decoding.watershed.relief import peak_seeds
from jaxseg.decoding.watershed.seeds import label_seeds
from jaxseg.decoding.watershed.views import Source, view
from jaxseg.labels.masks import morph
from jaxseg.labels.objects import fill_holes


class Steps(NamedTuple):
    """The result of a watershed, and what led to it.

    Parameters
    ----------
    labels : (*S) uint16 or uint32, 1..N; written as ``watershed.tif``
    seeds : (*S) int32, numbered seeds; written as ``seed_map.tif``
    surface : (*S) float32, what was flooded, low places first; written as ``semantic.tif``
    mask : (*S) bool, where objects may grow; written as ``foreground.tif``
    """

    labels: np.ndarray
    seeds: np.ndarray
    surface: np.ndarray
    mask: np.ndarray


def watershed(
    planes: np.ndarray,
    channels: Sequence[Channel],
    *,
    spacing: Sequence[float] | None = None,
    options: Watershed | None = None,
) -> np.ndarray:
    """Objects from the planes of any channels that tell inside from outside.

    Connected seed voxels grow over the growth mask, low places of the surface first. Which
    planes and thresholds are used follows from the channels, see
    :mod:`jaxseg.decoding.watershed.plan`, unless the options say it. Thresholds that the rules
    chose, or that are "auto" (Otsu 1979, inside the growth mask), find no objects in noise, see
    :func:`jaxseg.decoding.thresholds.is_noise`; given numbers are taken as they are.

    Parameters
    ----------
    planes : (*S, K) float, values of the channels, not logits
    channels : in the order of the columns
    spacing : size of a voxel, (z)yx, µm; None = 1; for channels in µm the same as in training
    options : seeds, surface, growth mask and their thresholds where the rules are not wanted;
        dilating and eroding of seeds and mask; smallest sizes; filling of holes; slices on their
        own

    Returns
    -------
    (*S) uint16, or uint32 for more than 65,535 objects; 0 = background, ids 1..N

    Raises
    ------
    ConfigError : planes that are not those of the channels, illegal options; several problems are
        raised together, as Problems

    >>> from jaxseg.config import ch
    >>> contour = [0.0, 0.0, 0.9, 0.9, 0.0, 0.0]
    >>> planes = np.stack([np.ones((1, 6)), [contour]], axis=-1)
    >>> watershed(planes, (ch("F"), ch("C")), options=Watershed(min_seed=1)).tolist()
    [[1, 1, 1, 2, 2, 2]]
    """
    return watershed_steps(planes, channels, spacing=spacing, options=options).labels


def watershed_steps(
    planes: np.ndarray,
    channels: Sequence[Channel],
    *,
    spacing: Sequence[float] | None = None,
    options: Watershed | None = None,
    within: np.ndarray | None = None,
) -> Steps:
    """The watershed with its steps, to see why objects are as they are.

    Parameters and errors as for :func:`watershed`, and

    within : (*S) bool, where objects may start and grow; None = everywhere

    Returns
    -------
    Steps
    """
    ndim, options = planes.ndim - 1, options or Watershed()
    check_columns(planes, channels)
    chosen = plan(channels, ndim=ndim, spacing=spacing, options=options)
    return watershed_by_plan(planes, chosen, options, spacing=spacing, within=within)


def watershed_by_plan(
    planes: np.ndarray,
    chosen: Plan,
    options: Watershed,
    *,
    spacing: Sequence[float] | None = None,
    within: np.ndarray | None = None,
) -> Steps:
    """The watershed once it is known which planes and thresholds are used.

    Parameters
    ----------
    planes : (*S, K) float, values of the channels that the plan was made for
    chosen : of :func:`jaxseg.decoding.watershed.plan`
    options : morphology, smallest sizes, filling of holes, slices on their own
    spacing : size of a voxel, (z)yx, µm; None = 1; for the morphology
    within : (*S) bool, where objects may start and grow; None = everywhere

    Returns
    -------
    Steps
    """
    reshape = functools.partial(morph, spacing=spacing, by_slices=options.by_slices)
    mask = growth_mask(planes, chosen.growth)
    mask = reshape(mask, options.growth_morphology)
    mask = mask if within is None else mask & within
    seeds = seeds_of(planes, chosen, options, mask, spacing=spacing)
    surface = surface_of(planes, chosen.surface, mask, seeds)
    fill = flood_slices if options.by_slices else flood
    labels = fill(surface, seeds, mask)
    if options.fill_holes:
        labels = fill_holes(labels)
    labels = labels if within is None else np.where(within, labels, 0)
    foreground = [((slice(None),) * mask.ndim, foreground_plane(planes, chosen.growth))]
    labels = judged(labels, options, spacing=spacing, foreground=foreground)
    return Steps(labels, seeds, surface, mask)


def seeds_of(
    planes: np.ndarray,
    chosen: Plan,
    options: Watershed,
    mask: np.ndarray,
    *,
    spacing: Sequence[float] | None = None,
) -> np.ndarray:
    """Seeds (*S) int32, 0 and 1..N, as peaks or by thresholds; parameters as above."""
    smallest = chosen.min_seed(options.min_seed)
    if chosen.parting:
        return peak_seeds(
            planes,
            chosen,
            mask,
            height=options.seed_height,
            sigma=options.seed_sigma,
            min_seed=smallest,
            spacing=spacing or (1.0,) * mask.ndim,
        )
    reshape = functools.partial(morph, spacing=spacing, by_slices=options.by_slices)
    inside = mask & reshape(seed_mask(planes, chosen.seeds, mask), options.seed_morphology)
    return label_seeds(inside, min_seed=smallest, within=mask)


def surface_of(
    planes: np.ndarray, source: Source, mask: np.ndarray, seeds: np.ndarray
) -> np.ndarray:
    """The plane to flood, low inside objects; for a mask, which knows no valleys, its necks."""
    if source.is_mask:
        return necks(mask, seeds, spacing=source.spacing)
    return source.surface_sign * view(source).seed(planes, source, mask)
