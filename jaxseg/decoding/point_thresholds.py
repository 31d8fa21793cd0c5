"""Automatic thresholds of points: of a whole volume, which is read part by part."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from jaxseg.config.detection import Threshold, each
from jaxseg.decoding.streamed import NoiseTest, streamed_otsu

# What is searched for peaks in a part with its context, the class of every voxel of it where there
# are classes, and which of these voxels are the part itself.
Part = tuple[np.ndarray, np.ndarray | None, tuple[slice, ...]]
Parts = Callable[[], Iterable[Part]]


def fit_point_thresholds(
    parts: Parts, threshold: Threshold | Sequence[Threshold], number: int = 1
) -> tuple[float, ...]:
    """The threshold of every class as a number.

    Parameters
    ----------
    parts : reads the volume anew at every call: a part with a context of at least one voxel; the
        parts cover the volume once
    threshold : a number, or "auto": the threshold of Otsu (1979) over the voxels that are most
        probably of that class, over all where there are no classes; one, or one per class
    number : of classes

    Returns
    -------
    tuple of float; infinite where a plane shows nothing but noise, so that nothing is found

    Examples
    --------
    >>> plane = np.zeros((9, 9)); plane[3:6, 3:6] = 0.8
    >>> (level,) = fit_point_thresholds(
    ...     lambda: [(plane, None, (slice(0, 9), slice(0, 9)))], "auto"
    ... )
    >>> 0 <= level < 0.8
    True
    """
    given = threshold if isinstance(threshold, (int, float, str)) else tuple(threshold)
    return tuple(
        _auto(parts, place) if one == "auto" else float(one)
        for place, one in enumerate(each(given, number), start=1)
    )


def _auto(parts: Parts, number: int) -> float:
    def values() -> Iterator[np.ndarray]:
        for plane, classes, core in parts():
            inner = plane[core]
            chosen = np.isfinite(inner)
            yield inner[chosen if classes is None else chosen & (classes[core] == number)]

    threshold = streamed_otsu(values)
    if threshold is None:
        return np.inf
    test = NoiseTest(threshold)
    for plane, _, core in parts():
        test = test.plus(np.nan_to_num(plane, neginf=0.0), core)
    return np.inf if test.is_noise() else threshold
