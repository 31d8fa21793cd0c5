"""Fragments out of affinities, and objects out of fragments.

The watershed on affinities asks single voxels, so one weak place of a boundary joins two objects.
Here the planes are first cut into more pieces than there are objects, at every narrow place, and
pieces are joined where the whole contact between them says so (Funke et al. 2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxseg.config import Agglomeration, Channel
from jaxseg.config.option import checked
from jaxseg.decoding.affinities.affinity_map import nearest_offsets, tightest_edge
from jaxseg.decoding.affinities.fragments import Ascents, ascent_reach, ascents, fragments_of
from jaxseg.decoding.affinities.joining import agglomerate
from jaxseg.decoding.mask import check_columns, cleaned, object_mask
from jaxseg.decoding.watershed.decode import Steps
from jaxseg.decoding.watershed.growth import growth_mask
from jaxseg.decoding.watershed.plan import Criterion
from jaxseg.decoding.watershed.views import Source, near_edges, sources
from jaxseg.errors import ConfigError, ResourceError
from jaxseg.symmetry import Edges

# Voxel pairs of a contact that is not just a few voxels of noise, by dimension.
MIN_CONTACT = {2: 2, 3: 5}


def agglomeration(
    planes: np.ndarray,
    channels: Sequence[Channel],
    *,
    spacing: Sequence[float] | None = None,
    options: Agglomeration | None = None,
) -> np.ndarray:
    """Objects from affinities by joining fragments.

    See :func:`jaxseg.decoding.affinities.joining.agglomerate`.

    Parameters
    ----------
    planes : (*S, K) float, values of the channels, not logits
    channels : in the order of the columns, A among them; only offsets to direct neighbours count
    spacing : size of a voxel, (z)yx, µm; None = 1
    options : thresholds and scores

    Returns
    -------
    (*S) uint16, or uint32 for more than 65,535 objects; 0 = background, ids 1..N

    Raises
    ------
    ConfigError : planes that are not those of the channels, or no channel A
    ResourceError : the engine waterz is wanted and not installed

    >>> from jaxseg.config import ch
    >>> edges = np.array([[[0, 0], [0, 1], [0, 1], [0, 0], [0, 1], [0, 1]]], float)[..., 1:]
    >>> channels = (ch("A", offsets=((0, 1),)),)
    >>> agglomeration(edges, channels, options=Agglomeration(threshold=(0.5,))).tolist()
    [[1, 1, 1, 2, 2, 2]]
    """
    return agglomeration_steps(planes, channels, spacing=spacing, options=options).labels


def agglomeration_steps(
    planes: np.ndarray,
    channels: Sequence[Channel],
    *,
    spacing: Sequence[float] | None = None,
    options: Agglomeration | None = None,
) -> Steps:
    """The agglomeration with its steps: seeds are the fragments, the surface their weakest edges.

    Parameters and errors as for :func:`agglomeration`.

    Returns
    -------
    Steps
    """
    options = checked(options, Agglomeration)
    check_columns(planes, channels)
    mask = object_mask(planes, channels, spacing=spacing, threshold=options.threshold)
    edges, offsets = affinity_edges(planes, channels, spacing=spacing)
    weakest = tightest_edge(edges, offsets)
    fragments = fragments_of(_ascents(weakest, mask, edges, offsets, spacing, options))
    join = joined_by_waterz if options.engine == "waterz" else joined
    labels = join(fragments, edges, offsets, options)
    labels = cleaned(labels, fill_holes=options.fill_holes, min_size=options.min_size)
    return Steps(labels, fragments, -weakest, mask)


def affinity_edges(
    planes: np.ndarray, channels: Sequence[Channel], *, spacing: Sequence[float] | None
) -> tuple[np.ndarray, list[Sequence[int]]]:
    """The columns of affinities to direct neighbours, and the offsets of these."""
    return near_edges(planes, affinity_source(channels, planes.ndim - 1, spacing))


def fragment_ascents(
    planes: np.ndarray,
    channels: Sequence[Channel],
    *,
    criteria: Sequence[Criterion] | None,
    spacing: Sequence[float] | None = None,
    options: Agglomeration | None = None,
) -> Ascents:
    """What makes fragments, of a part of a volume; away from its sides as in the whole.

    Parameters
    ----------
    planes, channels, spacing, options : as for :func:`agglomeration`
    criteria : of the mask, settled for the whole volume; None = that shows no objects

    Returns
    -------
    Ascents; right :func:`fragment_reach` away from the sides of a part and at those of the volume
    """
    edges, offsets = affinity_edges(planes, channels, spacing=spacing)
    weakest = tightest_edge(edges, offsets)
    mask = np.zeros(weakest.shape, bool) if criteria is None else growth_mask(planes, criteria)
    return _ascents(weakest, mask, edges, offsets, spacing, checked(options, Agglomeration))


def _ascents(
    weakest: np.ndarray,
    mask: np.ndarray,
    edges: np.ndarray,
    offsets: Sequence[Sequence[int]],
    spacing: Sequence[float] | None,
    options: Agglomeration,
) -> Ascents:
    """An edge as far below 1 as ``inside`` is above 0 is a boundary, as sure as that is none."""
    inside, floor = weakest > options.inside, 1 - options.inside
    return ascents(inside, mask, edges, offsets, floor=floor, spacing=spacing)


def near_offsets(
    channels: Sequence[Channel], ndim: int, spacing: Sequence[float] | None = None
) -> list[Sequence[int]]:
    """Offsets of the affinities that count, see :func:`affinity_edges`."""
    kind: Any = affinity_source(channels, ndim, spacing).kind
    return [kind.offsets[column] for column in nearest_offsets(kind.offsets)]


def fragment_reach(
    channels: Sequence[Channel], ndim: int, spacing: Sequence[float] | None = None
) -> tuple[int, ...]:
    """Voxels along each axis that :func:`fragment_ascents` looks to each side."""
    return ascent_reach(near_offsets(channels, ndim, spacing), spacing=spacing, ndim=ndim)


def affinity_source(
    channels: Sequence[Channel], ndim: int, spacing: Sequence[float] | None
) -> Source:
    """The channel of affinities.

    Raises
    ------
    ConfigError : there is none
    """
    for source in sources(channels, ndim, spacing):
        if isinstance(source.kind, Edges):
            return source
    found = " ".join(channel.name for channel in channels)
    raise ConfigError("this decoder needs affinities", expected="channel A", found=found)


def joined(
    fragments: np.ndarray,
    edges: np.ndarray,
    offsets: Sequence[Sequence[int]],
    options: Agglomeration,
) -> np.ndarray:
    """Fragments joined by our own agglomeration."""
    return agglomerate(
        fragments,
        edges,
        offsets,
        **join_options(options, fragments.ndim),
    )


def join_options(options: Agglomeration, ndim: int) -> dict[str, Any]:
    """What :func:`jaxseg.decoding.affinities.joining.joined_ids` is told."""
    return {
        "threshold": options.merge,
        "quantile": options.quantile if options.score == "quantile" else None,
        "min_contact": options.min_contact or MIN_CONTACT[ndim],
    }


def joined_by_waterz(
    fragments: np.ndarray,
    edges: np.ndarray,
    offsets: Sequence[Sequence[int]],
    options: Agglomeration,
) -> np.ndarray:
    """Fragments joined by the package waterz: face neighbours only, contacts of any size.

    Its compiled scores are the mean and the quantiles in steps of 0.05; others need a C++ compiler
    and the headers of boost.
    """
    try:
        import waterz
    except ImportError as error:
        raise ResourceError(
            "the package waterz is not installed", fix="pip install 'jaxseg[affinities]'"
        ) from error
    faces = face_affinities(edges, offsets)
    score = "MeanAffinity<RegionGraphType,ScoreValue>"
    if options.score == "quantile":
        percent = round(100 * options.quantile)
        score = f"HistogramQuantileAffinity<RegionGraphType,{percent},ScoreValue,256,false>"
    found = waterz.agglomerate(
        faces,
        [1 - options.merge],
        fragments=fragments.reshape(faces.shape[1:]).astype(np.uint64),
        scoring_function=f"OneMinus<{score}>",
    )
    return np.asarray(next(iter(found))).reshape(fragments.shape).astype(np.int64)


def face_affinities(edges: np.ndarray, offsets: Sequence[Sequence[int]]) -> np.ndarray:
    """Affinities as waterz takes them: (3, z, y, x) float32, a 2D image as one slice.

    Raises
    ------
    ConfigError : an affinity to the voxel before along some axis is missing
    """
    shape = edges.shape[:-1]
    ndim, places = len(shape), {tuple(offset): at for at, offset in enumerate(offsets)}
    faces = np.zeros((3, *(1,) * (3 - ndim), *shape), np.float32)
    for axis, plane in enumerate(faces[3 - ndim :]):
        step = tuple(int(place == axis) for place in range(ndim))
        if step not in places:
            raise ConfigError(
                "waterz needs affinities to the voxel before along every axis",
                where="agglomeration.engine",
                expected=f"offset {step} of channel A",
            )
        plane[...] = edges[..., places[step]]
    return faces
