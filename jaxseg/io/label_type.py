"""The integer type that label ids are stored in."""

from __future__ import annotations

from typing import Any

import numpy as np

from jaxseg.volume import Readable, chunks_of

SLAB_VOXELS = 2**22
# Of very large planes not all of a chunk is held: it is read again for every slab.
LARGEST_SLAB = 2**23


def smallest_label_type(largest: int) -> np.dtype:
    """The smallest of uint16, uint32 and uint64 that holds an id.

    >>> smallest_label_type(65535), smallest_label_type(65536)
    (dtype('uint16'), dtype('uint32'))
    """
    kinds = (np.uint16, np.uint32, np.uint64)
    return np.dtype(next(kind for kind in kinds if largest <= np.iinfo(kind).max))


def largest_label(labels: Readable) -> int:
    """The largest id, 0 without any; labels may be an array, a Zarr array or a volume.

    Raises
    ------
    ValueError : labels that are not integers, or negative
    """
    if np.dtype(labels.dtype).kind not in "uib":
        raise ValueError(f"labels must be integers, not {labels.dtype}")
    largest = 0
    for slab in slabs(labels):
        if slab.size and slab.min() < 0:
            raise ValueError(f"labels must not be negative: {slab.min()}")
        largest = max(largest, int(slab.max(initial=0)))
    return largest


def slabs(array: Readable) -> Any:
    """Blocks across the first axis that together are the array, in whole chunks where they fit."""
    plane = int(np.prod(array.shape[1:]))
    chunk = chunks_of(array)[0]
    depth = max(SLAB_VOXELS // max(plane, 1) // chunk, 1) * chunk
    depth = max(min(depth, LARGEST_SLAB // max(plane, 1)), 1)
    for start in range(0, array.shape[0], depth):
        yield np.asarray(array[start : start + depth])
