"""A map that is high inside objects and low between them, and the seeds that are its peaks.

Thresholds ask every channel alone, and one answer for all objects. A valley between two nuclei that
stays above a threshold is a valley still: here channels add up, and what counts is how far one must
go down from a peak to reach a higher one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from jaxseg.decoding.watershed.dynamics import peaks, smoothed
from jaxseg.decoding.watershed.growth import passing
from jaxseg.decoding.watershed.plan import Plan
from jaxseg.decoding.watershed.views import Source, view
from jaxseg.labels.contacts import face_connected


def relief(planes: np.ndarray, parting: Sequence[Source], mask: np.ndarray) -> np.ndarray:
    """The sum of the channels that part objects, each high inside, over the root of their number.

    The noise of the sum is then that of one channel, and so is the height of a peak that counts.

    Parameters
    ----------
    planes : (*S, K) float
    parting : at least one source with a weight, see :attr:`Source.relief`
    mask : (*S) bool, where objects are

    Returns
    -------
    (*S) float32, in units of a normalised channel; finite
    """
    total = np.zeros(mask.shape, np.float32)
    for source in parting:
        plane = view(source).seed(planes, source, mask)
        total += np.float32(source.seed * source.relief) * plane
    return np.nan_to_num(total / np.float32(math.sqrt(len(parting))))


def peak_seeds(
    planes: np.ndarray,
    chosen: Plan,
    mask: np.ndarray,
    *,
    height: float,
    sigma: float,
    min_seed: int,
    spacing: Sequence[float],
) -> np.ndarray:
    """One seed per peak of the smoothed map; see :func:`jaxseg.decoding.watershed.dynamics.peaks`.

    A peak beside a higher one counts if a voxel of it passes the thresholds of the channels that
    tell depth, so that a corner of a large object is no object. Where the mask comes from a channel
    that says more than yes or no, parts of it without a voxel that passes the threshold for seeds
    are no objects.

    Parameters
    ----------
    planes : (*S, K) float
    chosen : with ``parting`` sources
    mask : (*S) bool, where objects may grow
    height : least dynamics of a peak, in units of a normalised channel
    sigma : smoothing of the map, in the finest voxels
    min_seed : a peak beside a higher one has at least so many voxels
    spacing : size of a voxel, (z)yx, µm

    Returns
    -------
    (*S) int32, 0 and 1..N
    """
    bounding = {one.source for one in chosen.growth if not one.source.is_mask}
    both = [criterion for criterion in chosen.seeds if criterion.source in bounding]
    if both:
        parts, count = face_connected(mask)
        shown = np.zeros(count + 1, bool)
        shown[parts[passing(planes, both, mask, mask)]] = True
        shown[0] = False
        mask = shown[parts]
    deep = [criterion for criterion in chosen.seeds if criterion.source.tells_depth]
    return peaks(
        smoothed(relief(planes, chosen.parting, mask), sigma, spacing=spacing),
        mask,
        least=height,
        min_seed=min_seed,
        sure=passing(planes, deep, mask, mask) if deep else None,
    )
