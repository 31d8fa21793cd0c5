"""The planes that objects and classes are decoded from, read part by part."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from jaxseg.config import Config
from jaxseg.geometry import Box
from jaxseg.prediction.median import median_filters
from jaxseg.volume import Volume
from jaxseg.workflows.blocks import read_planes

Array = np.ndarray


def smooth_planes(config: Config, source: Volume) -> Callable[[Box], Array]:
    """How to read planes after all median filters: a box with as much around it as they look at.

    Parameters
    ----------
    config : of the run
    source : the planes

    Returns
    -------
    a function of a box that gives (*box.shape, K) float32
    """
    filters = config.postprocess.filters
    margin = [
        sum(one.size // 2 for one in filters if axis in one.axes) for axis in "zyx"[-config.ndim :]
    ]

    def read(box: Box) -> Array:
        wide = box.grown(margin, source.spatial_shape)
        planes = median_filters(read_planes(source, wide), filters)
        return planes[box.relative_to(wide.start).slices]

    return read
