"""The network of a configuration: which heads it has, and what they are for."""

from __future__ import annotations

from jaxseg import channels as table
from jaxseg import models
from jaxseg.config import Config
from jaxseg.models import Model


def heads_of(config: Config) -> tuple[int, ...]:
    """Output channels of each head: one head for all planes, or with separate decoders one for
    each channel.

    >>> from jaxseg.config import UNet, ch
    >>> heads_of(Config(channels=(ch("F"), ch("A"))))
    (3,)
    >>> heads_of(Config(channels=(ch("F"), ch("A")), model=UNet(separate_decoders=True)))
    (1, 2)
    """
    places = table.columns(config.channels, config.ndim)
    if getattr(config.model, "separate_decoders", False):
        return tuple(place.stop - place.start for place in places.values())
    return (places.total,)


def network(config: Config, *, dtype: str, remat: bool = False) -> Model:
    """The network that predicts the planes of a configuration.

    Parameters
    ----------
    config : of the run
    dtype, remat : see :func:`jaxseg.models.build`
    """
    return models.build(config.model, heads_of(config), config.ndim, dtype=dtype, remat=remat)
