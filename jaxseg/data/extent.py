"""How long objects are, and whether a patch holds them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jaxseg.data.label_index import LabelIndex
from jaxseg.data.samples import Sample

# Most objects should be seen whole wherever they lie in the central half of a patch.
MOST = 90
PATCHES = 2


def object_sides(index: LabelIndex) -> np.ndarray:
    """How many voxels an object takes along each axis, as far as its known voxels tell.

    Parameters
    ----------
    index : of a label image; large objects are known by a few voxels, so their sides come out
        somewhat too short, never too long

    Returns
    -------
    (K, ndim) int64, (z)yx

    Examples
    --------
    >>> import numpy as np
    >>> from jaxseg.data import index_labels
    >>> from jaxseg.volume import Volume
    >>> labels = np.zeros((5, 9), np.uint8)
    >>> labels[1:3, 2:8] = 4
    >>> object_sides(index_labels(Volume(labels, "yx", (1.0, 1.0)))).tolist()
    [[2, 6]]
    """
    if not len(index.ids):
        return np.zeros((0, index.points.shape[1]), np.int64)
    highest = np.maximum.reduceat(index.points, index.first[:-1])
    return highest - np.minimum.reduceat(index.points, index.first[:-1]) + 1


def short_patch(samples: Sequence[Sample], patch: Sequence[int]) -> str:
    """What to say of a patch that is short beside the objects; empty where it is not.

    Parameters
    ----------
    samples : to learn from, at least one
    patch : size, (z)yx

    Returns
    -------
    str
        One sentence, for the console.
    """
    sides = np.concatenate([object_sides(sample.index) for sample in samples])
    if not len(sides):
        return ""
    usual = np.percentile(sides, MOST, axis=0)
    # An axis that the patch holds whole cannot be longer.
    shape = np.max([sample.image.spatial_shape for sample in samples], axis=0)
    short = (PATCHES * usual > patch) & (shape > patch)
    if not short.any():
        return ""
    found, given = (" x ".join(f"{side:.0f}" for side in each) for each in (usual, patch))
    return (
        f"a tenth of the objects are longer than {found} voxels, more than half a patch of {given};"
        " a larger --patch shows them whole"
    )
