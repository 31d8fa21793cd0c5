"""The decoders: one row each, which says how to run it and what would stop it.

A new decoder of ours is a section of options and a line of ``KINDS`` and ``NEEDS`` in
``jaxseg.config.decoders``, a field of the configuration, a row here and a function. One of your own
is an object of the same type, given in place of a name; a configuration names it ``module:name``.
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
from jaxseg.config.places import at_place
from jaxseg.decoding.affinities.agglomeration import agglomeration_steps
from jaxseg.decoding.affinities.mutex import mutex_steps
from jaxseg.decoding.embedseg import embedseg
from jaxseg.decoding.flow import flow_problems, flow_steps
from jaxseg.decoding.knobs import (
    agglomeration_knobs,
    embedseg_knobs,
    flow_knobs,
    mutex_knobs,
    stardist_knobs,
    watershed_knobs,
)
from jaxseg.decoding.mask import check_columns
from jaxseg.decoding.stardist import package_problems, stardist, stardist_problems
from jaxseg.decoding.watershed.decode import Steps, watershed_steps
from jaxseg.decoding.watershed.plan import block_problems, plan_problems
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


def nothing_to_tune(channels: Sequence[Channel], ndim: int) -> Mapping[str, tuple[Any, ...]]:
    """Of a decoder whose options are given by hand."""
    return {}


@dataclass(frozen=True, kw_only=True)
class DecoderSpec:
    """One row of the table."""

    # what it is called, in messages and names of files
    name: str
    # its options where none are given; None = it has none
    options: Any = None
    # names of the channels that it cannot do without
    needs: frozenset[str] = frozenset()
    # (planes (*S, K), channels, *, spacing, options, within) to Decoded; ``within`` is (*S) bool,
    # where objects may be, or None
    run: Callable[..., Decoded]
    # (channels, *, ndim, options) to what would stop it, before anything is computed
    problems: Callable[..., list[JaxsegError]] = field(default=nothing_wrong)
    # the same, to what keeps it from working block by block
    divided: Callable[..., list[JaxsegError]] = field(default=nothing_wrong)
    # () to the packages that it needs and that are not installed
    missing: Callable[[], list[JaxsegError]] = list
    # (channels, ndim) to the options worth tuning, each with its values, the usual ones first
    tunes: Callable[..., Mapping[str, tuple[Any, ...]]] = field(default=nothing_to_tune)
    # jaxseg.stages.decoders.Decoding to the last stage by blocks; None = every block alone, joined
    # by what they share
    stages: Callable[..., Any] | None = None


def _watershed(
    planes: np.ndarray, channels: Sequence[Channel], *, spacing: Any, options: Any, within: Any
) -> Decoded:
    found = watershed_steps(planes, channels, spacing=spacing, options=options, within=within)
    return Decoded(found.labels, pictures(found) if options.check_files else {})


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
        "semantic": found.surface.astype(np.float32),
        "foreground": found.mask.astype(np.uint8),
        "watershed": found.labels,
    }


def _row(name: str, run: Callable[..., Decoded], **facts: Any) -> DecoderSpec:
    """A row whose options and channels the configuration knows."""
    return DecoderSpec(name=name, options=KINDS[name](), needs=NEEDS[name], run=run, **facts)


DECODERS: Mapping[str, DecoderSpec] = MappingProxyType(
    {
        row.name: row
        for row in (
            _row("stardist", _confined(stardist), problems=stardist_problems,
                 missing=package_problems, tunes=stardist_knobs),
            _row("embedseg", _confined(embedseg), tunes=embedseg_knobs),
            _row("flow", _in_steps(flow_steps), problems=flow_problems, tunes=flow_knobs),
            _row("agglomeration", _in_steps(agglomeration_steps), tunes=agglomeration_knobs),
            _row("mutex", _in_steps(mutex_steps), tunes=mutex_knobs),
            _row("watershed", _watershed, problems=plan_problems, divided=block_problems,
                 tunes=watershed_knobs),
        )
    }
)  # fmt: skip


def row_of(channels: Sequence[Channel], decoder: str | DecoderSpec = "auto") -> DecoderSpec:
    """The decoder to use.

    Parameters
    ----------
    channels : of the planes
    decoder : the name of a row of the table, a row of your own or ``module:name`` of it, or auto
        for the one that suits the channels

    Returns
    -------
    DecoderSpec

    Raises
    ------
    ConfigError : there is no such decoder, or it needs other channels
    """
    names = [channel.name for channel in of_instances(channels)]
    if isinstance(decoder, str):
        row = _named(decoder_for(names) if decoder == "auto" else decoder)
    else:
        row = decoder
    if not row.needs <= set(names):
        raise ConfigError(
            f"the decoder {row.name} needs other channels",
            expected=" ".join(sorted(row.needs)),
            found=" ".join(sorted(names)),
        )
    return row


def _named(decoder: str) -> DecoderSpec:
    """The row of a name, ours or one of a module."""
    if decoder in DECODERS:
        return DECODERS[decoder]
    if ":" not in decoder:
        raise ConfigError(
            "no such decoder", expected=f"{' '.join(DECODERS)} or module:name", found=decoder
        )
    row = at_place(decoder, "decoder")
    if not isinstance(row, DecoderSpec):
        raise ConfigError("this is no decoder", expected="a DecoderSpec", found=decoder)
    return row


def decoder_of(channels: Sequence[Channel], decoder: str | DecoderSpec = "auto") -> str:
    """The name of the decoder to use; parameters and errors as for :func:`row_of`.

    >>> from jaxseg.config import ch
    >>> decoder_of((ch("A"),)), decoder_of((ch("A"), ch("F"))), decoder_of((ch("A"),), "mutex")
    ('agglomeration', 'watershed', 'mutex')
    """
    return row_of(channels, decoder).name


def decoder_problems(
    channels: Sequence[Channel],
    *,
    ndim: int,
    decoder: str | DecoderSpec = "auto",
    options: Any = None,
) -> list[JaxsegError]:
    """What is wrong with a decoder for these channels, to be told before anything is computed.

    Parameters
    ----------
    channels : of the planes
    ndim : 2 or 3
    decoder : as for :func:`row_of`
    options : of that decoder, None = the defaults

    Returns
    -------
    list of errors, empty if the planes can be decoded
    """
    try:
        row = row_of(channels, decoder)
    except JaxsegError as error:
        return [error]
    alone = [] if options is None else list(problems(options, row.name, type(row.options)))
    if any(isinstance(problem, Misfit) for problem in alone):
        return list(alone)
    wrong = row.problems(of_instances(channels), ndim=ndim, options=options)
    told = {str(problem) for problem in wrong}
    return [*(problem for problem in alone if str(problem) not in told), *wrong]


def run_decoder(
    planes: np.ndarray,
    channels: Sequence[Channel],
    *,
    spacing: Sequence[float] | None = None,
    decoder: str | DecoderSpec = "auto",
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
    row = row_of(kept, decoder)
    chosen = row.options if options is None else options
    return row.run(planes, kept, spacing=spacing, options=chosen, within=within)


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
