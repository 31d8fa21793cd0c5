"""Thresholds for a whole volume, found part by part before its parts are decoded.

A block alone cannot tell noise from objects, nor choose an automatic threshold: both are properties
of the volume. :func:`settle` answers all such questions once, so that decoding a block depends on
nothing but the block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from jaxseg import instances
from jaxseg.decoding.growth import fixed_first, growth_mask, inner_sign, judged, raw_planes
from jaxseg.decoding.plan import Criterion, Plan
from jaxseg.decoding.sources import view
from jaxseg.errors import ConfigError, JaxsegError

# The planes of a part with its context, and which of these voxels are the part itself.
Part = tuple[np.ndarray, tuple[slice, ...]]
Parts = Callable[[], Iterable[Part]]


def settle(chosen: Plan, parts: Parts) -> Plan | None:
    """The plan with every automatic threshold replaced by its number.

    Parameters
    ----------
    chosen : of :func:`jaxseg.decoding.plan`, without :func:`settle_problems`
    parts : reads the volume anew at every call: the planes (*S, K) of a part and its context of at
        least one voxel, and the slices of the part; the parts cover the volume once. It is not
        called if all thresholds were given as numbers

    Returns
    -------
    Plan that asks nothing of the volume any more; None where the planes show no objects
    """
    growth: list[Criterion] = []
    for criterion in fixed_first(chosen.growth):
        threshold = criterion.threshold
        if threshold == "auto":
            values = _growth_candidates(criterion, tuple(growth), parts)
            found = instances.streamed_otsu(values, unit=criterion.source.unit)
            if found is None:
                return None
            threshold = found
        if judged(criterion) and _noise(criterion, float(threshold), parts):
            return None
        growth.append(replace(criterion, threshold=threshold, settled=True))
    seeds: list[Criterion] = []
    for criterion in fixed_first(chosen.seeds):
        threshold = criterion.threshold
        if threshold == "auto":
            values = _seed_candidates(criterion, tuple(growth), tuple(seeds), parts)
            found = instances.streamed_otsu(values, unit=criterion.source.unit)
            if found is None:
                continue
            threshold = found
        seeds.append(replace(criterion, threshold=threshold, settled=True))
    return replace(chosen, growth=tuple(growth), seeds=tuple(seeds))


def settle_problems(chosen: Plan) -> list[JaxsegError]:
    """What keeps a plan from being carried out block by block.

    Returns
    -------
    list of errors, empty if it can be
    """
    names = [name for criterion in chosen.growth for name in criterion.source.names]
    alone = len(chosen.growth) == 1
    if alone and chosen.growth[0].source.seed < 0 and not chosen.growth[0].source.is_vector:
        return [
            ConfigError(
                "what contours alone enclose depends on the whole image, not on a block",
                file="watershed.growth",
                found=" ".join(names),
                fix="learn F, Db, D or A beside the contours, or decode in memory",
            )
        ]
    return []


def _noise(criterion: Criterion, threshold: float, parts: Parts) -> bool:
    """Whether every column that the source is read from is noise in the whole volume."""
    source = criterion.source
    sign = inner_sign(source)
    tests: list[instances.NoiseTest] = []
    for planes, core in parts():
        columns = [sign * plane for plane in raw_planes(planes, source)]
        tests = tests or [instances.NoiseTest(sign * threshold, source.unit)] * len(columns)
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
                inside = inside & instances.beyond(plane, float(other.threshold), sign=sign)
            yield view(criterion.source).growth(planes, criterion.source, None)[core][inside]

    return values


def _seed_candidates(
    criterion: Criterion,
    growth: Sequence[Criterion],
    before: Sequence[Criterion],
    parts: Parts,
) -> Callable[[], Iterator[np.ndarray]]:
    """The values of a source in the growth mask, where the criteria before it are met."""

    def values() -> Iterator[np.ndarray]:
        for planes, core in parts():
            mask = growth_mask(planes, growth)
            inside = mask[core]
            for other in before:
                plane = view(other.source).seed(planes, other.source, mask)[core]
                sign = other.source.seed
                inside = inside & instances.beyond(plane, float(other.threshold), sign=sign)
            yield view(criterion.source).seed(planes, criterion.source, mask)[core][inside]

    return values
