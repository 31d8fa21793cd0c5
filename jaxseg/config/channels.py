"""Channels as data: the name of a representation, its typed options and its weight in the loss.

What a channel *does* stands in one row of the table in ``jaxseg.channels``; here is only what a
configuration file or a command line may say about it. Nothing here imports JAX.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, Any

import tyro

from jaxseg.config.channel_options import (
    Affinity,
    Background,
    BoundaryDistance,
    CentreDistance,
    CentreGaussian,
    ChannelOptions,
    Contour,
    ContourOrForeground,
    Embedding,
    Flow,
    Foreground,
    LossName,
    Marker,
    NeighbourCloseness,
    Offset,
    Partner,
    Radial,
    Semantic,
    SignedDistance,
    Site,
    Touching,
)
from jaxseg.config.limits import above
from jaxseg.config.option import checked, join, nearest, option, section, shown
from jaxseg.config.places import WORD
from jaxseg.errors import ConfigError

OPTIONS: Mapping[str, type] = MappingProxyType(
    {
        "F": Foreground,
        "B": Background,
        "P": Marker,
        "C": Contour,
        "T": Touching,
        "M": ContourOrForeground,
        "Db": BoundaryDistance,
        "Dc": CentreDistance,
        "Dn": NeighbourCloseness,
        "G": CentreGaussian,
        "D": SignedDistance,
        "H": Offset,
        "V": Offset,
        "Z": Offset,
        "A": Affinity,
        "E": Embedding,
        "Gv": Flow,
        "Gh": Flow,
        "Gz": Flow,
        "S": Semantic,
        "R": Radial,
        "F_pre": Site,
        "F_post": Site,
        "H_pre": Partner,
        "V_pre": Partner,
        "Z_pre": Partner,
    }
)


@section
class Channel:
    """One channel of a representation; make it with :func:`ch`."""

    name: Annotated[str, tyro.conf.Fixed]
    """A row of the channel table, or the name of a row of your own."""
    options: Annotated[
        Foreground
        | Background
        | Contour
        | Marker
        | Touching
        | ContourOrForeground
        | BoundaryDistance
        | CentreDistance
        | NeighbourCloseness
        | CentreGaussian
        | SignedDistance
        | Offset
        | Affinity
        | Flow
        | Radial
        | Embedding
        | Semantic
        | Site
        | Partner
        | ChannelOptions,
        tyro.conf.AvoidSubcommands,
    ] = option(ChannelOptions())
    """Those of this channel."""
    weight: float = option(1.0, above(0))
    """Weight of this channel in the loss."""
    loss: Annotated[LossName | Callable[..., Any], WORD] = option("default")
    """Error of a voxel, by default the channel's own; bce and ce are cross entropy, mse the squared
    and mae the absolute error: those of them that the channel can be learned with. In a
    configuration file also a function of linked and true values, both (..., k), to (..., k)."""
    spec: Annotated[Any, WORD, tyro.conf.Suppress] = option(None)
    """A row of your own, a :class:`jaxseg.channels.ChannelSpec`, in place of one of the table."""

    def problems(self, where: str) -> Iterator[ConfigError]:
        """A loss that the channel can be learned with, and a row that is there."""
        legal = ("default", *self.options.losses)
        if not callable(self.loss) and self.loss not in legal:
            yield ConfigError(
                f"channel {self.name} cannot be learned with this loss",
                where=join(where, "loss"),
                expected=f"one of {', '.join(legal)}, or a function",
                found=self.loss,
            )
        if callable(self.loss) and self.options.joint:
            yield ConfigError(
                f"channel {self.name} is compared with whole objects, not voxel by voxel",
                where=join(where, "loss"),
                expected="default",
            )
        if self.spec is None and self.name not in OPTIONS:
            yield ConfigError(
                f"unknown channel {self.name!r}{nearest(self.name, OPTIONS)}",
                where=join(where, "name"),
                expected=f"one of {' '.join(OPTIONS)}",
            )
        kind = OPTIONS.get(self.name) if self.spec is None else getattr(self.spec, "options", None)
        if self.spec is not None and not dataclasses.is_dataclass(kind):
            yield ConfigError(
                "not a row of a channel",
                where=join(where, "spec"),
                expected="a jaxseg.channels.ChannelSpec",
                found=shown(self.spec),
            )
        elif isinstance(kind, type) and not isinstance(self.options, kind):
            yield ConfigError(
                f"options of another channel than {self.name}",
                where=join(where, "options"),
                expected=kind.__name__,
                found=type(self.options).__name__,
            )


def ch(
    name: str,
    *,
    weight: float = 1.0,
    loss: LossName | Callable[..., Any] = "default",
    spec: Any = None,
    **options: Any,
) -> Channel:
    """A channel by name, with its options checked.

    Parameters
    ----------
    name : str
        A row of the channel table, e.g. F, C, Db, D, H, V, Z, A or S, or any name for ``spec``.
    weight : float
        Of this channel in the loss.
    loss : str or function
        Error of a voxel: one of the ``losses`` of the channel's options, or a function of linked
        and true values, both (..., k), to errors (..., k).
    spec : jaxseg.channels.ChannelSpec, optional
        A row of your own.
    **options
        Fields of the channel's options, e.g. ``mode="inner"`` for C.

    Returns
    -------
    Channel

    Raises
    ------
    ConfigError
        Unknown channel or option, with the nearest legal one, or an illegal value.

    Examples
    --------
    >>> ch("Db", norm=False).options
    BoundaryDistance(norm=False, mask_values=False)
    """
    if spec is None and name not in OPTIONS:
        raise ConfigError(
            f"unknown channel {name!r}{nearest(str(name), OPTIONS)}",
            expected=f"one of {' '.join(OPTIONS)}",
        )
    kind = OPTIONS[name] if spec is None else spec.options
    legal = [field.name for field in dataclasses.fields(kind)]
    for unknown in options.keys() - set(legal):
        raise ConfigError(
            f"channel {name} has no option {unknown!r}{nearest(unknown, legal)}",
            expected=f"one of {', '.join([*legal, 'weight', 'loss'])}",
        )
    channel = Channel(name=name, options=kind(**options), weight=weight, loss=loss, spec=spec)
    return checked(channel, Channel, f"channel {name}")
