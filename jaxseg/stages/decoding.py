"""What a decoder is given, whichever it is and however it works."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from jaxseg.blocks import BlockGrid
from jaxseg.blocks.stage import Output, Results, Step, View
from jaxseg.config import Channel
from jaxseg.decoding import of_instances, planes_of_instances
from jaxseg.decoding.table import DecoderSpec
from jaxseg.geometry import Box

Array = np.ndarray


@dataclasses.dataclass(frozen=True)
class Decoding:
    """What a decoder is given.

    Parameters
    ----------
    planes, raw : (*S, K), filtered and as predicted; the same where nothing is filtered
    region : (*S) bool, where objects may be; None = everywhere
    grid : the blocks
    channels : of the planes
    decoder, options : its row or its name, and its options
    output : the labels; the type follows from the number of objects
    creating, joining : values of the stages
    threshold : two objects are one if they share more than this part of their union
    picture : file of a picture of a step, by its name; None = no pictures
    """

    planes: View
    raw: View
    region: View | None
    grid: BlockGrid
    channels: tuple[Channel, ...]
    decoder: str | DecoderSpec
    options: Any
    output: Output
    creating: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    joining: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    threshold: float = 0.5
    picture: Callable[[str], Any] | None = str

    @property
    def spacing(self) -> tuple[float, ...]:
        """Size of a voxel, (z)yx, µm."""
        return self.output.spacing

    @property
    def ndim(self) -> int:
        """Axes."""
        return len(self.grid.shape)

    @property
    def needs(self) -> tuple[Step, ...]:
        """All that is read."""
        region = () if self.region is None else (self.region,)
        return tuple(dict.fromkeys([self.planes, self.raw, *region]))

    @property
    def kept(self) -> list[Channel]:
        """The channels of instances."""
        return of_instances(self.channels)

    def read(self, box: Box, results: Results, *, raw: bool = False) -> Array:
        """The planes of instances in a box."""
        found = results[self.raw if raw else self.planes].array[box.slices]
        return planes_of_instances(found, self.channels)

    def within(self, box: Box, results: Results) -> Array | None:
        """Where objects may be in a box."""
        return None if self.region is None else results[self.region].array[box.slices]
