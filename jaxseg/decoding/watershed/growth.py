"""Where objects may grow, and where their seeds lie."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from scipy import ndimage

from jaxseg.config.channels import BoundaryDistance, Contour
from jaxseg.decoding.judging import FOREGROUND
from jaxseg.decoding.thresholds import beyond, is_noise, otsu
from jaxseg.decoding.watershed.enclosed import Mode, enclosed
from jaxseg.decoding.watershed.offset_map import offset_centre
from jaxseg.decoding.watershed.plan import Criterion
from jaxseg.decoding.watershed.seeds import untouched
from jaxseg.decoding.watershed.views import Source, near_edges, offsets, scalar_plane, view
from jaxseg.symmetry import Edges


def growth_mask(planes: np.ndarray, criteria: Sequence[Criterion]) -> np.ndarray:
    """Voxels that pass the thresholds of all criteria; none where the planes show noise.

    Parameters
    ----------
    planes : (*S, K) float
    criteria : at least one; an automatic threshold is looked for among the voxels that pass the
        others, and where those are of one kind, there are no objects

    Returns
    -------
    (*S) bool
    """
    inside = np.ones(planes.shape[:-1], bool)
    alone = len(criteria) == 1
    for criterion in fixed_first(criteria):
        source = criterion.source
        plane = view(source).growth(planes, source, None)
        threshold = _threshold(criterion, plane[inside])
        if threshold is None or (judged(criterion) and _noise(planes, source, threshold)):
            return np.zeros_like(inside)
        if alone and source.is_vector:
            inside = _with_centres(plane > threshold, planes, source)
        elif alone and source.encloses:
            inside = enclosed(plane >= threshold, mode=_contour_mode(source))
        else:
            inside = inside & beyond(plane, threshold, sign=inner_sign(source))
    if alone and criteria[0].by_rule and _rim_is_zero(criteria[0].source):
        return _with_rim(inside, criteria[0].source.spacing)
    return inside


def seed_mask(planes: np.ndarray, criteria: Sequence[Criterion], mask: np.ndarray) -> np.ndarray:
    """Voxels of the growth mask that pass the thresholds of all criteria.

    Parameters
    ----------
    planes : (*S, K) float
    criteria : an automatic threshold is looked for among the voxels that pass the others; where
        those are of one kind, the channel does not narrow them down
    mask : (*S) bool, the growth mask

    Returns
    -------
    (*S) bool
    """
    wide = passing(planes, criteria, mask, mask)
    deeper = [replace(c, threshold=c.deeper) for c in criteria if c.deeper is not None]
    if not deeper:
        return wide
    deep = passing(planes, deeper, wide, mask)
    return deep | untouched(wide, deep)


def passing(
    planes: np.ndarray, criteria: Sequence[Criterion], inside: np.ndarray, mask: np.ndarray
) -> np.ndarray:
    """Voxels of ``inside`` that pass the thresholds of all criteria; see :func:`seed_mask`."""
    for criterion in fixed_first(criteria):
        source = criterion.source
        plane = view(source).seed(planes, source, mask)
        threshold = _threshold(criterion, plane[inside])
        if threshold is not None:
            inside = inside & beyond(plane, threshold, sign=source.seed)
    return inside


def judged(criterion: Criterion) -> bool:
    """Whether it must be asked if the planes show more than noise."""
    return criterion.by_rule and not criterion.settled


def fixed_first(criteria: Sequence[Criterion]) -> list[Criterion]:
    """Criteria with a number before those that look for one among the voxels these leave."""
    return sorted(criteria, key=lambda criterion: criterion.threshold == "auto")


def _threshold(criterion: Criterion, candidates: np.ndarray) -> float | None:
    """The number, or for auto the one that separates the candidates, if any does."""
    if criterion.threshold == "auto":
        return otsu(candidates, unit=criterion.source.unit)
    return criterion.threshold


def inner_sign(source: Source) -> int:
    """The size of a vector is high inside, unlike its boundary map."""
    return 1 if source.is_vector else source.seed


def tells_objects(criteria: Sequence[Criterion]) -> bool:
    """Whether objects grow in one channel that says how sure each voxel is of an object."""
    return len(criteria) == 1 and criteria[0].source.names in FOREGROUND


def foreground_plane(planes: np.ndarray, criteria: Sequence[Criterion]) -> np.ndarray:
    """How sure each voxel is of an object.

    Parameters
    ----------
    planes : (*S, K) float
    criteria : of which :func:`tells_objects`

    Returns
    -------
    (*S) float, 1 inside and 0 outside

    >>> from jaxseg.config import ch
    >>> from jaxseg.decoding.watershed.plan import plan
    >>> background = np.array([[[0.0, 0.75], [0.0, 1.0]]])
    >>> foreground_plane(background, plan((ch("C"), ch("B")), ndim=2).growth).tolist()
    [[0.25, 0.0]]
    """
    source = criteria[0].source
    plane = planes[..., source.starts[0]]
    return plane if inner_sign(source) > 0 else 1 - plane


def background_level(source: Source) -> float:
    """What is added before noise is judged: a background mask that is 0 all over is one object."""
    return 1.0 if inner_sign(source) < 0 and source.is_mask else 0.0


def _noise(planes: np.ndarray, source: Source, threshold: float) -> bool:
    """Whether every column that the source is read from is noise."""
    sign, start = inner_sign(source), background_level(source)
    return all(
        is_noise(start + sign * plane, start + sign * threshold, unit=source.unit)
        for plane in raw_planes(planes, source)
    )


def raw_planes(planes: np.ndarray, source: Source) -> Iterator[np.ndarray]:
    """The columns, without the reduction that would make noise look smooth."""
    if source.is_vector:
        yield from (np.abs(offset) for offset in offsets(planes, source).values())
    elif isinstance(source.kind, Edges):
        yield from np.moveaxis(near_edges(planes, source)[0], -1, 0)
    else:
        yield scalar_plane(planes, source, None)


def _contour_mode(source: Source) -> Mode:
    """Which voxels a contour marks: those on both sides, where the options do not say."""
    return source.options.mode if isinstance(source.options, Contour) else "thick"


def _with_centres(far: np.ndarray, planes: np.ndarray, source: Source) -> np.ndarray:
    """Voxels far from a centre, and the centres between them."""
    both = far | offset_centre(offsets(planes, source))
    return both & ~untouched(both, far)


def _rim_is_zero(source: Source) -> bool:
    """Whether the outermost voxels of objects have the value of the background."""
    return isinstance(source.options, BoundaryDistance) and source.options.norm


def _with_rim(inside: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
    """One voxel more along the finest axes: voxels at a boundary across others are above zero."""
    fine = [axis for axis, size in enumerate(spacing) if size <= 1.5 * min(spacing)]
    lines = [np.ones([3 if a == axis else 1 for a in range(inside.ndim)], bool) for axis in fine]
    return np.logical_or.reduce([ndimage.binary_dilation(inside, line) for line in lines])
