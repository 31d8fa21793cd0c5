"""Boxes of one training patch pasted into another (CutMix, Yun et al. 2019).

It is done while patches are read, not on the device: a sample must not depend on which others
share its batch, so the other patch is drawn for it alone, and only its box is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import fastremap
import numpy as np

from jaxseg.config.augmentations import CutMix


class Mix(NamedTuple):
    """A box that comes from elsewhere."""

    sample: int
    """Where from."""
    start: tuple[int, ...]
    """Corner of the other patch in it, (z)yx."""
    low: tuple[int, ...]
    """Corner of the box in both patches."""
    size: tuple[int, ...]
    """Voxels of the box along each axis."""

    @property
    def slices(self) -> tuple[slice, ...]:
        """The box in a patch."""
        return tuple(slice(a, a + n) for a, n in zip(self.low, self.size, strict=True))


def random_box(
    rng: np.random.Generator, patch: Sequence[int], options: CutMix
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Corner and size of a random box in a patch, at least one voxel.

    Parameters
    ----------
    rng : numpy.random.Generator
        Where the numbers come from.
    patch : sequence of int
        Size of a patch, (z)yx.
    options : CutMix
        Range of the sides.

    Returns
    -------
    low, size : tuple of int

    Examples
    --------
    >>> random_box(np.random.default_rng(0), (8, 8), CutMix(side=(0.5, 0.5)))
    ((1, 0), (4, 4))
    """
    shares = rng.uniform(*options.side, len(patch))
    size = np.maximum(np.rint(shares * patch), 1).astype(int)
    low = rng.integers(0, np.asarray(patch) - size + 1)
    return tuple(low.tolist()), tuple(size.tolist())


def pasted_ids(labels: np.ndarray, box: np.ndarray, slices: tuple[slice, ...]) -> np.ndarray:
    """Objects of a patch with those of a box from elsewhere, which keep apart.

    Parameters
    ----------
    labels : numpy.ndarray
        (*S) int32 ids 1..k, -1 where unknown.
    box : numpy.ndarray
        Ids of the box, numbered on their own.
    slices : tuple of slice
        Where the box lies in the patch.

    Returns
    -------
    numpy.ndarray
        (*S) int32, ids 1..k in order of their first voxel, -1 where unknown.

    Examples
    --------
    >>> pasted_ids(np.array([[1, 1, 2]], np.int32), np.array([[1]]), np.s_[:, 1:2]).tolist()
    [[1, 2, 3]]
    """
    mixed = labels.copy()
    mixed[slices] = np.where(box > 0, box + max(labels.max(initial=0), 0), box)
    unknown = mixed < 0
    found, _ = fastremap.renumber(np.where(unknown, 0, mixed), preserve_zero=True)
    return np.where(unknown, np.int32(-1), found.astype(np.int32))
