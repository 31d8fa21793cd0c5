"""Connected voxels become seeds, one per object."""

from __future__ import annotations

import numpy as np

from jaxseg.labels.contacts import face_connected
from jaxseg.labels.objects import compact


def label_seeds(
    mask: np.ndarray, *, min_seed: int = 1, within: np.ndarray | None = None
) -> np.ndarray:
    """Number the connected parts of a mask; neighbours share a face (4 in 2D, 6 in 3D).

    Parameters
    ----------
    mask : (*S) bool
    min_seed : parts of fewer voxels are dropped
    within : (*S) bool, where seeds will grow; each connected part of it keeps its largest seed,
        however small, so that fragments go and small objects stay. None = drop all that are small

    Returns
    -------
    (*S) int32, 0 and 1..N

    >>> mask, within = np.array([[1, 0, 1, 1, 0, 1]], bool), np.array([[1, 1, 1, 1, 0, 1]], bool)
    >>> label_seeds(mask, min_seed=2).tolist()
    [[0, 0, 1, 1, 0, 0]]
    >>> label_seeds(mask, min_seed=2, within=within).tolist()
    [[0, 0, 1, 1, 0, 2]]
    """
    parts, _ = face_connected(mask)
    sizes = np.bincount(parts.ravel(), minlength=1)
    keep = sizes >= max(min_seed, 1)
    if within is not None and not keep.all():
        keep[_largest_within(parts, sizes, within)] = True
    return compact(parts, keep).astype(np.int32, copy=False)


def _largest_within(parts: np.ndarray, sizes: np.ndarray, within: np.ndarray) -> np.ndarray:
    """The largest seed of every connected part of a mask, of equal ones the first."""
    regions, _ = face_connected(within)
    region = np.zeros(len(sizes), np.int64)
    region[parts[parts > 0]] = regions[parts > 0]
    order = np.argsort(-sizes[1:], kind="stable") + 1
    places, first = np.unique(region[order], return_index=True)
    return order[first[places > 0]]


def untouched(wide: np.ndarray, deep: np.ndarray) -> np.ndarray:
    """Connected parts of one mask that hold no voxel of another.

    Parameters
    ----------
    wide : (*S) bool
    deep : (*S) bool, inside ``wide``

    Returns
    -------
    (*S) bool

    >>> wide, deep = np.array([[1, 1, 0, 1]], bool), np.array([[0, 1, 0, 0]], bool)
    >>> untouched(wide, deep).tolist()
    [[False, False, False, True]]
    """
    parts, count = face_connected(wide)
    empty = np.ones(count + 1, bool)
    empty[parts[deep]] = False
    empty[0] = False
    return empty[parts]
