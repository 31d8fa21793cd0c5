"""The configuration of results that have more dimensions than the images."""

from __future__ import annotations

from dataclasses import replace

from jaxseg.config.schema import Config


def of_results(config: Config) -> Config:
    """The configuration as what comes after the prediction reads it.

    Parameters
    ----------
    config : of the run

    Returns
    -------
    Config
        In three dimensions where 2D images are a stack, else the same.

    >>> from jaxseg.config import Data
    >>> of_results(Config(data=Data(as_3d_stack=True))).ndim
    3
    """
    if not config.data.as_3d_stack:
        return config
    crop = config.evaluate.border_crop
    evaluate = replace(config.evaluate, border_crop=(0, *crop) if len(crop) == 2 else crop)
    return replace(config, ndim=3, evaluate=evaluate)
