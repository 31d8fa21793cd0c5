"""Which planes, with which thresholds, give seeds, growth mask and surface: rules, not a list.

Seeds are the peaks of a map of the channels that part objects. Where there are none, where one
marks every object, or where thresholds are asked for, they are the voxels on the inner side of the
thresholds of *all* channels that can tell inside from outside, or of those that mark. Objects grow
in the mask of the one channel that the table ranks highest for it; where none has a rank, in what
contours enclose, or where offsets point. The surface is the channel ranked highest for that, or the
boundaries of offsets; of a mask, its depth. A user may set each of these in part.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from jaxseg.channels import CHANNELS, spec_of
from jaxseg.config import OPTIONS, Channel, Watershed
from jaxseg.config.channels import SignedDistance
from jaxseg.config.decoders import Threshold
from jaxseg.config.option import Misfit
from jaxseg.config.option import problems as option_problems
from jaxseg.decoding.watershed.problems import watershed_problems
from jaxseg.decoding.watershed.roles import Role, by_thresholds, chosen, given, shows_extent
from jaxseg.decoding.watershed.views import NEAR_CENTRE, Source, sources
from jaxseg.errors import ConfigError, JaxsegError, Problems, raise_all
from jaxseg.symmetry import Component

# A boundary map above it is a boundary.
BOUNDARY = 0.5
# Where the table names no threshold for lengths, in the finest voxels: between the outermost voxels
# of an object and the next ones, and between the background and the outermost voxels.
RIM, EDGE = 1.5, 0.5
# A depth that the valley between two objects does not reach even when it is smoothed.
DEEP = 2.5
# What EDGE is for values between 0 and 1.
FAINT = 0.05


@dataclass(frozen=True)
class Criterion:
    """A source and the threshold that its voxels inside objects pass.

    Parameters
    ----------
    source : whose plane
    threshold : in the units of the channel, or auto
    by_rule : not given as a number by the user, so that noise may be told from objects
    deeper : a second threshold, for seeds; where voxels connected by the first hold any that pass
        the second, only those are seeds, else all of them
    settled : the planes are known to show more than noise, so that is not asked again
    """

    source: Source
    threshold: Threshold
    by_rule: bool
    deeper: Threshold | None = None
    settled: bool = False


@dataclass(frozen=True)
class Plan:
    """All that a watershed needs to know about the planes."""

    seeds: tuple[Criterion, ...]
    growth: tuple[Criterion, ...]
    surface: Source
    # sources of the map whose peaks are seeds; none where seeds are found by thresholds
    parting: tuple[Source, ...] = ()

    def min_seed(self, voxels: int) -> int:
        """The least size of a seed where ``voxels`` are asked for; marks may be that small."""
        marks = [criterion.source.mark_size for criterion in self.seeds]
        return min([voxels, *(-(-size // 2) for size in marks if size)])

    def __str__(self) -> str:
        """One line per role."""
        lines = [f"surface: {'+'.join(self.surface.names)}"]
        if self.parting:
            lines.append(f"peaks of: {', '.join('+'.join(s.names) for s in self.parting)}")
        for role, criteria in (("seeds", self.seeds), ("growth", self.growth)):
            parts = (f"{'+'.join(c.source.names)} ({c.threshold})" for c in criteria)
            lines.append(f"{role}: {', '.join(parts)}")
        return "; ".join(lines[::-1])


def plan(
    channels: Sequence[Channel],
    *,
    ndim: int,
    spacing: Sequence[float] | None = None,
    options: Watershed | None = None,
) -> Plan:
    """The plan for a set of channels; their order does not matter.

    Parameters
    ----------
    channels : of the planes
    ndim : 2 or 3
    spacing : size of a voxel, (z)yx, µm; None = 1
    options : what is set there is taken, the rest follows from the rules

    Returns
    -------
    Plan

    Raises
    ------
    ConfigError : what is wrong with channels and options; several problems are raised together, as
        Problems

    >>> from jaxseg.config import ch
    >>> print(plan((ch("C"), ch("F")), ndim=2))
    growth: F (0.5); seeds: C (0.5), F (0.5); peaks of: C; surface: C
    """
    options = Watershed() if options is None else options
    alone = list(option_problems(options, "watershed", Watershed))
    raise_all(problem for problem in alone if isinstance(problem, Misfit))
    found = sources(channels, ndim, spacing)
    usable = {name: source for source in found if source.seed for name in source.names}
    # Classes beside instances show no objects, and do no harm.
    unusable = [
        name
        for source in found
        for name in source.names
        if not source.seed and not spec_of(source.channels[0]).exclusive
    ]
    if unusable or not usable:
        raise ConfigError(
            "the watershed cannot use these channels",
            expected=" ".join(_legal()),
            found=" ".join(unusable or [channel.name for channel in channels]) or "none",
        )
    raise_all([*alone, *watershed_problems(options, usable, ndim)])
    if not options.growth and not shows_extent(usable):
        raise ConfigError(
            "no channel shows how far objects reach",
            expected=f"one of {' '.join(_bounding(ndim))} among them",
            found=" ".join(usable),
        )
    seeds = _criteria(options, "seeds", usable)
    return Plan(
        seeds=seeds,
        growth=_criteria(options, "growth", usable),
        surface=usable[chosen(options, "surface", usable)[0]],
        parting=_parting(options, [criterion.source for criterion in seeds], ndim),
    )


def plan_problems(
    channels: Sequence[Channel], *, ndim: int, options: Watershed | None = None
) -> list[JaxsegError]:
    """What is wrong with channels and options, to be told before anything is computed.

    Parameters
    ----------
    channels, ndim, options : as for :func:`plan`

    Returns
    -------
    list of errors, empty if there will be a plan
    """
    try:
        plan(channels, ndim=ndim, options=options)
    except Problems as several:
        return list(several.problems)
    except JaxsegError as error:
        return [error]
    return []


def _legal() -> list[str]:
    """Names of the channels that a watershed can use."""
    kinds = {name: row.symmetry(3, OPTIONS[name]()) for name, row in CHANNELS.items()}
    vectors = {
        name
        for name, kind in kinds.items()
        if isinstance(kind, Component) and kind.family == "centre"
    }
    return [name for name, row in CHANNELS.items() if row.watershed.seed or name in vectors]


def _bounding(ndim: int) -> list[str]:
    """Names of the channels that tell how far objects reach."""
    found = []
    for name in _legal():
        if ndim in CHANNELS[name].ndims:
            usable = {name: sources((Channel(name=name, options=OPTIONS[name]()),), ndim, None)[0]}
            found += [name] if shows_extent(usable) else []
    return found


# ---------------------------------------------------------------------------------- rules


def _seed_rule(source: Source) -> Criterion:
    """The table's threshold; for lengths one between the outermost voxels and the next ones.

    Deeper voxels are taken wherever there are any: where voxels are longer along some axes, since
    the outermost ones at a boundary across these have larger values; and for distances that are
    never negative, since a network that smooths them fills the narrow valley between objects.
    """
    if source.is_vector:
        return Criterion(source, BOUNDARY, by_rule=True)
    row = spec_of(source.channels[0]).watershed
    found = row.seed_threshold(source.options)
    if found is None and row.from_centre:
        return Criterion(source, _close_to_centre(source.spacing), by_rule=True)
    if found is None and row.seed < 0:
        # How close is close differs from object to object: what others part is not given up.
        return Criterion(source, math.inf, by_rule=True, deeper="auto")
    if found is None and source.measures_lengths:
        ratio = max(source.spacing) / min(source.spacing)
        depth = max(1.1 * ratio, RIM if isinstance(source.options, SignedDistance) else DEEP)
        deeper = _value_at(source, depth) if depth > RIM else None
        return Criterion(source, _value_at(source, RIM), by_rule=True, deeper=deeper)
    return Criterion(source, "auto" if found is None else found, by_rule=True)


def _growth_rule(source: Source) -> Criterion:
    """The table's threshold, or one between the background and the outermost voxels."""
    if source.is_vector:
        return Criterion(source, NEAR_CENTRE * source.unit, by_rule=True)
    found = spec_of(source.channels[0]).watershed.growth_threshold(source.options)
    if found is None and source.seed < 0:
        return _seed_rule(source)
    if found is None:
        found = _value_at(source, EDGE) if source.measures_lengths else FAINT
    return Criterion(source, found, by_rule=True)


def _parting(options: Watershed, seeds: Sequence[Source], ndim: int) -> tuple[Source, ...]:
    """The seed channels whose peaks are seeds, none if thresholds are to decide."""
    found = () if by_thresholds(options, ndim) else tuple(one for one in seeds if one.relief)
    # A mark is a seed as it is.
    return () if any(one.mark_size for one in seeds) else found


def _close_to_centre(spacing: Sequence[float]) -> float:
    """A distance from the centre that a few voxels keep below, wherever it lies between them."""
    mean = math.prod(spacing) ** (1 / len(spacing))
    return max(DEEP * mean, 0.6 * math.hypot(*spacing))


def _value_at(source: Source, voxels: float) -> float:
    """The value of a channel of lengths some of the finest voxels from the nearest outside voxel.

    Signed distances are measured from half a voxel further in, and may be squashed by tanh.
    """
    options, voxel = source.options, min(source.spacing)
    if not isinstance(options, SignedDistance):
        return voxels * voxel
    value = options.beta * (voxels - 0.5) * voxel
    return math.tanh(value) if options.activation == "tanh" else value


def _criteria(options: Watershed, role: Role, usable: dict[str, Source]) -> tuple[Criterion, ...]:
    """One criterion per source; of several thresholds for one vector the smallest."""
    names, thresholds = chosen(options, role, usable), given(options, role)
    rule = _seed_rule if role == "seeds" else _growth_rule
    criteria = []
    for source in dict.fromkeys(usable[name] for name in names):
        values = [t for name, t in zip(names, thresholds, strict=False) if usable[name] is source]
        numbers = [float(value) for value in values if value != "auto"]
        if numbers:
            criteria.append(Criterion(source, min(numbers), by_rule=False))
        elif values:
            criteria.append(Criterion(source, "auto", by_rule=True))
        else:
            criteria.append(rule(source))
    return tuple(criteria)


def block_problems(
    channels: Sequence[Channel], *, ndim: int, options: Watershed | None = None
) -> list[JaxsegError]:
    """What keeps a plan from being carried out block by block.

    Parameters
    ----------
    channels, ndim, options : as for :func:`plan`

    Returns
    -------
    list of errors, empty if it can be
    """
    growth = plan(channels, ndim=ndim, options=options).growth
    if len(growth) != 1 or not growth[0].source.encloses:
        return []
    return [
        ConfigError(
            "what contours alone enclose depends on the whole image, not on a block",
            where="watershed.growth",
            found=" ".join(growth[0].source.names),
            fix="learn F, Db, D or A beside the contours, or decode in memory",
        )
    ]
