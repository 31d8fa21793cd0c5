"""From the planes of E to objects: clustering of what points to the same place."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jaxseg import losses, targets
from jaxseg.channels import columns
from jaxseg.config import Channel, EmbedSeg
from jaxseg.config.channels import Embedding
from jaxseg.config.option import checked
from jaxseg.decoding.clustering import cluster
from jaxseg.decoding.thresholds import is_noise
from jaxseg.errors import ConfigError, InputError
from jaxseg.labels.objects import compact


def embedseg(
    planes: np.ndarray,
    channels: Sequence[Channel],
    *,
    spacing: Sequence[float] | None = None,
    options: EmbedSeg | None = None,
) -> np.ndarray:
    """Objects from embeddings, as EmbedSeg finds them (Lalit et al. 2022).

    Of the voxels whose seediness is above a threshold, the one with the highest gives the centre
    and the widths of a kernel; all voxels still left that point to where the kernel is above 0.5
    are the next object. Seediness that is no more than noise, see
    :func:`jaxseg.decoding.thresholds.is_noise`, has no objects.

    Parameters
    ----------
    planes : (*S, 2 d + 1) float, values of E, not logits
    channels : E alone
    spacing : size of a voxel, (z)yx, µm; None = 1; the same as in training, up to a factor
    options : thresholds and smallest sizes

    Returns
    -------
    (*S) uint16, or uint32 for more than 65,535 objects; 0 = background, ids 1..N, those of the
    highest seediness first

    Raises
    ------
    ConfigError : planes that are not those of E
    InputError : values that are not finite where there are objects

    >>> from jaxseg.config import ch
    >>> planes = np.array([[[0, 0, 1, 1, 0.9], [0, -1 / 64, 1, 1, 0.8], [0, 0, 1, 1, 0.1]]])
    >>> embedseg(planes, (ch("E"),), options=EmbedSeg(min_object_size=1)).tolist()
    [[1, 1, 0]]
    """
    ndim, options = planes.ndim - 1, checked(options, EmbedSeg)
    settings = _settings(planes, channels)
    seediness = np.asarray(planes[..., -1], np.float32)
    inside = seediness > options.foreground_threshold
    empty = np.zeros(inside.shape, np.uint16)
    number = int(np.count_nonzero(inside))
    if number <= options.min_mask_sum or is_noise(seediness, options.foreground_threshold):
        return empty
    found = planes[inside].astype(np.float64)
    if not np.isfinite(found).all():
        raise InputError("embeddings that are not finite", found=f"{planes.shape} planes of E")
    step = targets.place_steps(spacing, ndim=ndim, grid_size=settings.grid_size)
    numbers = cluster(
        np.argwhere(inside) * step + found[:, :ndim],
        losses.narrowness(found[:, ndim : 2 * ndim]),
        seediness[inside],
        least_certain=options.seed_threshold,
        stop_at=options.min_unclustered_sum,
        min_size=options.min_object_size,
        min_free=options.min_free,
    )
    labels = np.zeros(inside.shape, np.int32)
    labels[inside] = numbers
    return compact(labels)


def _settings(planes: np.ndarray, channels: Sequence[Channel]) -> Embedding:
    """The options of E, if these are its planes."""
    total = columns(channels, planes.ndim - 1).total
    options = channels[0].options if len(channels) == 1 else None
    if not isinstance(options, Embedding) or planes.shape[-1] != total:
        raise ConfigError(
            "these are not planes of embeddings",
            expected=f"channel E alone, {2 * planes.ndim - 1} columns",
            found=f"{' '.join(c.name for c in channels)}, {planes.shape[-1]} columns",
        )
    return options
