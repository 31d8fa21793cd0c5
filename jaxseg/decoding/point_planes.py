"""Which planes show points: the first that is none of classes, and the classes beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxseg.channels import columns
from jaxseg.config import Channel
from jaxseg.decoding.table import of_instances, planes_of_instances


class PointPlanes(NamedTuple):
    """What the planes say of points.

    Parameters
    ----------
    plane : (*S) the first plane that is none of classes
    classes : (*S, n) probabilities of the classes without the background; None = not learned
    """

    plane: np.ndarray
    classes: np.ndarray | None


def point_planes(planes: np.ndarray, channels: Sequence[Channel]) -> PointPlanes:
    """The parts of planes (*S, K) of all channels that points are made of."""
    plane = planes_of_instances(planes, channels)[..., 0]
    places = columns(channels, planes.ndim - 1)
    return PointPlanes(plane, planes[..., places["S"]][..., 1:] if "S" in places else None)


def class_count(channels: Sequence[Channel], ndim: int) -> int:
    """Classes of points, without the background; 1 where they have none.

    >>> from jaxseg.config import ch
    >>> class_count((ch("G"), ch("S", classes=3)), 2), class_count((ch("G"),), 2)
    (2, 1)
    """
    own = columns(channels, ndim).get("S")
    return own.stop - own.start - 1 if own and of_instances(channels) else 1


def point_columns(channels: Sequence[Channel], ndim: int) -> int:
    """Columns of the first channel that is none of classes; 0 without such a channel."""
    first = next(iter(of_instances(channels)), None)
    return columns((first,), ndim).total if first else 0
