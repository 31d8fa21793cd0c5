"""Which channels seed, bound and order the flooding: the user's choice, else by rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from jaxseg.config import Watershed
from jaxseg.config.decoders import Threshold
from jaxseg.decoding.watershed.views import Source

Role = Literal["seeds", "growth", "surface"]
ROLES: tuple[Role, ...] = ("seeds", "growth", "surface")


def chosen(options: Watershed, role: Role, usable: Mapping[str, Source]) -> tuple[str, ...]:
    """Names of the channels for a role.

    Parameters
    ----------
    options : what they name is taken
    role : see :mod:`jaxseg.decoding.watershed.plan`
    usable : by name, the sources to choose from

    Returns
    -------
    names, at least one
    """
    return getattr(options, role) or _ruled(role, usable)


def given(options: Watershed, role: Role) -> tuple[Threshold, ...]:
    """The thresholds that the options give for a role, empty if none."""
    return options.seed_thresholds if role == "seeds" else options.growth_thresholds


def by_thresholds(options: Watershed, ndim: int) -> bool:
    """Whether thresholds decide about seeds: asked for, options of theirs are given, or in 3D.

    Of true planes of 3D nuclei and neurites peaks gave more false pieces than thresholds; in 2D
    they gave fewer merged nuclei.
    """
    if options.seed_rule == "auto":
        return ndim == 3 or bool(options.seed_thresholds or options.seed_morphology)
    return options.seed_rule == "thresholds"


def _ruled(role: Role, usable: Mapping[str, Source]) -> tuple[str, ...]:
    """All channels for seeds, or the one that marks them; for the others the highest in rank."""
    if role == "seeds":
        marking = tuple(name for name in usable if usable[name].mark_size)
        return marking or tuple(usable)
    if role == "surface":
        return max(usable.values(), key=lambda source: source.surface).names
    # Without a rank: contours can enclose, and only if there are none, offsets can point.
    return max(usable.values(), key=_as_mask).names


def shows_extent(usable: Mapping[str, Source]) -> bool:
    """Whether any of the channels tells how far objects reach."""
    return any(any(_as_mask(source)) for source in usable.values())


def _as_mask(source: Source) -> tuple[int, bool, bool]:
    return source.growth, source.encloses, source.is_vector
