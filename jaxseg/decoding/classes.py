"""From the planes of S to the class of every voxel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jaxseg.channels import columns
from jaxseg.config import Channel
from jaxseg.errors import ConfigError


def classes(
    planes: np.ndarray, channels: Sequence[Channel], *, threshold: float = 0.5
) -> np.ndarray:
    """The class of every voxel.

    Parameters
    ----------
    planes : (*S, K) float, probabilities
    channels : in the order of the columns, S among them
    threshold : for two classes, the probability above which a voxel is of class 1; of more
        classes the most probable one is taken, of equal ones the first

    Returns
    -------
    (*S) uint8, or uint16 for more than 256 classes

    Raises
    ------
    ConfigError : no channel S, or planes that are not those of the channels

    >>> from jaxseg.config import ch
    >>> classes(np.array([[[0.2], [0.7]]]), (ch("S", classes=2),)).tolist()
    [[0, 1]]
    """
    places = columns(channels, planes.ndim - 1)
    if "S" not in places or places.total != planes.shape[-1]:
        raise ConfigError(
            "these are not planes of classes",
            expected=f"channel S, {places.total} columns",
            found=f"channels {' '.join(places)}, {planes.shape[-1]} columns",
        )
    found = planes[..., places["S"]]
    if found.shape[-1] == 1:
        return (found[..., 0] > threshold).astype(np.uint8)
    dtype = np.uint8 if found.shape[-1] <= 2**8 else np.uint16
    return found.argmax(axis=-1).astype(dtype)
