"""What all networks have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

import tyro

from jaxseg.config.option import option, section
from jaxseg.errors import ConfigError

Normalisation = Literal["in", "bn", "gn", "ln", "none"]
Activation = Literal["elu", "relu", "leaky_relu", "gelu", "silu"]
Hidden = tyro.conf.Suppress


@section
class Architecture:
    """What all networks have in common: how they reduce an image, and lists of some length.

    A network of your own is a section that extends this, gives its ``reductions``, and has a method
    ``build(heads, ndim, *, style, remat)`` that gives a :class:`jaxseg.models.Model`.
    """

    architecture: Annotated[str, Hidden] = option("own")
    """Which network."""

    @property
    def reductions(self) -> tuple[int, ...]:
        """Stride along y and x of each step down."""
        return ()

    @property
    def lists(self) -> Mapping[str, int]:
        """How many values each list of the network has that may be empty."""
        return {}

    def problems(self, where: str) -> Iterator[ConfigError]:
        """Options that do not go together."""
        for name, number in self.lists.items():
            value = getattr(self, name)
            if value and len(value) != number:
                yield ConfigError(
                    "wrong number of values",
                    where=f"{where}.{name}",
                    expected=f"{number} for this network",
                    found=value,
                )
        if getattr(self, "divide_decoders", False) and not getattr(self, "separate_decoders", 0):
            yield ConfigError(
                "only separate decoders are divided",
                where=f"{where}.divide_decoders",
                fix=f"set {where}.separate_decoders, too",
            )
