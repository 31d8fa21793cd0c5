"""Which options of a decoder are worth tuning, and the values to try, the usual ones first.

Each function takes the channels of the planes and the number of axes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from jaxseg.config import Channel
from jaxseg.decoding.judging import FOREGROUND
from jaxseg.decoding.mask import grown_in
from jaxseg.decoding.watershed.growth import tells_objects
from jaxseg.decoding.watershed.plan import plan

Knobs = Mapping[str, tuple[Any, ...]]

# Above which value of a channel between 0 and 1 a voxel is inside.
LEVELS = (0.5, 0.4, 0.6, 0.3, 0.7)
# Voxels of the smallest object, by dimension.
SIZES = {2: (1, 10, 20, 40), 3: (1, 20, 60, 200)}
# Mean foreground of the objects that are kept.
MEANS = (0.0, 0.6, 0.65, 0.7, 0.75, 0.8)
# Dimensions of images whose objects all fit in memory, which shape asks for: a volume in blocks
# must not need that because a decoder was tuned.
TOGETHER = frozenset({2})
# Whether shape joins and parts objects.
CONVEX = ("none", "both", "part", "join")
# Options that are the voxels of the smallest object.
LEAST_SIZES = frozenset({"min_size", "min_object_size"})


def watershed_knobs(channels: Sequence[Channel], ndim: int) -> Knobs:
    """How deep a valley parts objects, how smooth the map is, where objects end, and shape."""
    chosen = plan(channels, ndim=ndim)
    found: dict[str, tuple[Any, ...]] = {}
    if chosen.parting:
        found["seed_height"] = (0.2, 0.15, 0.3, 0.1, 0.4, 0.05, 0.6)
        found["seed_sigma"] = (0.7, 1.0, 0.0, 1.5, 2.0)
    if tells_objects(chosen.growth):
        found |= {"growth_thresholds": tuple((level,) for level in LEVELS), "min_mean": MEANS}
    found |= {"convex": CONVEX} if ndim in TOGETHER else {}
    return {**found, "min_size": SIZES[ndim]}


def stardist_knobs(channels: Sequence[Channel], ndim: int) -> Knobs:
    """Which voxels propose objects, and how far two of them may overlap."""
    return {
        "prob_threshold": (0.4, 0.3, 0.5, 0.2, 0.6, 0.7, 0.8),
        "nms_threshold": (0.4, 0.3, 0.5, 0.2, 0.6),
    }


def embedseg_knobs(channels: Sequence[Channel], ndim: int) -> Knobs:
    """How sure the seed of an object is, and where objects end."""
    return {
        "seed_threshold": (0.8, 0.7, 0.9, 0.6, 0.5),
        "foreground_threshold": LEVELS,
        "min_object_size": (10, 20, 40, 5),
    }


def agglomeration_knobs(channels: Sequence[Channel], ndim: int) -> Knobs:
    """How strong a contact joins fragments, and what a fragment is."""
    return {
        "merge": (0.8, 0.75, 0.85, 0.7, 0.9, 0.6, 0.5),
        "inside": (0.8, 0.75, 0.85, 0.7, 0.9, 0.6, 0.5),
        "min_size": SIZES[ndim],
    }


def mutex_knobs(channels: Sequence[Channel], ndim: int) -> Knobs:
    """Which affinities join and which separate."""
    return {
        "near_bias": (0.6, 0.5, 0.7, 0.4, 0.8),
        "far_bias": (0.5, 0.4, 0.6, 0.3, 0.7),
        "min_size": SIZES[ndim],
    }


def flow_knobs(channels: Sequence[Channel], ndim: int) -> Knobs:
    """How many voxels end in an object, where objects end, and shape."""
    found: dict[str, tuple[Any, ...]] = {"min_sink": (10, 5, 20, 40)}
    if grown_in(channels, ndim) in FOREGROUND:
        found |= {"threshold": tuple((level,) for level in LEVELS), "min_mean": MEANS}
    found |= {"convex": CONVEX} if ndim in TOGETHER else {}
    return {**found, "min_size": SIZES[ndim]}


def with_true_sizes(knobs: Knobs, truths: Iterable[np.ndarray]) -> Knobs:
    """Smallest sizes to try that suit the objects: specks beside large cells are larger than usual.

    Parameters
    ----------
    knobs : values of each option
    truths : the true objects of every image, (*S) non-negative integers

    Returns
    -------
    the same; options of ``LEAST_SIZES`` with a quarter and a half of the voxels that nearly all
    objects have, as well

    >>> truth = np.kron([[1, 0, 2]], np.ones((20, 20), int))
    >>> with_true_sizes({"min_size": (1, 10)}, [truth])
    {'min_size': (1, 10, 100, 200)}
    """
    sizes = np.concatenate([np.unique(truth[truth > 0], return_counts=True)[1] for truth in truths])
    if not sizes.size:
        return knobs
    least = float(np.quantile(sizes, 0.05))
    more = tuple(int(part * least) for part in (0.25, 0.5))
    return {
        option: values + tuple(size for size in more if size > max(values))
        if option in LEAST_SIZES
        else values
        for option, values in knobs.items()
    }
