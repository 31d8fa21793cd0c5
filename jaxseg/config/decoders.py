"""Options of the decoders beside the watershed, and which channels each decoder needs."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

Threshold = float | Literal["auto"]
Decoder = Literal["auto", "watershed", "agglomeration", "mutex", "flow"]


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


# The channels that a decoder cannot do without.
NEEDS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "watershed": frozenset(),
        "agglomeration": frozenset({"A"}),
        "mutex": frozenset({"A"}),
        "flow": frozenset({"Gv", "Gh"}),
    }
)


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
