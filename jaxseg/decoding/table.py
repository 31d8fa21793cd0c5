"""The decoders: one row each, which says how to run it and what would stop it.

A new decoder is a dataclass of options and a line of ``NEEDS`` in ``jaxseg.config.decoders``, a
field of the configuration, a row here and a function.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from jaxseg.channels import columns, spec_of
from jaxseg.config import Channel, decoder_for
from jaxseg.config.decoders import KINDS, NEEDS
from jaxseg.config.option import Misfit, problems
from jaxseg.decoding.affinities.agglomeration import agglomeration_steps
from jaxseg.decoding.affinities.mutex import mutex_steps
from jaxseg.decoding.embedseg import embedseg
from jaxseg.decoding.flow import flow_steps
from jaxseg.decoding.mask import check_columns
from jaxseg.decoding.stardist import package_problems, stardist, stardist_problems
from jaxseg.decoding.watershed.decode import Steps, watershed_steps
from jaxseg.decoding.watershed.plan import plan_problems
from jaxseg.errors import ConfigError, JaxsegError
from jaxseg.labels.objects import compact


class Decoded(NamedTuple):
    """Objects, and pictures of how they came about.

    Parameters
    ----------
    labels : (*S) uint16 or uint32, 1..N
    steps : by name of file, (*S) integers or float32
    """

    labels: np.ndarray
    steps: Mapping[str, np.ndarray] = MappingProxyType({})


def nothing_wrong(channels: Sequence[Channel], *, ndim: int, options: Any) -> list[JaxsegError]:
    """Of a decoder that takes all channels that it is called for."""
    return []


@dataclass(frozen=True, kw_only=True)
class DecoderSpec:
    """One row of the table."""

    # (planes (*S, K), channels, *, spacing, options, within) to Decoded; ``within`` is (*S) bool,
    # where objects may be, or None
    run: Callable[..., Decoded]
    # (channels, *, ndim, options) to what would stop it, before anything is computed
    problems: Callable[..., list[JaxsegError]] = field(default=nothing_wrong)
    # () to the packages that it needs and that are not installed
    missing: Callable[[], list[JaxsegError]] = list


def _watershed(
    planes: np.ndarray, channels: Sequence[Channel], *, spacing: Any, options: Any, within: Any
) -> Decoded:
    found = watershed_steps(planes, channels, spacing=spacing, options=options, within=within)
    shown = options is None or options.check_files
    return Decoded(found.labels, pictures(found) if shown else {})


def _cut(labels: np.ndarray, within: np.ndarray | None) -> np.ndarray:
    """Labels without what lies outside a region, numbered anew."""
    return labels if within is None else compact(np.where(within, labels, 0))


def _confined(decoder: Callable[..., np.ndarray]) -> Callable[..., Decoded]:
    """A decoder of whole images as a row; what lies outside a region is cut off afterwards."""

    def run(
        planes: np.ndarray, channels: Sequence[Channel], *, spacing: Any, options: Any, within: Any
    ) -> Decoded:
        labels = decoder(planes, channels, spacing=spacing, options=options)
        return Decoded(_cut(labels, within))

    return run


def _in_steps(decoder: Callable[..., Steps]) -> Callable[..., Decoded]:
    """A decoder that tells its steps as a row."""

    def run(
        planes: np.ndarray, channels: Sequence[Channel], *, spacing: Any, options: Any, within: Any
    ) -> Decoded:
        found = decoder(planes, channels, spacing=spacing, options=options)
        return Decoded(_cut(found.labels, within), pictures(found))

    return run


def pictures(found: Steps) -> Mapping[str, np.ndarray]:
    """The steps by the names of their files."""
    return {
        "seed_map": found.seeds,
        "semantic": found.mask.astype(np.uint8),
        "foreground": found.surface.astype(np.float32),
    }


DECODERS: Mapping[str, DecoderSpec] = MappingProxyType(
    {
        "stardist": DecoderSpec(
            run=_confined(stardist), problems=stardist_problems, missing=package_problems
        ),
        "embedseg": DecoderSpec(run=_confined(embedseg)),
        "flow": DecoderSpec(run=_in_steps(flow_steps)),
        "agglomeration": DecoderSpec(run=_in_steps(agglomeration_steps)),
        "mutex": DecoderSpec(run=_in_steps(mutex_steps)),
        "watershed": DecoderSpec(run=_watershed, problems=plan_problems),
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
    names = [channel.name for channel in of_instances(channels)]
    if decoder == "auto":
        return decoder_for(names)
    if decoder not in DECODERS:
        raise ConfigError("no such decoder", expected=" ".join(DECODERS), found=decoder)
    if not NEEDS[decoder] <= set(names):
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
    alone = [] if options is None else list(problems(options, name, KINDS[name]))
    if any(isinstance(problem, Misfit) for problem in alone):
        return list(alone)
    row = DECODERS[name].problems(of_instances(channels), ndim=ndim, options=options)
    told = {str(problem) for problem in row}
    return [*(problem for problem in alone if str(problem) not in told), *row]


def run_decoder(
    planes: np.ndarray,
    channels: Sequence[Channel],
    *,
    spacing: Sequence[float] | None = None,
    decoder: str = "auto",
    options: Any = None,
    within: np.ndarray | None = None,
) -> Decoded:
    """Objects with the steps that led to them; classes beside instances do not decide about them.

    Parameters
    ----------
    planes : (*S, K) float, values of the channels, not logits
    channels : in the order of the columns
    spacing : size of a voxel, (z)yx, µm; None = 1
    decoder, options : as for :func:`decoder_problems`
    within : (*S) bool, where objects may be; None = everywhere

    Returns
    -------
    Decoded

    Raises
    ------
    ConfigError : planes that are not those of the channels, or a decoder that needs other channels
    """
    check_columns(planes, channels)
    kept = of_instances(channels)
    planes = planes_of_instances(planes, channels)
    row = DECODERS[decoder_of(kept, decoder)]
    return row.run(planes, kept, spacing=spacing, options=options, within=within)


def of_instances(channels: Sequence[Channel]) -> list[Channel]:
    """All channels but those of classes."""
    return [channel for channel in channels if not spec_of(channel).exclusive]


def planes_of_instances(planes: np.ndarray, channels: Sequence[Channel]) -> np.ndarray:
    """The columns (*S, K) of all channels but those of classes."""
    kept = of_instances(channels)
    if len(kept) == len(channels):
        return planes
    places = columns(channels, planes.ndim - 1)
    return np.concatenate([planes[..., places[channel.name]] for channel in kept], axis=-1)
