"""Synapses out of planes: sites of both sides, and the partner that each postsynaptic site has.

Sites are found as points are. A vector leads from every voxel of a postsynaptic site to the
presynaptic partner (Buhmann et al. 2021); without vectors the nearest presynaptic site is the
partner.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy.spatial import cKDTree

from jaxseg.channels import Columns
from jaxseg.config import Channel, Detection
from jaxseg.config.channel_options import Partner
from jaxseg.config.detection import each
from jaxseg.config.synapses import Synapses
from jaxseg.decoding.points import far_apart
from jaxseg.geometry import Box

SIDES = ("pre", "post")
# Components of the vector, (z)yx.
VECTOR = ("Z_pre", "V_pre", "H_pre")


class Paired(NamedTuple):
    """Presynaptic sites, those created among them, and the partners of postsynaptic ones.

    Parameters
    ----------
    pre : (n, ndim) positions in voxels; first those that were found
    scores : (n,) of those created, that of the postsynaptic site that points there
    created : (n,) bool
    partner : (m,) int64 row of the presynaptic site of every postsynaptic one; -1 = none
    """

    pre: np.ndarray
    scores: np.ndarray
    created: np.ndarray
    partner: np.ndarray


def side_options(options: Detection) -> dict[str, Detection]:
    """How the sites of each side are found: what may differ is one for both, or (pre, post).

    >>> side_options(Detection(threshold=(0.3, 0.5)))["post"].threshold
    0.5
    """
    pairs = zip(each(options.threshold, 2), each(options.remove_close, 2), strict=True)
    return {
        side: replace(options, threshold=threshold, remove_close=radius)
        for side, (threshold, radius) in zip(SIDES, pairs, strict=True)
    }


def vector_unit(channels: Sequence[Channel]) -> float:
    """Length of the value 1 of the vectors, µm; 1 where none are learned."""
    options = [channel.options for channel in channels]
    return next((one.unit for one in options if isinstance(one, Partner)), 1.0)


def surest_first(
    places: np.ndarray, scores: np.ndarray, *, spacing: Sequence[float], options: Detection
) -> np.ndarray:
    """The rows of the sites of one side that stay, the surest first.

    Parameters
    ----------
    places, scores : (n, ndim), (n,) in any order; equally sure ones go by their places
    spacing : size of a voxel, (z)yx, µm
    options : of that side, see :func:`side_options`
    """
    order = np.lexsort((*places.T[::-1], -scores))
    radii = np.full(len(order), each(options.remove_close, 1)[0], float)
    return order[far_apart(places[order], radii, spacing=spacing)]


def aims_of(
    planes: np.ndarray,
    wide: Box,
    posts: np.ndarray,
    shape: Sequence[int],
    *,
    columns: Columns,
    unit: float,
    spacing: Sequence[float],
) -> np.ndarray:
    """Where postsynaptic sites point: their voxels and the vectors there.

    Parameters
    ----------
    planes : (*wide.shape, K)
        All planes in a box around the sites.
    wide : Box
        That box.
    posts : (m, ndim) float
        Positions of the sites in voxels of the volume, (z)yx.
    shape : sequence of int
        Of the volume.
    columns : Columns
        Which planes are the vector; without, sites point to themselves.
    unit : float
        Length of the value 1, µm.
    spacing : sequence of float
        Size of a voxel, (z)yx, µm.

    Returns
    -------
    numpy.ndarray
        (m, ndim) positions in voxels of the volume; may lie outside.
    """
    names = [name for name in VECTOR[-len(shape) :] if name in columns]
    if not names:
        return posts
    voxels = np.floor(posts + 0.5).astype(int)
    voxels = np.clip(voxels, 0, np.asarray(shape) - 1)
    vectors = planes[tuple((voxels - wide.start).T)]
    vectors = np.concatenate([vectors[:, columns[name]] for name in names], axis=1).astype(float)
    return voxels + np.nan_to_num(vectors) * unit / np.asarray(spacing, float)


def pair_sites(
    pre: np.ndarray,
    pre_scores: np.ndarray,
    aims: np.ndarray,
    scores: np.ndarray,
    *,
    shape: Sequence[int],
    spacing: Sequence[float] | None = None,
    options: Synapses | None = None,
    min_distance: float = 0.0,
) -> Paired:
    """The partner of every postsynaptic site: the presynaptic site nearest to where it points.

    Parameters
    ----------
    pre : (n, ndim) float
        Presynaptic sites in voxels, (z)yx.
    pre_scores : (n,) float
        How sure they are.
    aims : (m, ndim) float
        Where postsynaptic sites point, the surest first.
    scores : (m,) float
        How sure those are.
    shape : sequence of int
        Voxels of the volume.
    spacing : sequence of float, optional
        Size of a voxel, (z)yx, µm; None = 1.
    options : Synapses, optional
        How far a partner may be, and what becomes of sites without one.
    min_distance : float
        Sites without a partner that point within ``options.pair_distance`` of where a surer one of
        them points create one site together, within this distance where that one is 0; µm.

    Returns
    -------
    Paired

    Examples
    --------
    >>> pre, aims = np.array([[1.0, 1.0], [9.0, 9.0]]), np.array([[8.0, 9.0], [5.0, 5.0]])
    >>> options = Synapses(pair_distance=2.0)
    >>> found = pair_sites(pre, np.ones(2), aims, np.ones(2), shape=(10, 10), options=options)
    >>> found.partner.tolist()
    [1, -1]
    """
    options = Synapses() if options is None else options
    pre = np.asarray(pre, float).reshape(-1, len(shape))
    aims = np.asarray(aims, float).reshape(-1, len(shape))
    sizes = np.asarray(spacing or (1.0,) * len(shape), float)
    partner = np.full(len(aims), -1, np.int64)
    if len(pre) and len(aims):
        distances, rows = cKDTree(pre * sizes).query(aims * sizes)
        near = distances <= (options.pair_distance * (1 + 1e-9) or np.inf)
        partner[near] = rows[near]
    alone = np.flatnonzero(partner < 0)
    made = np.zeros(0, np.int64)
    if options.missing == "create" and len(alone):
        aims = np.clip(aims, 0, np.asarray(shape) - 1)
        reach = options.pair_distance or min_distance
        group, first = _together(aims[alone] * sizes, reach)
        partner[alone], made = len(pre) + group, alone[first]
    created = np.arange(len(pre) + len(made)) >= len(pre)
    return Paired(
        np.concatenate([pre, aims[made]]),
        np.concatenate([pre_scores, scores[made]]).astype(np.float32),
        created,
        partner,
    )


def _together(places: np.ndarray, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """The group of every place, (n,), and the place that began it: the first of those left."""
    group = np.full(len(places), -1, np.int64)
    first: list[int] = []
    tree = cKDTree(places)
    for row in range(len(places)):
        if group[row] < 0:
            near = np.array(tree.query_ball_point(places[row], radius * (1 + 1e-9)), np.int64)
            group[near[group[near] < 0]] = len(first)
            group[row] = len(first)
            first.append(row)
    return group, np.array(first, np.int64)
