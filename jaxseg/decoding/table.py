"""THE DECODERS: one row for each way from planes to objects or classes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from jaxseg.config import Channel
from jaxseg.config.decoder_check import option_mistakes
from jaxseg.config.decoders import NEEDS
from jaxseg.decoding.agglomeration import agglomeration_steps
from jaxseg.decoding.classes import classes
from jaxseg.decoding.flow import flow_steps
from jaxseg.decoding.mutex import mutex_steps
from jaxseg.decoding.plan import plan_problems
from jaxseg.decoding.watershed import Steps, watershed_steps
from jaxseg.errors import ConfigError, JaxsegError

Names = frozenset[str]


@dataclass(frozen=True, kw_only=True)
class DecoderSpec:
    """One row: when a decoder is chosen, and what it runs."""

    # whether it is the decoder for channels of these names; the first row that says so is taken
    suits: Callable[[Names], bool]
    # (planes, channels, spacing=, options=) to Steps; options None = the defaults
    steps: Callable[..., Steps]


def class_steps(
    planes: np.ndarray,
    channels: Sequence[Channel],
    *,
    spacing: Sequence[float] | None = None,
    options: None = None,
) -> Steps:
    """Classes, in the form that all decoders share; nothing led to them but the planes."""
    found = classes(planes, channels)
    return Steps(found, found.astype(np.int32), planes[..., 0], found > 0)


DECODERS: Mapping[str, DecoderSpec] = MappingProxyType(
    {
        "classes": DecoderSpec(suits=lambda names: "S" in names, steps=class_steps),
        "flow": DecoderSpec(suits=lambda names: names >= NEEDS["flow"], steps=flow_steps),
        "agglomeration": DecoderSpec(suits=lambda names: names == {"A"}, steps=agglomeration_steps),
        "mutex": DecoderSpec(suits=lambda names: False, steps=mutex_steps),
        "watershed": DecoderSpec(suits=lambda names: True, steps=watershed_steps),
    }
)


def decoder_of(channels: Sequence[Channel], decoder: str = "auto") -> str:
    """The name of the decoder to use.

    Parameters
    ----------
    channels : of the planes
    decoder : a row of the table, or auto for the one that suits the channels

    Returns
    -------
    str

    Raises
    ------
    ConfigError : there is no such decoder, or it needs other channels

    >>> from jaxseg.config import ch
    >>> decoder_of((ch("A"),)), decoder_of((ch("A"), ch("F"))), decoder_of((ch("A"),), "mutex")
    ('agglomeration', 'watershed', 'mutex')
    """
    names = frozenset(channel.name for channel in channels)
    if decoder == "auto":
        return next(name for name, spec in DECODERS.items() if spec.suits(names))
    if decoder not in DECODERS:
        raise ConfigError("no such decoder", expected=" ".join(DECODERS), found=decoder)
    if not NEEDS.get(decoder, frozenset()) <= names:
        raise ConfigError(
            f"the decoder {decoder} needs other channels",
            expected=" ".join(sorted(NEEDS[decoder])),
            found=" ".join(sorted(names)),
        )
    return decoder


def decoder_problems(
    channels: Sequence[Channel], *, ndim: int, decoder: str = "auto", options: Any = None
) -> list[JaxsegError]:
    """What is wrong with a decoder for these channels, to be told before anything is computed.

    Parameters
    ----------
    channels : of the planes
    ndim : 2 or 3
    decoder : as for :func:`decoder_of`
    options : of that decoder, None = the defaults

    Returns
    -------
    list of errors, empty if the planes can be decoded
    """
    try:
        name = decoder_of(channels, decoder)
    except JaxsegError as error:
        return [error]
    if name == "watershed":
        return plan_problems(channels, ndim=ndim, options=options)
    return [*option_mistakes(options, name)]
