"""How much a network needs to see around a voxel, measured on images."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from jaxseg.geometry import Context, round_up

# Largest difference to the whole image that tiles may have, as a part of the range of a plane.
TOLERANCE = 1e-3


def needed_context(
    forward: Callable[[Any], Any],
    windows: Iterable[np.ndarray],
    *,
    stride: tuple[int, ...],
    tolerance: float = TOLERANCE,
) -> Context:
    """How far from a cut through an image a network says the same as without the cut.

    The receptive radius is where a voxel can have an influence; most of it is too weak to matter.
    Each window is cut in two along each axis, and the first part is compared with the whole.

    Parameters
    ----------
    forward : tiles (1, *S, C) to planes (1, *S, K)
    windows : (*S, C) each, all of one shape, multiples of the stride
    stride : total downsampling of the network
    tolerance : largest difference, as a part of the range of a plane over all windows; of a plane
        in which hardly anything is seen, as a part of a tenth of the widest range

    Returns
    -------
    voxels along each axis, a multiple of the stride; None where they differ as far as can be seen

    >>> def three_neighbours(tiles):  # a network that sees three voxels to the right
    ...     return np.pad(tiles, ((0, 0), (0, 3), (0, 0)))[:, 3:]
    >>> needed_context(three_neighbours, [np.arange(32.0)[:, None]], stride=(2,))
    (4,)
    """
    differences: dict[int, np.ndarray] = {}
    low, high = np.inf, -np.inf
    for window in windows:
        whole = np.asarray(forward(window[None]))[0]
        planes = whole.reshape(-1, whole.shape[-1])
        low, high = np.minimum(low, planes.min(axis=0)), np.maximum(high, planes.max(axis=0))
        for axis, step in enumerate(stride):
            cut = window.shape[axis] // 2 // step * step
            if not cut:
                continue
            first = (slice(None),) * axis + (slice(cut),)
            part = np.asarray(forward(window[first][None]))[0]
            gap = np.moveaxis(np.abs(part - whole[first]), axis, 0)[::-1]
            worst = gap.reshape(cut, -1, gap.shape[-1]).max(axis=1)
            differences[axis] = np.maximum(differences.get(axis, 0), worst)
    span = high - low
    scale = np.maximum(span, np.max(span) / 10)
    return tuple(
        _needed(differences[axis], scale * tolerance, step) if axis in differences else None
        for axis, step in enumerate(stride)
    )


def _needed(differences: np.ndarray, allowed: np.ndarray, step: int) -> int | None:
    """The first multiple of the stride from which on no difference (D, K) is too large."""
    # Written so that what is not a number differs, too.
    bad = np.flatnonzero(~(differences <= allowed).all(axis=1))
    needed = int(bad[-1]) + 1 if len(bad) else 0
    return round_up(needed, step) if needed < len(differences) else None
