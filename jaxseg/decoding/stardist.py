"""From distances along rays to objects: the best of all star-convex shapes that do not overlap.

After Schmidt et al. (2018) and Weigert et al. (2020). A voxel that is inside an object with enough
probability, and has no better neighbour, proposes the shape that its rays end at. The probability
is the product of all other channels; they say how far inside an object a voxel is, as Db, or only
whether, as F. A voxel scores its probability; where no channel says how far inside it is, times how
central its own rays make it, the shortest over the longest.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from jaxseg import targets
from jaxseg.channels import columns, spec_of
from jaxseg.config import Channel, StarDist
from jaxseg.config.channels import Radial
from jaxseg.config.option import checked
from jaxseg.decoding.star_shapes import rendered, star_package, suppressed
from jaxseg.decoding.streamed import NoiseTest
from jaxseg.decoding.thresholds import is_noise
from jaxseg.errors import ConfigError, JaxsegError
from jaxseg.geometry import Box
from jaxseg.labels.objects import drop_small
from jaxseg.symmetry import Scalar


class Shapes(NamedTuple):
    """Star-convex shapes, the best first.

    Parameters
    ----------
    points : (N, ndim) int, centres in voxels
    distances : (N, nrays) float32, µm
    scores : (N,) float32, descending
    """

    points: np.ndarray
    distances: np.ndarray
    scores: np.ndarray


def stardist(
    planes: np.ndarray,
    channels: Sequence[Channel],
    *,
    spacing: Sequence[float] | None = None,
    options: StarDist | None = None,
) -> np.ndarray:
    """Star-convex objects from R and the channels that give their probability.

    Planes whose probability is no more than noise, see
    :func:`jaxseg.decoding.thresholds.is_noise`, have no objects. Voxels with a
    distance that is not finite propose nothing.

    Parameters
    ----------
    planes : (*S, K) float, values of the channels, not logits
    channels : in the order of the columns: R and at least one of those that are high inside
        objects, from 0 to 1
    spacing : size of a voxel, (z)yx, µm; None = 1; the same as in training
    options : thresholds, and which voxels propose shapes

    Returns
    -------
    (*S) uint16, or uint32 for more than 65,535 objects; 0 = background, ids 1..N by falling score,
    of equal scores the first voxel first

    Raises
    ------
    ConfigError : planes that are not those of the channels, channels that have no use here, or the
        package stardist is not installed
    """
    options = checked(options, StarDist)
    shape = planes.shape[:-1]
    sizes = tuple(map(float, spacing)) if spacing is not None else (1.0,) * len(shape)
    found = shapes(planes, channels, spacing=sizes, options=options)
    points, distances = found.points, found.distances
    stay = undisturbed(points, distances, channels, spacing=sizes, options=options)
    box = Box((0,) * len(shape), shape)
    labels = drawn(points[stay], distances[stay], channels, spacing=sizes, box=box)
    return drop_small(labels, options.min_size)


def undisturbed(
    points: np.ndarray,
    distances: np.ndarray,
    channels: Sequence[Channel],
    *,
    spacing: Sequence[float],
    options: StarDist,
) -> np.ndarray:
    """Which shapes, the best first, do not overlap too much with a better one; (N,) bool."""
    return ~suppressed(
        points,
        distances,
        directions=_directions(channels, len(spacing)),
        spacing=spacing,
        threshold=options.nms_threshold,
    )


def drawn(
    points: np.ndarray,
    distances: np.ndarray,
    channels: Sequence[Channel],
    *,
    spacing: Sequence[float],
    box: Box,
) -> np.ndarray:
    """Shapes as labels (*box.shape) int32, 1..N in their order, as far as they lie in a box."""
    return rendered(
        points,
        distances,
        directions=_directions(channels, len(spacing)),
        spacing=spacing,
        shape=box.shape,
        start=box.start,
    )


def shows_noise(
    parts: Iterable[tuple[np.ndarray, tuple[slice, ...]]],
    channels: Sequence[Channel],
    *,
    options: StarDist,
) -> bool:
    """Whether the probability of a volume that is read part by part is no more than noise.

    Parameters
    ----------
    parts : planes with a voxel of context, and the slices of the part
    channels, options : as for :func:`stardist`
    """
    test = NoiseTest(options.prob_threshold)
    for planes, core in parts:
        test = test.plus(_probability(planes, channels), core)
    return test.is_noise()


def shapes(
    planes: np.ndarray,
    channels: Sequence[Channel],
    *,
    spacing: Sequence[float] | None = None,
    options: StarDist | None = None,
) -> Shapes:
    """All shapes that are proposed, before any is suppressed.

    Parameters and errors as for :func:`stardist`.

    Returns
    -------
    Shapes
    """
    options, ndim = checked(options, StarDist), planes.ndim - 1
    wrong = stardist_problems(channels)
    if wrong:
        raise wrong[0]
    places = columns(channels, ndim)
    if planes.shape[-1] != places.total:
        raise ConfigError(
            "the planes do not fit the channels",
            expected=f"{places.total} columns for {' '.join(places)}",
            found=f"{planes.shape[-1]} columns",
        )
    found = proposed(planes, channels, spacing=spacing, options=options)
    if is_noise(_probability(planes, channels), options.prob_threshold):
        return Shapes(*(values[:0] for values in found))
    return found


def proposed(
    planes: np.ndarray,
    channels: Sequence[Channel],
    *,
    spacing: Sequence[float] | None,
    options: StarDist,
) -> Shapes:
    """All shapes that the voxels of a part of a volume propose, be it noise or not."""
    rays = planes[..., columns(channels, planes.ndim - 1)["R"]]
    probability = _probability(planes, channels)
    inside = (probability >= options.prob_threshold) & np.isfinite(rays).all(axis=-1)
    score = probability if _tells_depth(channels) else probability * _central(rays)
    if options.candidates == "maxima":
        inside &= score >= ndimage.maximum_filter(np.where(inside, score, 0), size=3)
    points = np.argwhere(inside)
    order = np.argsort(-score[inside], kind="stable")
    unit = targets.ray_unit(spacing) if _radial(channels).norm else 1.0
    distances = np.asarray(rays[inside][order], np.float32) * np.float32(unit)
    return Shapes(points[order], distances, score[inside][order])


def stardist_problems(
    channels: Sequence[Channel], *, ndim: int = 2, options: StarDist | None = None
) -> list[JaxsegError]:
    """What keeps these channels from being decoded, to be told before anything is computed.

    Parameters
    ----------
    channels : with R among them
    ndim, options : any

    Returns
    -------
    list of errors, empty if they can be decoded where the package is, see :func:`package_problems`
    """
    useless = [c.name for c in channels if c.name != "R" and not _is_probability(c)]
    if useless:
        return [
            ConfigError(
                "channels that have no use beside R",
                where="channels",
                expected="F, a normalised Db, or others that are high inside objects, 0 to 1",
                found=" ".join(useless),
            )
        ]
    if len(channels) < 2:
        return [
            ConfigError(
                "R says nothing about where objects are",
                where="channels",
                fix="channels=(ch('Db'), ch('R'))",
            )
        ]
    return []


def package_problems() -> list[JaxsegError]:
    """The error that decoding would raise for want of the package stardist, if any."""
    try:
        star_package("nms")
    except ConfigError as error:
        return [error]
    return []


def _is_probability(channel: Channel) -> bool:
    """Whether a channel is high inside objects, in units that need no scale."""
    spec, options = spec_of(channel), channel.options
    scalar = isinstance(spec.symmetry(2, options), Scalar)
    return scalar and spec.watershed.seed > 0 and getattr(options, "norm", True)


def _radial(channels: Sequence[Channel]) -> Radial:
    return next(c.options for c in channels if isinstance(c.options, Radial))


def _directions(channels: Sequence[Channel], ndim: int) -> np.ndarray:
    return targets.ray_directions(ndim, _radial(channels).nrays)


def _probability(planes: np.ndarray, channels: Sequence[Channel]) -> np.ndarray:
    """The product of all channels but R, (*S) float32 in [0, 1]."""
    places = columns(channels, planes.ndim - 1)
    product = np.ones(planes.shape[:-1], np.float32)
    for name in (name for name in places if name != "R"):
        product *= np.clip(np.nan_to_num(planes[..., places[name].start]), 0, 1)
    return product


def _tells_depth(channels: Sequence[Channel]) -> bool:
    """Whether a channel has higher values the farther inside an object a voxel is."""
    return any(not spec_of(channel).binary for channel in channels if channel.name != "R")


def _central(rays: np.ndarray) -> np.ndarray:
    """The shortest ray over the longest, (*S) float32 in [0, 1]."""
    shortest, longest = np.maximum(rays.min(axis=-1), 0), rays.max(axis=-1)
    return np.divide(shortest, longest, out=np.zeros_like(shortest), where=longest > 0)
