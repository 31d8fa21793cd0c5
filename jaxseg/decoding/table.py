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

from jaxseg import instances
from jaxseg.config import Channel
from jaxseg.decoding.plan import plan_problems
from jaxseg.decoding.stardist import stardist, stardist_problems
from jaxseg.decoding.watershed import watershed_steps
from jaxseg.errors import JaxsegError


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
class Decoder:
    """One row of the table."""

    # (planes (*S, K), channels, *, spacing, options, within) to Decoded; ``within`` is (*S) bool,
    # where objects may be, or None
    run: Callable[..., Decoded]
    # (channels, *, ndim, options) to what would stop it, before anything is computed
    problems: Callable[..., list[JaxsegError]] = field(default=nothing_wrong)


def _watershed(
    planes: np.ndarray, channels: Sequence[Channel], *, spacing: Any, options: Any, within: Any
) -> Decoded:
    found = watershed_steps(planes, channels, spacing=spacing, options=options, within=within)
    steps = {
        "seed_map": found.seeds,
        "semantic": found.mask.astype(np.uint8),
        "foreground": found.surface.astype(np.float32),
    }
    return Decoded(found.labels, steps if options is None or options.check_files else {})


def _confined(decoder: Callable[..., np.ndarray]) -> Callable[..., Decoded]:
    """A decoder of whole images as a row; what lies outside a region is cut off afterwards."""

    def run(
        planes: np.ndarray, channels: Sequence[Channel], *, spacing: Any, options: Any, within: Any
    ) -> Decoded:
        labels = decoder(planes, channels, spacing=spacing, options=options)
        if within is not None:
            labels = instances.compact(np.where(within, labels, 0))
        return Decoded(labels)

    return run


DECODERS: Mapping[str, Decoder] = MappingProxyType(
    {
        "stardist": Decoder(run=_confined(stardist), problems=stardist_problems),
        "watershed": Decoder(run=_watershed, problems=plan_problems),
    }
)
