"""What a prediction stores of every voxel: its planes, or of semantic segmentation its class."""

from __future__ import annotations

import numpy as np

from jaxseg import channels as table
from jaxseg.config import Config
from jaxseg.config.channels import Semantic
from jaxseg.decoding import class_type, classes


def stored_planes(config: Config) -> tuple[tuple[str, ...], str]:
    """Names and element type of the planes that a prediction writes.

    >>> from jaxseg.config import Predict, ch
    >>> stored_planes(
    ...     Config(
    ...         task="semantic", channels=(ch("S", classes=3),), predict=Predict(classes_only=True)
    ...     )
    ... )
    (('class',), 'uint8')
    """
    if config.predict.classes_only:
        # The largest value marks voxels whose planes are not finite.
        options = config.channels[0].options
        assert isinstance(options, Semantic)  # the configuration was checked
        return ("class",), np.min_scalar_type(options.classes).name
    return table.columns(config.channels, config.ndim).names, config.predict.dtype


def classes_of(config: Config, planes: np.ndarray) -> np.ndarray:
    """The class of every voxel out of stored planes.

    Parameters
    ----------
    config : of the run
    planes : (*S, K) as :func:`stored_planes` says, as float32

    Returns
    -------
    (*S) uint8, or uint16 for more than 256 classes
    """
    if config.predict.classes_only:
        return planes[..., 0].astype(class_type(config.channels))
    return classes(planes, config.channels, threshold=config.semantic.threshold)
