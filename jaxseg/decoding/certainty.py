"""How sure an object is: how well the planes agree with what they would be if it were true.

The objects are encoded as if they were labels. Where two nuclei were taken for one, the planes show
a valley that the encoded object does not have; where one was cut, they show none at the cut.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from jaxseg.channels import CHANNELS, columns, encode
from jaxseg.channels.spec import Joint
from jaxseg.config import Channel
from jaxseg.decoding.mask import check_columns
from jaxseg.labels.tally import tally

# Voxels along each axis over which agreement is averaged: a mistake is no single voxel.
PLACE = 5
# The part of an object whose places agree worst; a mistake shows in a part only.
WORST = 0.1
# Agreement is counted in so many steps.
STEPS = 200


def agreement(
    labels: np.ndarray,
    planes: np.ndarray,
    channels: Sequence[Channel],
    *,
    spacing: Sequence[float] | None = None,
    spread: np.ndarray | None = None,
) -> np.ndarray:
    """How well planes agree with objects, voxel by voxel.

    Per column one less the difference between predicted and encoded value, or what is left of it
    in parts of the larger value where that is above 1, as for lengths; then the mean over columns.
    Channels that are compared with whole objects (E) and classes do not count.

    Parameters
    ----------
    labels : (*S) non-negative integers, at most 2**31 - 1
    planes : (*S, K) float, values of the channels, not logits
    channels : in the order of the columns
    spacing : size of a voxel, (z)yx, µm; None = 1
    spread : (*S, K) float, standard deviation of the planes over orientations of the image, where
        it is known: as much is taken off

    Returns
    -------
    (*S) float32, from 0 to 1; 1 where no channel counts

    Raises
    ------
    ConfigError : planes that are not those of the channels

    >>> from jaxseg.config import ch
    >>> planes = np.array([[0.9, 0.2, 0.8]])[..., None]
    >>> agreement(np.array([[1, 1, 0]]), planes, (ch("F"),)).round(1)
    array([[0.9, 0.2, 0.2]], dtype=float32)
    """
    check_columns(planes, channels)
    places = columns(channels, labels.ndim)
    counted = [
        channel
        for channel in channels
        if not CHANNELS[channel.name].exclusive
        and not isinstance(CHANNELS[channel.name].loss, Joint)
    ]
    total, number = np.zeros(labels.shape, np.float32), 0
    if not counted:
        return total + 1
    true = np.asarray(encode(labels, counted, spacing=spacing), np.float32)
    own = columns(counted, labels.ndim)
    for channel in counted:
        found, wanted = planes[..., places[channel.name]], true[..., own[channel.name]]
        scale = np.maximum(np.maximum(np.abs(found), np.abs(wanted)), 1)
        error = np.abs(found - wanted) / scale
        if spread is not None:
            error = error + spread[..., places[channel.name]] / scale
        total += np.clip(1 - np.nan_to_num(error, nan=1.0), 0, 1).sum(axis=-1)
        number += error.shape[-1]
    return total / np.float32(number)


def graded(agreed: np.ndarray) -> np.ndarray:
    """Agreement about every voxel, averaged over a few, in steps.

    Parameters
    ----------
    agreed : (*S) float, of :func:`agreement`

    Returns
    -------
    (*S) uint8 from 0 to ``STEPS``
    """
    around = ndimage.uniform_filter(np.asarray(agreed, np.float32), PLACE, mode="nearest")
    return np.rint(np.clip(around, 0, 1) * STEPS).astype(np.uint8)


def certainty(labels: np.ndarray, agreed: np.ndarray) -> np.ndarray:
    """A score per object, by which true objects rank before false ones.

    The agreement where it is worst, averaged over a few voxels: an object that is two, or half of
    one, agrees with the planes nearly everywhere.

    Parameters
    ----------
    labels : (*S) non-negative integers
    agreed : (*S) float, of :func:`agreement`

    Returns
    -------
    (objects,) float64 from 0 to 1 in 200 steps, in ascending order of the ids: the agreement that
    a tenth of the voxels of an object does not exceed

    >>> certainty(np.array([[0, 2, 2, 5]]), np.full((1, 4), 0.5)).tolist()
    [0.5, 0.5]
    """
    found = tally(labels, graded(agreed))
    return certainty_of(*found.columns, voxels=found.voxels)[1]


def certainty_of(
    ids: np.ndarray, grades: np.ndarray, *, voxels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The score of :func:`certainty`, of voxels that were counted, e.g. block by block.

    Parameters
    ----------
    ids, grades : (n,) objects and values of :func:`graded`, each pair once; 0 = background
    voxels : (n,) how many voxels have both

    Returns
    -------
    (objects,) ids in ascending order, (objects,) float64 scores
    """
    order = np.lexsort((grades, ids))
    order = order[ids[order] > 0]
    ids, grades, voxels = ids[order], grades[order], voxels[order]
    objects, first = np.unique(ids, return_index=True)
    below = np.cumsum(voxels)
    before = np.concatenate([[0], below])[first]
    sizes = np.diff(np.append(before, below[-1:] if len(below) else 0))
    places = np.searchsorted(below, before + np.ceil(WORST * sizes))
    return objects, grades[places] / STEPS
