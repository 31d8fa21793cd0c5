"""What the labels of a data set say about the sizes that targets need."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import edt
import fastremap
import numpy as np

from jaxseg.data.samples import Sample
from jaxseg.volume import Volume

# Larger images are measured in slabs of this many voxels.
WHOLE_VOXELS = 2**27


class LabelStatistics(NamedTuple):
    """Bounds for computing targets in arrays of fixed size."""

    objects: int
    """The largest number of objects of an image."""
    reach: tuple[int, ...]
    """Voxels along each axis within which every object voxel meets another label."""


def label_statistics(samples: Sequence[Sample], *, ignore: int = -1) -> LabelStatistics:
    """Bounds over all label images, from exact distances.

    Within whole images no voxel of an object is farther from another label than ``reach``. A patch
    can cut away the nearest boundary, so that the distance within the patch is larger; a distance
    transform with this window then gives its largest value, which is closer to that of the whole
    image. Images of more than 2**27 voxels are measured in slabs, where distances can only come
    out larger.

    Parameters
    ----------
    samples : those with labels count
    ignore : a label value that is background here; -1 = none

    Returns
    -------
    LabelStatistics; 0 objects and a reach of 1 where there is none; of synaptic sites, which are
    several planes, no more is known than that no voxel has two ids
    """
    ndim = samples[0].image.ndim_spatial
    labels = [sample.labels for sample in samples if sample.labels]
    found = [
        LabelStatistics(2 * one.voxels, (1,) * ndim) if one.axes.endswith("c")
        else _measure(one, ignore)
        for one in labels
    ]  # fmt: skip
    found.append(LabelStatistics(0, (1,) * ndim))
    reach = tuple(map(max, zip(*(item.reach for item in found), strict=True)))
    return LabelStatistics(max(item.objects for item in found), reach)


def _measure(labels: Volume, ignore: int) -> LabelStatistics:
    """Bounds for one label image."""
    farthest, ids = 0.0, np.zeros(1, np.uint64)
    for start, stop in labels.slabs(WHOLE_VOXELS):
        block = np.ascontiguousarray(labels.read(start, stop))
        if ignore != -1:
            block = np.where(block == ignore, block.dtype.type(0), block)
        distance = edt.edt(block, anisotropy=labels.spacing, black_border=False)
        farthest = max(farthest, float(distance.max(initial=0)))
        ids = np.union1d(ids, fastremap.unique(block).astype(np.uint64))
    # Infinite where one label fills everything.
    reach = tuple(
        min(math.ceil(farthest / size) + 1, length) if math.isfinite(farthest) else length
        for size, length in zip(labels.spacing, labels.spatial_shape, strict=True)
    )
    return LabelStatistics(len(ids) - 1, reach)
