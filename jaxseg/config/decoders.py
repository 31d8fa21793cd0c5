"""Options of the decoders, from planes to instances, and which channels each of them needs."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

Decoder = Literal["auto", "stardist", "embedseg", "flow", "agglomeration", "mutex", "watershed"]
Threshold = float | Literal["auto"]


@dataclass(frozen=True, kw_only=True)
class Watershed:
    """Seeds, surface and growth mask for the marker-controlled watershed; empty = by rule."""

    # channels whose thresholds together give the seeds
    seeds: tuple[str, ...] = ()
    # one threshold per seed channel, in the channel's own units, or auto
    seed_thresholds: tuple[Threshold, ...] = ()
    # how seeds are found: dynamics, as peaks of the sum of the channels that part objects, such as
    # contours and distances; thresholds, as what passes those of all channels; auto: dynamics where
    # a channel parts objects and neither seed_thresholds nor seed_morphology is given
    seed_rule: Literal["auto", "dynamics", "thresholds"] = "auto"
    # how far one must go down from a peak to a higher one for both to be seeds, in units of a
    # normalised channel; lower splits more; four voxels of a channel in µm are a unit
    seed_height: float = 0.2
    # standard deviation of the Gaussian that smooths that sum, in finest voxels; 0 = none
    seed_sigma: float = 0.7
    # channels whose thresholds together give the mask that objects grow in
    growth: tuple[str, ...] = ()
    # one threshold per growth channel, in the channel's own units, or auto
    growth_thresholds: tuple[Threshold, ...] = ()
    # channel flooded from the seeds
    surface: tuple[str, ...] = ()
    # dilate and erode the seeds within the growth mask, in this order, e.g. erode 1 dilate 1; radii
    # in finest voxels, balls in µm or, with by_slices, discs
    seed_morphology: tuple[tuple[Literal["dilate", "erode"], int], ...] = ()
    # the same for the growth mask: dilate 2 erode 2 closes holes, erode 2 dilate 2 cuts thin parts
    growth_morphology: tuple[tuple[Literal["dilate", "erode"], int], ...] = ()
    # drop seeds of fewer voxels, but never the last seed of a separate part of the mask; of a peak
    # all voxels above the way to another count
    min_seed: int = 10
    # drop objects of fewer voxels
    min_size: int = 1
    # fill holes of every object
    fill_holes: bool = True
    # flood every z slice on its own
    by_slices: bool = False
    # write seed_map.tif, semantic.tif and foreground.tif for every image decoded in memory
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
    # voxels of at least this seediness start an object; lower, e.g. 0.5, for a network that was
    # trained briefly: it is less sure, but rims in the background become objects, too
    seed_threshold: float = 0.8
    # no objects where no more voxels than this are foreground
    min_mask_sum: int = 0
    # stop when no more foreground voxels than this are left
    min_unclustered_sum: int = 0
    # drop objects of fewer voxels
    min_object_size: int = 10
    # drop an object unless more than this part of the foreground in its kernel was still left, or
    # the rims of objects become objects; 0 = keep
    min_free: float = 0.5


@dataclass(frozen=True, kw_only=True)
class Agglomeration:
    """Affinities to objects: fragments, then the joining of those whose contacts are strong."""

    # threshold of the mask that objects lie in, in units of its channel, or auto; empty = by rule
    threshold: tuple[Threshold, ...] = ()
    # a voxel whose weakest edge is above this is inside a fragment and not at a boundary
    inside: float = 0.5
    # fragments are joined where the score of their contact is at least this
    merge: float = 0.55
    # score of a contact: the mean of its affinities, or a quantile of them
    score: Literal["mean", "quantile"] = "quantile"
    # which quantile
    quantile: float = 0.25
    # contacts of fewer voxel pairs join nothing; 0 = 2 in 2D, where contacts are lines, 5 in 3D
    min_contact: int = 0
    # own: ours; waterz: the package of that name, of the extra 'affinities'
    engine: Literal["own", "waterz"] = "own"
    # drop objects of fewer voxels
    min_size: int = 1
    # fill holes of every object
    fill_holes: bool = True


@dataclass(frozen=True, kw_only=True)
class Mutex:
    """Affinities to objects by mutex watershed, of the extra 'affinities'."""

    # threshold of the mask that objects lie in, in units of its channel, or auto; empty = by rule
    threshold: tuple[Threshold, ...] = ()
    # an affinity to a direct neighbour joins above this and separates below it
    near_bias: float = 0.6
    # the same for affinities across longer offsets
    far_bias: float = 0.5
    # longer offsets only separate, never join
    far_repulsive: bool = True
    # use affinities across longer offsets at every so many voxels along each axis
    stride: int = 1
    # drop objects of fewer voxels
    min_size: int = 1
    # fill holes of every object
    fill_holes: bool = True


@dataclass(frozen=True, kw_only=True)
class FlowTracking:
    """Flows to objects: every voxel follows the flow, those that end together are an object."""

    # threshold of the mask that objects lie in, in units of its channel, or auto; empty = by rule
    threshold: tuple[Threshold, ...] = ()
    # steps of one voxel that a voxel follows the flow; fewer than objects are long tears them
    steps: int = 200
    # an end that fewer voxels reach is no object
    min_sink: int = 10
    # drop objects of fewer voxels
    min_size: int = 1
    # fill holes of every object
    fill_holes: bool = True


# The channels that a decoder cannot do without. Its options are the field of the configuration of
# the same name.
NEEDS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "stardist": frozenset({"R"}),
        "embedseg": frozenset({"E"}),
        "agglomeration": frozenset({"A"}),
        "mutex": frozenset({"A"}),
        "flow": frozenset({"Gv", "Gh"}),
        "watershed": frozenset(),
    }
)

# Whether a decoder is the one for channels of these names, unasked; the first that says so.
SUITS: Mapping[str, Callable[[frozenset[str]], bool]] = MappingProxyType(
    {
        "stardist": lambda names: "R" in names,
        "embedseg": lambda names: "E" in names,
        "flow": lambda names: names >= NEEDS["flow"],
        "agglomeration": lambda names: names == {"A"},
        "watershed": lambda names: True,
    }
)


def decoder_for(channels: Collection[str]) -> str:
    """Name of the decoder that suits channels, told by their names; classes beside do not matter.

    >>> decoder_for(["F", "C"]), decoder_for(["R", "Db"]), decoder_for(["A"])
    ('watershed', 'stardist', 'agglomeration')
    """
    names = frozenset(channels) - {"S"}
    return next(name for name, suits in SUITS.items() if suits(names))


def _unit(value: float) -> bool:
    return 0 < value < 1


def _finite(value: float) -> bool:
    return math.isfinite(value)


def _counts(value: int) -> bool:
    return value >= 1


def _at_most_one(value: tuple[Threshold, ...]) -> bool:
    return len(value) <= 1 and all(item == "auto" or _finite(item) for item in value)


THRESHOLD = ("threshold", _at_most_one, "one finite number or auto, or empty")
SIZE = ("min_size", _counts, "at least 1")

# Per kind of options: field, what is legal, and how to say it.
DECODER_LIMITS: Mapping[type, tuple[tuple[str, Callable[[Any], bool], str], ...]] = (
    MappingProxyType(
        {
            Agglomeration: (
                THRESHOLD,
                ("inside", _unit, "between 0 and 1"),
                ("merge", _unit, "between 0 and 1"),
                ("quantile", _unit, "between 0 and 1"),
                ("min_contact", lambda value: value >= 0, "at least 0"),
                SIZE,
            ),
            Mutex: (
                THRESHOLD,
                ("near_bias", _unit, "between 0 and 1"),
                ("far_bias", _unit, "between 0 and 1"),
                ("stride", _counts, "at least 1"),
                SIZE,
            ),
            FlowTracking: (
                THRESHOLD,
                ("steps", _counts, "at least 1"),
                ("min_sink", _counts, "at least 1"),
                SIZE,
            ),
        }
    )
)
