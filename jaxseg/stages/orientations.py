"""A network as a prediction asks it: averaged over the orientations of the image."""

from __future__ import annotations

from collections.abc import Sequence

from jaxseg import tta
from jaxseg.config import Config
from jaxseg.prediction.foreign import Predictor


def oriented(config: Config, predictor: Predictor, spacing: Sequence[float]) -> tta.Forward:
    """The network, averaged over the orientations that the configuration asks for.

    Parameters
    ----------
    config : its channels tell how planes turn with the image
    predictor : the network
    spacing : size of a voxel of the image, (z)yx, µm

    Returns
    -------
    of images (N, *S, C) the planes (N, *S, K)
    """
    return tta.averaged(
        predictor.forward,
        config.channels,
        ndim=config.ndim,
        spacing=spacing,
        group=config.predict.tta,
        mode=config.predict.tta_mode,
    )
