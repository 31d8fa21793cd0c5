"""Which values the options of a channel may have, and which losses there are to choose from."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from jaxseg.config.channels import (
    Affinity,
    Background,
    BoundaryDistance,
    CentreDistance,
    Channel,
    Contour,
    ContourOrForeground,
    Embedding,
    Flow,
    Foreground,
    LossName,
    Marker,
    NeighbourCloseness,
    Offset,
    Radial,
    Radius,
    Semantic,
    SignedDistance,
    Touching,
)
from jaxseg.config.types import mistakes
from jaxseg.errors import ConfigError


def channel_mistakes(channel: Channel, field: str) -> Iterator[ConfigError]:
    """Everything about a channel that is illegal whatever the rest of the configuration says."""
    wrong = list(mistakes(channel, Channel, field))
    yield from wrong
    for name, good, expected in () if wrong else LIMITS.get(type(channel.options), ()):
        value = getattr(channel.options, name)
        if not good(value):
            yield ConfigError(
                "value out of range", file=f"{field}.{name}", expected=expected, found=value
            )
    for name, fits, expected in () if wrong else TOGETHER.get(type(channel.options), ()):
        if not fits(channel.options):
            yield ConfigError(
                "this does nothing here",
                file=f"{field}.{name}",
                expected=expected,
                found=getattr(channel.options, name),
            )
    if not wrong and not 0 < channel.weight < math.inf:
        yield ConfigError(
            "value out of range", file=f"{field}.weight", expected="above 0", found=channel.weight
        )
    if not wrong and channel.loss != "default" and channel.loss not in legal_losses(channel):
        legal = ("default", *legal_losses(channel))
        yield ConfigError(
            f"channel {channel.name} cannot be learned with this loss",
            file=f"{field}.loss",
            expected=f"one of {', '.join(legal)}",
            found=channel.loss,
        )
    if not wrong and isinstance(channel.options, Semantic):
        yield from _class_weight_mistakes(channel.options, field)


def legal_losses(channel: Channel) -> tuple[LossName, ...]:
    """The losses that a channel has a choice of, beside its default.

    >>> from jaxseg.config import ch
    >>> legal_losses(ch("Db")), legal_losses(ch("Db", norm=False))
    (('bce', 'mse', 'mae'), ('mse', 'mae'))
    """
    choice = LOSSES.get(type(channel.options))
    return choice(channel.options) if choice else ()


def _class_weight_mistakes(options: Semantic, field: str) -> Iterator[ConfigError]:
    weights = options.class_weights
    if weights and len(weights) != options.classes:
        yield ConfigError(
            "wrong number of values",
            file=f"{field}.class_weights",
            expected=f"{options.classes}, one per class, background included",
            found=weights,
        )
    if any(not 0 <= weight < math.inf for weight in weights) or (weights and not any(weights)):
        yield ConfigError(
            "value out of range",
            file=f"{field}.class_weights",
            expected="at least 0, and one of them above",
            found=weights,
        )


def _positive(value: float) -> bool:
    return 0 < value < math.inf


def _not_negative(value: float) -> bool:
    return 0 <= value < math.inf


def _radius(value: Radius) -> bool:
    return all(item >= 0 for item in (value if isinstance(value, tuple) else (value,)))


RADIUS = "at least 0"

# Per kind of options: field, what is legal, and how to say it.
LIMITS: Mapping[type, tuple[tuple[str, Callable[[Any], bool], str], ...]] = MappingProxyType(
    {
        Foreground: (("dilation", _radius, RADIUS), ("erosion", _radius, RADIUS)),
        Background: (("dilation", _radius, RADIUS), ("erosion", _radius, RADIUS)),
        Marker: (("dilation", _radius, RADIUS), ("erosion", _radius, RADIUS)),
        NeighbourCloseness: (
            ("closing_size", lambda value: value == 0 or (value > 0 and value % 2), "odd, or 0"),
            ("decline_power", _positive, "above 0"),
        ),
        Touching: (("thickness", lambda value: value >= 1, "at least 1"),),
        SignedDistance: (
            ("alpha", _positive, "above 0"),
            ("beta", _positive, "above 0"),
        ),
        Embedding: (
            ("grid_size", _positive, "above 0"),
            ("foreground_weight", _not_negative, "at least 0"),
            ("instance_weight", _positive, "above 0"),
            ("variance_weight", _not_negative, "at least 0"),
            ("seed_weight", _positive, "above 0"),
        ),
        Affinity: (("widen", lambda value: value >= 0, "at least 0"),),
        Flow: (("reach", lambda value: value >= 1, "at least 1"),),
        Semantic: (
            ("classes", lambda value: value >= 2, "at least 2, the background is one"),
            ("dice", lambda value: 0 <= value < math.inf, "at least 0"),
            ("cross_entropy", lambda value: 0 <= value < math.inf, "at least 0"),
            ("focal", lambda value: value == 0 or 1 <= value < math.inf, "at least 1, or 0"),
            ("tversky", lambda value: all(0 < one < math.inf for one in value), "above 0"),
            ("ignore", lambda value: value >= -1, "a label value, or -1 for none"),
        ),
        # Fewer do not enclose the voxel, in 2D or in 3D.
        Radial: (("nrays", lambda value: value == 0 or value >= 6, "at least 6, or 0"),),
    }
)


# Losses whose minimum is where the linked value is the true one: cross entropy needs values between
# 0 and 1 and their link. A kind of options that is not listed has its own loss only.
PROBABILITY: tuple[LossName, ...] = ("bce", "mse", "mae")
NUMBER: tuple[LossName, ...] = ("mse", "mae")
LOSSES: Mapping[type, Callable[[Any], tuple[LossName, ...]]] = MappingProxyType(
    {
        Foreground: lambda options: PROBABILITY,
        Background: lambda options: PROBABILITY,
        Touching: lambda options: PROBABILITY,
        ContourOrForeground: lambda options: PROBABILITY,
        Contour: lambda options: PROBABILITY,
        Marker: lambda options: PROBABILITY,
        BoundaryDistance: lambda options: PROBABILITY if options.norm else NUMBER,
        CentreDistance: lambda options: PROBABILITY if options.norm else NUMBER,
        NeighbourCloseness: lambda options: PROBABILITY if options.norm else NUMBER,
        SignedDistance: lambda options: NUMBER,
        Offset: lambda options: NUMBER,
        Affinity: lambda options: PROBABILITY,
        Flow: lambda options: NUMBER,
        Radial: lambda options: NUMBER,
        Semantic: lambda options: ("ce",),
    }
)


# Options that act only beside others: field, whether it fits, and how to say it.
TOGETHER: Mapping[type, tuple[tuple[str, Callable[[Any], bool], str], ...]] = MappingProxyType(
    {
        Semantic: (
            ("cross_entropy", lambda options: options.cross_entropy or options.dice, "one loss"),
            (
                "focal",
                lambda options: options.cross_entropy or not options.focal,
                "cross_entropy above 0",
            ),
            (
                "tversky",
                lambda options: options.dice or options.tversky == (0.5, 0.5),
                "dice above 0",
            ),
        ),
        Marker: (
            (
                "skeleton_mode",
                lambda options: options.type == "skeleton" or options.skeleton_mode == "full",
                'type="skeleton" beside it',
            ),
        ),
    }
)
