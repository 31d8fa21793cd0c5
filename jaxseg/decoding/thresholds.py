"""Where a plane says "inside", and whether it says anything at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from skimage.filters import threshold_otsu

# In a plane that shows objects, the means above and below a threshold differ by at least this part
# of a unit.
MIN_CONTRAST = 0.1
# Two values this many standard deviations apart are two kinds of voxels, however they lie; a
# threshold through normal noise gives 2.6, through uniform noise 3.5.
CLEAR_SEPARATION = 4.0
# Above it neighbours resemble each other no more than any two voxels do; white noise has 1,
# objects of two voxels across 0.5.
MAX_DISORDER = 0.75


class Moments(NamedTuple):
    """What a group of values amounts to; all 0 for none."""

    size: int
    mean: float
    variance: float

    def plus(self, other: Moments) -> Moments:
        """Of both groups together (Chan, Golub and LeVeque 1979)."""
        size = self.size + other.size
        if not size:
            return self
        share, apart = other.size / size, other.mean - self.mean
        within = (1 - share) * self.variance + share * other.variance
        return Moments(size, self.mean + share * apart, within + share * (1 - share) * apart**2)


def beyond(plane: np.ndarray, threshold: float, *, sign: int = 1) -> np.ndarray:
    """Voxels on the inner side of a threshold given in the plane's own units.

    Parameters
    ----------
    plane : (*S) float
    threshold : the limit itself is outside
    sign : 1: objects are above; -1: objects are below

    Returns
    -------
    (*S) bool

    >>> beyond(np.array([0.2, 0.5, 0.8]), 0.5).tolist()
    [False, False, True]
    >>> beyond(np.array([0.2, 0.5, 0.8]), 0.5, sign=-1).tolist()
    [True, False, False]
    """
    return plane > threshold if sign > 0 else plane < threshold


def otsu(values: np.ndarray, *, unit: float = 1.0) -> float | None:
    """The threshold that best separates two groups of values (Otsu 1979).

    Parameters
    ----------
    values : any shape; give only candidate voxels, the rest of an image would move the threshold
    unit : see :func:`is_noise`; the means of the two groups differ by at least a tenth of it

    Returns
    -------
    float, or None where there are no two groups: too few values, or too little contrast

    >>> otsu(np.array([0.0, 0.1, 0.9, 1.0])) is None, otsu(np.array([0.5, 0.51])) is None
    (False, True)
    """
    if values.size < 2 or np.ptp(values) < MIN_CONTRAST * unit:
        return None
    threshold = float(threshold_otsu(values))
    high = values > threshold
    difference = moments(values[high]).mean - moments(values[~high]).mean
    return threshold if difference >= MIN_CONTRAST * unit else None


def is_noise(plane: np.ndarray, threshold: float, *, unit: float = 1.0) -> bool:
    """Whether what lies above and below a threshold is no more than noise around it.

    It is when the two groups hardly differ in value, their means by less than a tenth of a unit. It
    is, too, when they overlap and neighbouring voxels have nothing to do with each other: half the
    mean squared difference of neighbours over the variance (Geary 1954) is near 1, as in white
    noise. A plane that lies above as a whole must do so clearly: by a tenth of a unit above the
    threshold and above half a unit.

    Parameters
    ----------
    plane : (*S) float
    threshold : in the units of the plane
    unit : a typical difference between inside and outside: 1 for probabilities and normalised
        distances, a voxel for lengths

    Returns
    -------
    bool; True for an empty plane

    >>> rng = np.random.default_rng(0)
    >>> is_noise(rng.normal(0.5, 0.002, (32, 32)), 0.5), is_noise(rng.random((32, 32)), 0.5)
    (True, True)
    >>> is_noise(np.kron(np.eye(4), np.ones((4, 4))), 0.5)
    False
    """
    high = plane > threshold
    groups = moments(plane[high]), moments(plane[~high])
    return noise_verdict(*groups, threshold, unit=unit, disorder=lambda: _disorder(plane))


def noise_verdict(
    above: Moments,
    below: Moments,
    threshold: float,
    *,
    unit: float,
    disorder: Callable[[], float],
) -> bool:
    """The judgement of :func:`is_noise`, from what a plane amounts to.

    Parameters
    ----------
    above, below : of the values above a threshold, and of the others
    threshold, unit : as for :func:`is_noise`
    disorder : gives Geary's C of the plane, asked only where it matters

    Returns
    -------
    bool
    """
    contrast = MIN_CONTRAST * unit
    size = above.size + below.size
    if above.size == 0:
        return not size or below.mean > threshold - contrast
    if below.size == 0:
        return above.mean < max(threshold, unit / 2) + contrast
    if above.mean - below.mean < contrast:
        return True
    share = above.size / size
    within = np.sqrt(share * above.variance + (1 - share) * below.variance)
    if above.mean - below.mean >= CLEAR_SEPARATION * within:
        return False
    return disorder() > MAX_DISORDER


def moments(values: np.ndarray) -> Moments:
    """Count, mean and variance of some values, of any shape."""
    if not values.size:
        return Moments(0, 0.0, 0.0)
    mean, variance = values.mean(dtype=np.float64), values.var(dtype=np.float64)
    return Moments(values.size, float(mean), float(variance))


def _disorder(plane: np.ndarray) -> float:
    """Geary's C over face neighbours."""
    total, pairs = 0.0, 0
    for axis in range(plane.ndim):
        steps = np.diff(plane, axis=axis)
        total += float(np.square(steps).sum(dtype=np.float64))
        pairs += steps.size
    variance = float(plane.var(dtype=np.float64))
    return total / (2 * variance * pairs) if pairs and variance else 1.0
