"""Label images that every channel accepts."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from jaxseg.config import Channel
from jaxseg.config.channels import Semantic

Channels = tuple[Channel, ...]


SHAPE = {2: (20, 20), 3: (6, 12, 12)}


def ignores_ids(channels: Channels) -> bool:
    """Whether only the shapes of objects matter, as they do unless labels are classes."""
    return not any(isinstance(channel.options, Semantic) for channel in channels)


@functools.cache
def images(ndim: int) -> np.ndarray:
    """No object, one, one everywhere, touching ones of all sizes, and many single voxels."""
    shape = SHAPE[ndim]
    coarse = np.random.default_rng(ndim).integers(0, 7, [-(-n // 4) for n in shape], np.int32)
    touching = np.kron(coarse, np.ones((4,) * ndim, np.int32))[tuple(map(slice, shape))]
    one, many = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
    one[tuple(slice(2, 5) for _ in shape)] = 3
    dots = many[(..., *(slice(0, 18, 3),) * 2)][(0,) * (ndim - 2)]
    dots[...] = np.arange(dots.size).reshape(dots.shape)
    return np.stack([np.zeros(shape, np.int32), one, np.full(shape, 5, np.int32), touching, many])


def legal(labels: Any, channels: Channels) -> Any:
    """Labels, or classes if that is what the channels want."""
    return labels if ignores_ids(channels) else labels % channels[0].options.classes  # type: ignore[union-attr]
