"""Objects out of affinities by mutex watershed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxseg.config import Channel, Mutex
from jaxseg.config.option import checked
from jaxseg.decoding.affinities.affinity_map import edge_ends, mean_edge, nearest_offsets
from jaxseg.decoding.affinities.agglomeration import affinity_source
from jaxseg.decoding.mask import check_columns, cleaned, object_mask
from jaxseg.decoding.watershed.decode import Steps
from jaxseg.errors import ResourceError
from jaxseg.labels.objects import compact


def mutex(
    planes: np.ndarray,
    channels: Sequence[Channel],
    *,
    spacing: Sequence[float] | None = None,
    options: Mutex | None = None,
) -> np.ndarray:
    """Objects from affinities by the mutex watershed of Wolf et al. (2018), without seeds.

    All edges are visited, the surest first: an affinity above the bias joins two voxels unless they
    must stay apart, one below it keeps them apart. Long offsets see across a boundary, and so hold
    objects apart where the affinities of neighbours leak.

    Parameters
    ----------
    planes : (*S, K) float, values of the channels, not logits
    channels : in the order of the columns, A among them, with offsets of several lengths
    spacing : size of a voxel, (z)yx, µm; None = 1; for the other channels
    options : biases and sizes

    Returns
    -------
    (*S) uint16, or uint32 for more than 65,535 objects; 0 = background, ids 1..N

    Raises
    ------
    ConfigError : planes that are not those of the channels, or no channel A
    ResourceError : the package mwatershed is not installed
    """
    return mutex_steps(planes, channels, spacing=spacing, options=options).labels


def mutex_steps(
    planes: np.ndarray,
    channels: Sequence[Channel],
    *,
    spacing: Sequence[float] | None = None,
    options: Mutex | None = None,
) -> Steps:
    """The mutex watershed with its steps: seeds are the objects before they are cleaned.

    Parameters and errors as for :func:`mutex`.

    Returns
    -------
    Steps
    """
    options = checked(options, Mutex)
    check_columns(planes, channels)
    mask = object_mask(planes, channels, spacing=spacing, threshold=options.threshold)
    source = affinity_source(channels, planes.ndim - 1, spacing)
    kind: Any = source.kind
    start = source.starts[0]
    values = planes[..., start : start + len(kind.offsets)]
    found = clustered(values, kind.offsets, mask, options) if mask.any() else mask * 0
    seeds = compact(found).astype(np.int32)
    labels = cleaned(seeds, fill_holes=options.fill_holes, min_size=options.min_size)
    return Steps(labels, seeds, -mean_edge(values, kind.offsets), mask)


def clustered(
    values: np.ndarray, offsets: Sequence[Sequence[int]], mask: np.ndarray, options: Mutex
) -> np.ndarray:
    """Cluster the voxels of a mask.

    Parameters
    ----------
    values : (*S, k) float, affinities of ``p`` and ``p - offsets[c]``
    offsets : k offsets in voxels, (z)yx
    mask : (*S) bool
    options : biases and stride

    Returns
    -------
    (*S) integers, 0 outside the mask
    """
    try:
        import mwatershed
    except ImportError as error:
        raise ResourceError(
            "the package mwatershed is not installed", fix="pip install 'jaxseg[affinities]'"
        ) from error
    near = set(nearest_offsets(offsets))
    edges = np.zeros((len(offsets), *mask.shape))
    for column, (here, there) in enumerate(edge_ends(mask.shape, offsets)):
        bias = options.near_bias if column in near else options.far_bias
        edge = values[..., column][here] - np.float64(bias)
        if column not in near and options.far_repulsive:
            edge = np.minimum(edge, 0)
        edges[column][here] = np.where(mask[here] & mask[there], edge, 0)
    # The package's offsets point from the voxel that holds the edge to its partner.
    steps = [[-step for step in offset] for offset in offsets]
    strides = [
        [1 if column in near else options.stride] * mask.ndim for column in range(len(steps))
    ]
    found = mwatershed.agglom(edges, steps, strides=strides)
    return np.where(mask, found, 0).astype(np.int64)
