"""Objects that the planes are sure of, told by the mean of the foreground in them.

What a network takes for an object without being sure, such as debris, lies little above the
threshold of the mask everywhere; true objects do only at their rim.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from jaxseg.labels.objects import compact

# Values are counted in so many steps: sums of parts are those of the whole, to the last bit.
STEPS = 200


def drop_unsure(
    labels: np.ndarray, parts: Iterable[tuple[tuple[slice, ...], np.ndarray]], least: float
) -> np.ndarray:
    """Remove objects with a low mean of a plane, and renumber the rest 1..N.

    Parameters
    ----------
    labels : (*S) non-negative integers
    parts : where they lie and what the plane is there, from 0 to 1; they cover the image once
    least : objects of exactly this mean stay

    Returns
    -------
    (*S) uint16 or uint32, see :func:`jaxseg.labels.objects.compact`

    >>> plane = np.array([[0.6, 0.8, 0.9, 0.5]])
    >>> drop_unsure(np.array([[1, 1, 2, 3]]), [((slice(None),), plane)], 0.7)
    array([[1, 1, 2, 0]], dtype=uint16)
    """
    sums = np.zeros(int(labels.max(initial=0)) + 1)
    for place, plane in parts:
        steps = np.rint(np.clip(np.asarray(plane, np.float32), 0, 1) * STEPS)
        sums += np.bincount(labels[place].ravel(), steps.ravel(), len(sums))
    voxels = np.bincount(labels.ravel(), minlength=len(sums))
    return compact(labels, (voxels > 0) & (sums >= np.float64(least) * STEPS * voxels))
