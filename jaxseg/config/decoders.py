"""Options of the decoders, from planes to instances, and which channels each of them needs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Decoder = Literal["auto", "stardist", "embedseg", "watershed"]
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
    # which of those voxels propose: maxima, those without a better neighbour, or all, which takes
    # many times as long, in 3D minutes, and finds no more
    candidates: Literal["maxima", "all"] = "maxima"
    # drop objects of fewer voxels
    min_size: int = 1


@dataclass(frozen=True, kw_only=True)
class EmbedSeg:
    """Clustering of the embeddings of channel E, voxels of the highest seediness first."""

    # voxels of higher seediness belong to objects
    foreground_threshold: float = 0.5
    # voxels of at least this seediness start an object
    seed_threshold: float = 0.5
    # no objects where no more voxels than this are foreground
    min_mask_sum: int = 0
    # stop when no more foreground voxels than this are left
    min_unclustered_sum: int = 0
    # drop objects of fewer voxels
    min_object_size: int = 10
    # drop an object unless more than this part of the foreground within its kernel was left; 0.5
    # as in the original method, 0 = keep
    min_free: float = 0.5


# The channels that a decoder cannot do without. Where the user names none, the first decoder whose
# channels are there is taken. Its options are the field of the configuration of the same name.
NEEDS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "stardist": frozenset({"R"}),
        "embedseg": frozenset({"E"}),
        "watershed": frozenset(),
    }
)


def decoder_for(channels: Collection[str]) -> str:
    """Name of the decoder that suits channels, told by their names.

    >>> decoder_for(["F", "C"]), decoder_for(["R", "Db"])
    ('watershed', 'stardist')
    """
    return next(name for name, needed in NEEDS.items() if needed <= set(channels))
