"""Options of the decoders, from planes to instances, and which channels each of them needs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Decoder = Literal["auto", "stardist", "watershed"]
Threshold = float | Literal["auto"]


@dataclass(frozen=True, kw_only=True)
class Watershed:
    """Seeds, surface and growth mask for the marker-controlled watershed; empty = by rule."""

    # channels whose thresholds together give the seeds
    seeds: tuple[str, ...] = ()
    # one threshold per seed channel, in the channel's own units, or auto
    seed_thresholds: tuple[Threshold, ...] = ()
    # channels whose thresholds together give the mask that objects grow in
    growth: tuple[str, ...] = ()
    # one threshold per growth channel, in the channel's own units, or auto
    growth_thresholds: tuple[Threshold, ...] = ()
    # channel flooded from the seeds
    surface: tuple[str, ...] = ()
    # drop seeds of fewer voxels, but never the largest seed of a separate part of the mask
    min_seed: int = 10
    # drop objects of fewer voxels
    min_size: int = 1
    # fill holes of every object
    fill_holes: bool = True
    # flood every z slice on its own
    by_slices: bool = False
    # write seed_map.tif, semantic.tif and foreground.tif for every image
    check_files: bool = True


@dataclass(frozen=True, kw_only=True)
class StarDist:
    """From rays to star-convex objects, for the channel R."""

    # voxels of at least this probability propose an object
    prob_threshold: float = 0.4
    # of two objects that share more than this part of the smaller one, the better one is kept
    nms_threshold: float = 0.4
    # which of those voxels propose: all, or maxima, those without a better neighbour; auto: all in
    # 2D, maxima in 3D, where comparing all of them takes minutes
    candidates: Literal["auto", "all", "maxima"] = "auto"
    # drop objects of fewer voxels
    min_size: int = 1


# The channels that a decoder cannot do without. Where the user names none, the first decoder whose
# channels are there is taken. Its options are the field of the configuration of the same name.
NEEDS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "stardist": frozenset({"R"}),
        "watershed": frozenset(),
    }
)


def decoder_for(channels: Collection[str]) -> str:
    """Name of the decoder that suits channels, told by their names.

    >>> decoder_for(["F", "C"]), decoder_for(["R", "Db"])
    ('watershed', 'stardist')
    """
    return next(name for name, needed in NEEDS.items() if needed <= set(channels))
