"""Which column of ``planes`` is what: the one place where columns are counted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from jaxseg.channels.spec import ChannelSpec
from jaxseg.channels.table import spec_of
from jaxseg.config import Channel
from jaxseg.errors import ConfigError
from jaxseg.symmetry import Kind


@dataclass(frozen=True)
class Columns(Mapping[str, slice]):
    """The columns of a list of channels, as a mapping from name of channel to slice.

    Parameters
    ----------
    slices : per channel, in the order of the list
    names : one per column
    """

    slices: Mapping[str, slice]
    names: tuple[str, ...]

    @property
    def total(self) -> int:
        """Number of columns."""
        return len(self.names)

    def __getitem__(self, name: str) -> slice:
        return self.slices[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.slices)

    def __len__(self) -> int:
        return len(self.slices)


def columns(channels: Sequence[Channel], ndim: int) -> Columns:
    """Which columns of the predicted planes belong to which channel.

    Parameters
    ----------
    channels : in the order of the planes
    ndim : 2 or 3

    Returns
    -------
    Columns

    Raises
    ------
    ConfigError : a channel that is listed twice or does not exist in this dimension

    >>> from jaxseg.config import ch
    >>> found = columns((ch("F"), ch("A")), 3)
    >>> found["A"], found.names
    (slice(1, 4, None), ('F', 'A_0_0_1', 'A_0_1_0', 'A_1_0_0'))
    """
    slices: dict[str, slice] = {}
    names: list[str] = []
    for channel in channels:
        spec = row(channel, ndim)
        if channel.name in slices:
            raise ConfigError(f"channel {channel.name} is listed twice")
        own = spec.column_names(channel.name, ndim, channel.options)
        slices[channel.name] = slice(len(names), len(names) + len(own))
        names += own
    return Columns(slices, tuple(names))


def row(channel: Channel, ndim: int) -> ChannelSpec:
    """The row of the table for a channel, if the channel exists in this dimension."""
    spec = spec_of(channel)
    if ndim not in spec.ndims:
        raise ConfigError(f"channel {channel.name} does not exist in {ndim}D", fix="remove it")
    return spec


def ndim_of(planes: Any, channels: Sequence[Channel]) -> int:
    """Number of spatial dimensions of planes, told by their number of columns.

    Parameters
    ----------
    planes : (..., K) values or logits, with leading batch axes or without
    channels : that they show

    Returns
    -------
    2 or 3; where both would have K columns the layout is the same, and 2 is returned

    Raises
    ------
    ConfigError : K columns are not what these channels have
    """
    totals = {ndim: _total(channels, ndim) for ndim in (2, 3)}
    for ndim, total in totals.items():
        if total == planes.shape[-1]:
            return ndim
    raise ConfigError(
        "the planes do not fit the channels",
        expected=" or ".join(
            f"{total} columns in {ndim}D" for ndim, total in totals.items() if total
        ),
        found=f"{planes.shape[-1]} columns",
    )


def _total(channels: Sequence[Channel], ndim: int) -> int:
    """Number of columns; 0 where a channel does not exist in this dimension."""
    try:
        return columns(channels, ndim).total
    except ConfigError:
        return 0


def kinds(channels: Sequence[Channel], ndim: int) -> list[tuple[str, Kind, int]]:
    """How the predicted columns move when an image is turned, for :func:`jaxseg.symmetry.moves`.

    Parameters
    ----------
    channels : in the order of the planes
    ndim : 2 or 3

    Returns
    -------
    name, kind and number of columns of every channel
    """
    found = []
    for channel in channels:
        spec = row(channel, ndim)
        width = spec.width(ndim, channel.options)
        found.append((channel.name, spec.symmetry(ndim, channel.options), width))
    return found


def activate(logits: jax.Array, channels: Sequence[Channel]) -> jax.Array:
    """Values of the channels from the logits of the network, each by its own link function.

    Parameters
    ----------
    logits : (..., K) float, with leading batch axes or without
    channels : in the order of the columns

    Returns
    -------
    (..., K) float32

    Raises
    ------
    ConfigError : K columns are not what these channels have

    >>> from jaxseg.config import ch
    >>> activate(jnp.zeros((1, 1, 2)), (ch("F"), ch("H")))[0, 0].tolist()
    [0.5, 0.0]
    """
    places = columns(channels, ndim_of(logits, channels))
    logits = jnp.asarray(logits, jnp.float32)
    linked = [
        spec_of(channel).link(logits[..., places[channel.name]], channel.options)
        for channel in channels
    ]
    return jnp.concatenate(linked, axis=-1)
