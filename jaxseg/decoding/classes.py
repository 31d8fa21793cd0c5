"""From the planes of S to the class of every voxel, or of every object."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from jaxseg.channels import columns
from jaxseg.config import Channel
from jaxseg.config.channels import Semantic
from jaxseg.errors import ConfigError
from jaxseg.labels.votes import majority


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
    found = _class_planes(planes, channels)
    if found.shape[-1] == 1:
        return (found[..., 0] > threshold).astype(np.uint8)
    return found.argmax(axis=-1).astype(class_type(channels))


def object_classes(
    labels: np.ndarray, planes: np.ndarray, channels: Sequence[Channel]
) -> np.ndarray:
    """The class of every object, by majority of its voxels.

    Every voxel votes for its most probable class. The background, which is not learned inside
    objects, is none, so that every object gets a class. Of classes with as many votes the first
    wins. The cost is one pass over the voxels, whatever the number of objects.

    Parameters
    ----------
    labels : (*S) non-negative integers of any type, any ids
    planes : (*S, K) float, probabilities
    channels : in the order of the columns, S among them

    Returns
    -------
    (objects,) classes from 1, uint8 or uint16, in ascending order of the ids

    Raises
    ------
    ConfigError : no channel S, or planes that are not those of the channels

    >>> from jaxseg.config import ch
    >>> planes = np.array([[0.9, 0.1, 0.0], [0.1, 0.3, 0.6], [0.1, 0.4, 0.5]])[None]
    >>> object_classes(np.array([[7, 3, 3]]), planes, (ch("S", classes=3),))
    array([2, 1], dtype=uint8)
    """
    return majority(labels, class_votes(planes, channels)).classes.astype(class_type(channels))


def class_votes(planes: np.ndarray, channels: Sequence[Channel]) -> np.ndarray:
    """The class that every voxel votes for, (*S) from 1; see :func:`object_classes`."""
    found = _class_planes(planes, channels)
    number = max(found.shape[-1], 2)
    return (found[..., -(number - 1) :].argmax(axis=-1) + 1).astype(class_type(channels))


def class_type(channels: Sequence[Channel]) -> np.dtype:
    """The integer type of classes."""
    options = next(c.options for c in channels if isinstance(c.options, Semantic))
    return np.dtype(np.min_scalar_type(options.classes - 1))


def _class_planes(planes: np.ndarray, channels: Sequence[Channel]) -> np.ndarray:
    """The columns of S."""
    places = columns(channels, planes.ndim - 1)
    if "S" not in places or places.total != planes.shape[-1]:
        raise ConfigError(
            "these are not planes of classes",
            expected=f"channel S, {places.total} columns",
            found=f"channels {' '.join(places)}, {planes.shape[-1]} columns",
        )
    return planes[..., places["S"]]
