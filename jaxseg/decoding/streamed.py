"""Thresholds and the judgement of noise for a volume that is read part by part.

The results are those of the functions for arrays: nothing depends on how the volume is cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
from skimage.filters import threshold_otsu

from jaxseg.decoding.thresholds import MIN_CONTRAST, Moments, moments, noise_verdict

Parts = Callable[[], Iterable[np.ndarray]]

_NONE = Moments(0, 0.0, 0.0)
# scikit-image's number of bins.
_BINS = 256


def streamed_otsu(parts: Parts, *, unit: float = 1.0) -> float | None:
    """:func:`jaxseg.decoding.thresholds.otsu` of values that are read three times.

    Parameters
    ----------
    parts : gives the values anew at every call, in arrays of any shape
    unit : as for ``otsu``

    Returns
    -------
    float, or None where there are no two groups

    >>> streamed_otsu(lambda: iter([np.array([0.0, 1.0]), np.array([0.1, 0.9])])) is None
    False
    """
    size, low, high = 0, None, None
    for values in parts():
        if values.size:
            size += values.size
            low = values.min() if low is None else min(low, values.min())
            high = values.max() if high is None else max(high, values.max())
    if size < 2 or low is None or high is None or high - low < MIN_CONTRAST * unit:
        return None
    counts = np.zeros(_BINS, np.int64)
    for values in parts():
        found, edges = np.histogram(values, bins=_BINS, range=(low, high))
        counts += found
    threshold = float(threshold_otsu(hist=(counts, (edges[:-1] + edges[1:]) / 2)))
    above, below = _NONE, _NONE
    for values in parts():
        inside = values > threshold
        above, below = above.plus(moments(values[inside])), below.plus(moments(values[~inside]))
    return threshold if above.mean - below.mean >= MIN_CONTRAST * unit else None


@dataclass(frozen=True)
class NoiseTest:
    """What :func:`jaxseg.decoding.thresholds.is_noise` needs of a plane, part by part.

    Parameters
    ----------
    threshold, unit : as for ``is_noise``
    above, below : of the values above the threshold, and of the others
    steps, pairs : sum of the squared differences of face neighbours, and their number

    >>> test = NoiseTest(0.5)
    >>> for part in (np.zeros(8), np.ones(8)):
    ...     test = test.plus(part, (slice(None),))
    >>> test.is_noise()
    False
    """

    threshold: float
    unit: float = 1.0
    above: Moments = _NONE
    below: Moments = _NONE
    steps: float = 0.0
    pairs: int = 0

    def plus(self, plane: np.ndarray, core: tuple[slice, ...]) -> NoiseTest:
        """With one more part.

        Parameters
        ----------
        plane : (*S) float, the part with at least one voxel of context after it on every axis
            along which the volume goes on
        core : the part itself, slices with numbers or whole; the parts cover the volume once
        """
        inner = plane[core]
        high = inner > self.threshold
        steps, pairs = self.steps, self.pairs
        for axis, side in enumerate(core):
            longer = list(core)
            stop = None if side.stop is None else side.stop + 1
            longer[axis] = slice(side.start, stop)
            change = np.diff(plane[tuple(longer)], axis=axis)
            steps += float(np.square(change).sum(dtype=np.float64))
            pairs += change.size
        return replace(
            self,
            above=self.above.plus(moments(inner[high])),
            below=self.below.plus(moments(inner[~high])),
            steps=steps,
            pairs=pairs,
        )

    def is_noise(self) -> bool:
        """The judgement on all parts."""
        return noise_verdict(
            self.above, self.below, self.threshold, unit=self.unit, disorder=self._disorder
        )

    def _disorder(self) -> float:
        """Geary's C over face neighbours."""
        variance = self.above.plus(self.below).variance
        return self.steps / (2 * variance * self.pairs) if self.pairs and variance else 1.0
