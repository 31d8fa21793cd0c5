"""What can be wrong with the options of a watershed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from jaxseg.config import Watershed
from jaxseg.config.option import nearest
from jaxseg.decoding.judging import mean_problems
from jaxseg.decoding.watershed.roles import ROLES, Role, chosen, given
from jaxseg.decoding.watershed.views import Source
from jaxseg.errors import ConfigError, JaxsegError


def watershed_problems(
    options: Watershed, usable: Mapping[str, Source], ndim: int
) -> Iterator[JaxsegError]:
    """Everything in the options that does not fit the channels.

    Parameters
    ----------
    options : as the user gave them
    usable : by name, the sources that may be named there
    ndim : 2 or 3

    Returns
    -------
    iterator over errors
    """
    named = [problem for role in ROLES for problem in _wrong_names(options, role, usable)]
    yield from named
    if not named:
        yield from _wrong_thresholds(options, "seeds", usable)
        yield from _wrong_thresholds(options, "growth", usable)
    if len({usable[name] for name in options.surface if name in usable}) > 1:
        yield ConfigError(
            "one channel is flooded, or the components of one vector",
            where="watershed.surface",
            found=" ".join(options.surface),
        )
    yield from _wrong_peaks(options)
    if not named:
        yield from mean_problems(options, "watershed", chosen(options, "growth", usable))
    if options.by_slices and ndim == 2:
        yield ConfigError("by_slices needs three dimensions", where="watershed.by_slices")


def _wrong_peaks(options: Watershed) -> Iterator[JaxsegError]:
    if options.seed_rule == "dynamics":
        for field in ("seed_thresholds", "seed_morphology"):
            if getattr(options, field):
                yield ConfigError(
                    "peaks are no seeds by thresholds",
                    where=f"watershed.{field}",
                    found=getattr(options, field),
                    fix="seed_rule thresholds",
                )


def _wrong_names(
    options: Watershed, role: Role, usable: Mapping[str, Source]
) -> Iterator[JaxsegError]:
    named = getattr(options, role)
    for name in named:
        if name not in usable:
            yield ConfigError(
                f"no such channel to use: {name!r}{nearest(name, usable)}",
                where=f"watershed.{role}",
                expected=f"among {' '.join(usable)}",
            )
    if len(set(named)) < len(named):
        yield ConfigError(
            "a channel is named twice", where=f"watershed.{role}", found=" ".join(named)
        )


def _wrong_thresholds(
    options: Watershed, role: Role, usable: Mapping[str, Source]
) -> Iterator[JaxsegError]:
    thresholds, names = given(options, role), chosen(options, role, usable)
    field = "seed_thresholds" if role == "seeds" else "growth_thresholds"
    # Where the options name channels, they are judged by themselves.
    if thresholds and not getattr(options, role) and len(thresholds) != len(names):
        yield ConfigError(
            "wrong number of thresholds",
            where=f"watershed.{field}",
            expected=f"{len(names)}, for {' '.join(names)}",
            found=len(thresholds),
        )
