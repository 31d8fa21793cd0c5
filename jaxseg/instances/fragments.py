"""A mask cut into roundish fragments at its narrow places."""

from __future__ import annotations

from collections.abc import Sequence

import edt
import numpy as np
from scipy import ndimage

from jaxseg.instances.flood import flood
from jaxseg.instances.seeds import label_seeds, untouched

# A fragment's seed is the deepest place within so many voxels to each side.
WINDOW = 2


def split_by_depth(
    inside: np.ndarray,
    mask: np.ndarray,
    surface: np.ndarray,
    *,
    spacing: Sequence[float] | None = None,
) -> np.ndarray:
    """Cut a mask where it is narrow, however strong its connection there.

    Seeds are the local maxima of the distance to the outside, and the mask is flooded from them. A
    gap of a few voxels in a boundary so stays a place where two fragments touch, and whether they
    belong together can be asked of the whole contact.

    Parameters
    ----------
    inside : (*S) bool, voxels that are not at a boundary
    mask : (*S) bool, voxels that become part of a fragment
    surface : (*S) float, flooded low places first; high at boundaries, so that fragments end there
    spacing : size of a voxel, (z)yx, µm; None = 1

    Returns
    -------
    (*S) int32, 0 and 1..N; parts of the mask without an inside voxel are fragments, too

    >>> inside = np.array([[1, 1, 1, 1, 0, 1, 1, 1, 1]], bool)
    >>> split_by_depth(inside, np.ones_like(inside), 1.0 - inside).tolist()
    [[1, 1, 1, 1, 1, 2, 2, 2, 2]]
    """
    sizes = tuple(spacing) if spacing is not None else (1.0,) * inside.ndim
    inside = inside & mask
    depth = edt.edt(inside.astype(np.uint8), anisotropy=sizes, black_border=False, parallel=0)
    highest = ndimage.maximum_filter(depth, size=2 * WINDOW + 1, mode="nearest")
    seeds = _numbered(inside & (depth == highest), mask)
    return flood(surface, seeds, mask)


def _numbered(peaks: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Numbered peaks, and after them the parts of the mask that hold none."""
    seeds, alone = label_seeds(peaks), label_seeds(untouched(mask, peaks))
    return np.where(alone > 0, alone + seeds.max(initial=0), seeds)
