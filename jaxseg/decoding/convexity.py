"""Objects made convex: touching ones that are pieces of one are joined, and clumps are parted.

What a network does not see, shape often tells: nuclei that overlap form a clump with a waist, and
the pieces of a nucleus fill its hull together. Both are judged by solidity, the part of its convex
hull that an object fills. Parting a clump at its waists is the watershed of its distances to the
outside (Vincent & Soille 1991), here only where the parts are more convex than the clump.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import edt
import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull

from jaxseg.config.decoders import Convex
from jaxseg.decoding.watershed.dynamics import peaks, smoothed
from jaxseg.decoding.watershed.flood import flood
from jaxseg.labels.numbering import numbered
from jaxseg.labels.repair import faces_of

# Two objects are joined if they fill so much of their common hull, by dimension: voxels are boxes,
# so that a small ball fills 0.75 of its hull. Chosen by cross-validation with ten networks for
# nuclei, as all of these.
JOINED = {2: 0.85, 3: 0.7}
# An object is parted if its parts are more solid by so much.
GAIN = 0.02
# Depth of a waist, as a part of the largest distance to the outside, which is smoothed by a
# Gaussian of so many times itself.
WAIST, SMOOTH = 0.1, 0.3
# No part is smaller than this part of the object, and no object of fewer voxels is parted.
SMALLEST, LEAST = 0.1, 40


def more_convex(
    labels: np.ndarray, how: Convex = "both", *, spacing: Sequence[float] | None = None
) -> np.ndarray:
    """Objects joined with neighbours, parted, or both, where that makes them more convex.

    Of all pairs that share a face, those gain that fill at least ``JOINED`` of their common hull
    and no less than they fill of their own hulls, in the mean over their voxels. The pair that
    gains most is joined first. Then each object is parted at its waists if the parts fill more of
    their hulls than the object.

    Parameters
    ----------
    labels : (*S) non-negative integers, 2D or 3D, any ids
    how : join, part or both; none = nothing but new numbers
    spacing : size of a voxel, (z)yx, µm; None = 1

    Returns
    -------
    (*S) uint32, 0 and 1..N in the order of the objects' first voxels; the same voxels as before
    have an object

    >>> clump = np.zeros((9, 16), int)
    >>> clump[1:8, 1:8] = clump[1:8, 8:15] = clump[4, 7:9] = 5
    >>> clump[1:4, 7:9] = clump[5:8, 7:9] = 0
    >>> int(more_convex(clump).max()), int(more_convex(clump, "join").max())
    (2, 1)
    """
    found = numbered(labels).numbers
    if how in ("join", "both"):
        found = numbered(_joined(found)).numbers
    if how in ("part", "both"):
        found = numbered(_parted(found, tuple(spacing or (1.0,) * labels.ndim))).numbers
    return found


def solidity(mask: np.ndarray) -> float:
    """How much of its convex hull an object fills, its voxels being boxes.

    Parameters
    ----------
    mask : (*S) bool, 2D or 3D, with at least one voxel

    Returns
    -------
    float
        Above 0, and 1 for a box.

    >>> solidity(np.array([[1, 1], [1, 0]], bool)).__round__(3)
    0.857
    """
    lines = mask.any(axis=-1)
    first = mask.argmax(axis=-1)[lines]
    last = mask.shape[-1] - mask[..., ::-1].argmax(axis=-1)[lines]
    at = np.argwhere(lines)
    ends = np.concatenate([np.column_stack([at, first]), np.column_stack([at, last])])
    sides = [(*corner, 0) for corner in itertools.product((0, 1), repeat=mask.ndim - 1)]
    corners = (ends[:, None] + np.array(sides)).reshape(-1, mask.ndim)
    return float(np.count_nonzero(mask) / ConvexHull(corners).volume)


def _joined(labels: np.ndarray) -> np.ndarray:
    """Objects 1..N of which some are joined, with the number of one of them."""
    while pairs := _gaining(labels):
        table = np.arange(int(labels.max()) + 1, dtype=labels.dtype)
        for one, other in pairs:
            table[other] = one
        labels = table[labels]
    return labels


def _gaining(labels: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of objects to join, none of them in two pairs: those that gain most, first."""
    boxes = ndimage.find_objects(labels.astype(np.int32))
    alone: dict[int, tuple[float, int]] = {}
    gains: list[tuple[float, tuple[int, int]]] = []
    for pair in _touching(labels):
        box = _around(*(boxes[one - 1] for one in pair))
        masks = [labels[box] == one for one in pair]
        for one, mask in zip(pair, masks, strict=True):
            if one not in alone:
                alone[one] = solidity(mask), int(np.count_nonzero(mask))
        (first, size), (second, other) = (alone[one] for one in pair)
        apart = (first * size + second * other) / (size + other)
        together = solidity(masks[0] | masks[1])
        if together >= max(JOINED[labels.ndim], apart):
            gains.append((together - apart, pair))
    found: list[tuple[int, int]] = []
    taken: set[int] = set()
    for _, pair in sorted(gains, key=lambda one: (-one[0], one[1])):
        if taken.isdisjoint(pair):
            found.append(pair)
            taken.update(pair)
    return found


def _touching(labels: np.ndarray) -> set[tuple[int, int]]:
    """The pairs of objects that share a face, the smaller number first."""
    found: set[tuple[int, int]] = set()
    for own, other in faces_of(labels):
        meets = (own > 0) & (own < other)
        ends = np.unique(np.stack([own[meets], other[meets]], axis=1), axis=0)
        found |= {(one, two) for one, two in ends.tolist()}
    return found


def _around(*boxes: tuple[slice, ...]) -> tuple[slice, ...]:
    """The smallest box that holds several."""
    return tuple(
        slice(min(side.start for side in sides), max(side.stop for side in sides))
        for sides in zip(*boxes, strict=True)
    )


def _parted(labels: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """Objects 1..N of which some are parted; their further parts have larger numbers."""
    labels, total = labels.copy(), int(labels.max(initial=0))
    for number, box in enumerate(ndimage.find_objects(labels.astype(np.int32)), start=1):
        parts = parts_of(labels[box] == number, spacing=spacing)
        count = int(parts.max(initial=0))
        if count > 1:
            further = parts > 1
            labels[box][further] = parts[further] + (total - 1)
            total += count - 1
    return labels


def parts_of(mask: np.ndarray, *, spacing: Sequence[float]) -> np.ndarray:
    """The parts of one object, divided at its waists, if they are more convex than all of it.

    Parameters
    ----------
    mask : (*S) bool
    spacing : size of a voxel, (z)yx

    Returns
    -------
    (*S) int32, 1..N within the mask; N = 1 where it is to stay as it is
    """
    whole, voxels = mask.astype(np.int32), np.count_nonzero(mask)
    if voxels < LEAST:
        return whole
    padded = np.pad(mask, 1)
    depth = edt.edt(padded, anisotropy=tuple(spacing), parallel=1)
    depth = smoothed(depth, SMOOTH * depth.max() / min(spacing), spacing=spacing) * padded
    if _single(depth, padded):
        return whole
    seeds = peaks(depth, padded, least=WAIST * float(depth.max()))
    if seeds.max() < 2:
        return whole
    parts = flood(-depth, seeds, padded, workers=1)[(slice(1, -1),) * mask.ndim]
    sizes = np.bincount(parts[mask])[1:]
    if sizes.min() < SMALLEST * voxels:
        return whole
    found = [solidity(parts == one) for one in range(1, len(sizes) + 1)]
    return parts if np.average(found, weights=sizes) >= solidity(mask) + GAIN else whole


def _single(height: np.ndarray, mask: np.ndarray) -> bool:
    """Whether a map has one peak only, which is told faster than its peaks are found."""
    highest = ndimage.maximum_filter(height, size=3, mode="constant")
    return np.count_nonzero((height == highest) & mask) == 1
