"""Thresholds for a whole volume, found part by part before its parts are decoded.

A block alone cannot tell noise from objects, nor choose an automatic threshold: both are properties
of the volume. :func:`settle` answers all such questions once, so that decoding a block depends on
nothing but the block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from jaxseg.decoding.streamed import NoiseTest, streamed_otsu
from jaxseg.decoding.thresholds import beyond
from jaxseg.decoding.watershed.growth import (
    background_level,
    fixed_first,
    growth_mask,
    inner_sign,
    judged,
    raw_planes,
)
from jaxseg.decoding.watershed.plan import Criterion, Plan
from jaxseg.decoding.watershed.views import view

# The planes of a part with its context, and which of these voxels are the part itself.
Part = tuple[np.ndarray, tuple[slice, ...]]
Parts = Callable[[], Iterable[Part]]


class Levels(NamedTuple):
    """The thresholds of a plan for one volume, in the order of its criteria.

    Parameters
    ----------
    growth : None where the volume shows no objects
    seeds : None for a source that does not tell seeds from the rest
    """

    growth: tuple[float, ...] | None
    seeds: tuple[float | None, ...]


def settle(
    chosen: Plan,
    parts: Parts,
    *,
    reshape: Callable[[np.ndarray, int], np.ndarray] = lambda mask, number: mask,
) -> Levels:
    """Find every threshold that depends on the volume, and whether it shows objects at all.

    Parameters
    ----------
    chosen : of :func:`jaxseg.decoding.watershed.plan`, without :func:`block_problems`
    parts : reads the volume anew at every call: the planes (*S, K) of a part and its context of at
        least one voxel, and the slices of the part; the parts cover the volume once. It is not
        called if all thresholds were given as numbers
    reshape : what becomes of the growth mask (*S) of a part with its context, by the number of the
        part, before seeds are looked for in it

    Returns
    -------
    Levels
    """
    growth: list[Criterion] = []
    grown: dict[Criterion, float] = {}
    for criterion in fixed_first(chosen.growth):
        threshold = _level(criterion, _growth_candidates(criterion, tuple(growth), parts))
        if threshold is None or (judged(criterion) and _noise(criterion, threshold, parts)):
            return Levels(None, ())
        grown[criterion] = threshold
        growth.append(replace(criterion, threshold=threshold, settled=True))
    seeds: list[Criterion] = []
    found: dict[Criterion, float | None] = {}
    for criterion in fixed_first(chosen.seeds):
        values = _seed_candidates(criterion, tuple(growth), tuple(seeds), parts, reshape)
        threshold = found[criterion] = _level(criterion, values)
        if threshold is not None:
            seeds.append(replace(criterion, threshold=threshold, settled=True))
    return Levels(
        tuple(grown[criterion] for criterion in chosen.growth),
        tuple(found[criterion] for criterion in chosen.seeds),
    )


def settled(chosen: Plan, levels: Levels) -> Plan | None:
    """The plan with the thresholds that were found.

    Parameters
    ----------
    chosen, levels : what :func:`settle` was given and gave

    Returns
    -------
    Plan that asks nothing of the volume any more; None where there are no objects
    """
    if levels.growth is None:
        return None
    growth = [
        replace(criterion, threshold=level, settled=True)
        for criterion, level in zip(chosen.growth, levels.growth, strict=True)
    ]
    seeds = [
        replace(criterion, threshold=level, settled=True)
        for criterion, level in zip(chosen.seeds, levels.seeds, strict=True)
        if level is not None
    ]
    return replace(chosen, growth=tuple(growth), seeds=tuple(seeds))


def _level(criterion: Criterion, candidates: Callable[[], Iterator[np.ndarray]]) -> float | None:
    """The number, or for auto the one that separates the candidates, if any does."""
    if criterion.threshold == "auto":
        return streamed_otsu(candidates, unit=criterion.source.unit)
    return float(criterion.threshold)


def _noise(criterion: Criterion, threshold: float, parts: Parts) -> bool:
    """Whether every column that the source is read from is noise in the whole volume."""
    source = criterion.source
    sign, start = inner_sign(source), background_level(source)
    tests: list[NoiseTest] = []
    for planes, core in parts():
        columns = [start + sign * plane for plane in raw_planes(planes, source)]
        level = start + sign * threshold
        tests = tests or [NoiseTest(level, source.unit)] * len(columns)
        tests = [test.plus(plane, core) for test, plane in zip(tests, columns, strict=True)]
    return all(test.is_noise() for test in tests)


def _growth_candidates(
    criterion: Criterion, before: Sequence[Criterion], parts: Parts
) -> Callable[[], Iterator[np.ndarray]]:
    """The values of a source where the criteria before it are met."""

    def values() -> Iterator[np.ndarray]:
        for planes, core in parts():
            inside = np.ones(planes.shape[:-1], bool)[core]
            for other in before:
                plane = view(other.source).growth(planes, other.source, None)[core]
                sign = inner_sign(other.source)
                inside = inside & beyond(plane, float(other.threshold), sign=sign)
            yield view(criterion.source).growth(planes, criterion.source, None)[core][inside]

    return values


def _seed_candidates(
    criterion: Criterion,
    growth: Sequence[Criterion],
    before: Sequence[Criterion],
    parts: Parts,
    reshape: Callable[[np.ndarray, int], np.ndarray],
) -> Callable[[], Iterator[np.ndarray]]:
    """The values of a source in the growth mask, where the criteria before it are met."""

    def values() -> Iterator[np.ndarray]:
        for number, (planes, core) in enumerate(parts()):
            mask = reshape(growth_mask(planes, growth), number)
            inside = mask[core]
            for other in before:
                plane = view(other.source).seed(planes, other.source, mask)[core]
                sign = other.source.seed
                inside = inside & beyond(plane, float(other.threshold), sign=sign)
            yield view(criterion.source).seed(planes, criterion.source, mask)[core][inside]

    return values
