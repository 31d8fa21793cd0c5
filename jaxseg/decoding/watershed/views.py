"""What a channel, or a group of channels, says about objects, read off its planes.

A channel of scalars says it by itself; the components of one vector say it together; affinities
are brought down to one plane. Which of these it is follows from how the columns of the channel
move when an image is turned (``jaxseg.symmetry``), so that no channel is known here by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from jaxseg.channels import columns, spec_of
from jaxseg.config import Channel
from jaxseg.decoding.affinities.affinity_map import loosest_edge, nearest_offsets, tightest_edge
from jaxseg.decoding.watershed.offset_map import offset_boundary, offset_size
from jaxseg.symmetry import Component, Corner, Edges, Kind, Scalar

# Voxels about the centre of a vector's object whose offset is too small to tell inside from
# outside; also the softening of boundaries there. Parts of a unit.
NEAR_CENTRE = 0.2
# An offset in µm that jumps by more than half so many voxels shows a boundary; a normalised one,
# half the distance from centre to boundary.
JUMP_VOXELS = 3.0
# A vector's boundary map is the surest surface there is: no rank in the table is higher.
VECTOR_RANK = 100
# So many voxels of a length part objects as much as the whole range of a normalised channel.
LENGTH = 4.0


@dataclass(frozen=True)
class Source:
    """One channel, or the components of one vector, in the order of the channel list.

    Parameters
    ----------
    channels : one, or all components of the vector
    kind : of the first
    starts : first column of each
    spacing : size of a voxel, (z)yx, µm
    """

    channels: tuple[Channel, ...]
    kind: Kind
    starts: tuple[int, ...]
    spacing: tuple[float, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the channels."""
        return tuple(channel.name for channel in self.channels)

    @property
    def is_vector(self) -> bool:
        """Whether it is offsets from a centre along axes."""
        return isinstance(self.kind, Component) and self.kind.family == "centre"

    @property
    def options(self) -> Any:
        """Options of the first channel."""
        return self.channels[0].options

    @property
    def unit(self) -> float:
        """A typical difference between inside and outside: 1, or for lengths the finest voxel."""
        linear = getattr(self.options, "activation", "linear") == "linear"
        return min(self.spacing) if self.measures_lengths and linear else 1.0

    @property
    def measures_lengths(self) -> bool:
        """Whether the values are lengths in µm, or follow from them."""
        return not getattr(self.options, "norm", True)

    @property
    def seed(self) -> int:
        """Sign in finding seeds; boundaries of vectors are low inside."""
        return -1 if self.is_vector else spec_of(self.channels[0]).watershed.seed

    @property
    def growth(self) -> int:
        """Rank as growth mask by a threshold, 0 = not by one."""
        row = spec_of(self.channels[0]).watershed
        return row.growth if not self.is_vector and row.bounds(self.options) else 0

    @property
    def encloses(self) -> bool:
        """Whether objects are what lies between its voxels."""
        return not self.is_vector and spec_of(self.channels[0]).watershed.encloses

    @property
    def mark_size(self) -> int:
        """Voxels by which it marks every object, 0 = it marks none."""
        size = spec_of(self.channels[0]).watershed.mark_size
        return size(len(self.spacing), self.options) if size else 0

    @property
    def relief(self) -> float:
        """How much a unit of it counts in the map whose peaks are seeds, 0 = it parts nothing."""
        weight = 1.0 if self.is_vector else spec_of(self.channels[0]).watershed.relief
        linear = getattr(self.options, "activation", "linear") == "linear"
        lengths = self.measures_lengths and linear and not self.is_vector
        return weight / (LENGTH * self.unit) if lengths else weight

    @property
    def tells_depth(self) -> bool:
        """Whether its values, in parts of an object's own, say how far inside a voxel is."""
        return not self.is_vector and not spec_of(self.channels[0]).binary

    @property
    def is_mask(self) -> bool:
        """Whether it marks whole objects, or all that is outside of them, by yes and no."""
        return (
            isinstance(self.kind, Scalar) and self.growth > 0 and spec_of(self.channels[0]).binary
        )

    @property
    def surface(self) -> int:
        """Rank as surface, 0 = never."""
        return VECTOR_RANK if self.is_vector else spec_of(self.channels[0]).watershed.surface

    @property
    def surface_sign(self) -> int:
        """1: low inside objects; -1: high inside."""
        return 1 if self.is_vector else spec_of(self.channels[0]).watershed.surface_sign


def sources(
    channels: Sequence[Channel], ndim: int, spacing: Sequence[float] | None
) -> tuple[Source, ...]:
    """The sources of a list of channels, in its order.

    Raises
    ------
    ConfigError : a channel that does not exist in this dimension, or is listed twice
    """
    places = columns(channels, ndim)
    groups: dict[Any, list[tuple[Channel, Kind]]] = {}
    for channel in channels:
        kind = spec_of(channel).symmetry(ndim, channel.options)
        group = ("vector", kind.family) if isinstance(kind, Component) else channel.name
        groups.setdefault(group, []).append((channel, kind))
    sizes = tuple(map(float, spacing)) if spacing is not None else (1.0,) * ndim
    return tuple(_source(members, places, sizes) for members in groups.values())


def _source(
    members: Sequence[tuple[Channel, Kind]],
    places: Mapping[str, slice],
    spacing: tuple[float, ...],
) -> Source:
    found, kinds = zip(*members, strict=True)
    starts = tuple(places[channel.name].start for channel in found)
    return Source(found, kinds[0], starts, spacing)


# ------------------------------------------------------------------------ planes of a source


def scalar_plane(planes: np.ndarray, source: Source, mask: np.ndarray | None) -> np.ndarray:
    """The plane itself."""
    return np.asarray(planes[..., source.starts[0]], np.float32)


def edges_inside(planes: np.ndarray, source: Source, mask: np.ndarray | None) -> np.ndarray:
    """Affinity of the weakest edge at every voxel: high where all neighbours are of the object."""
    return tightest_edge(*near_edges(planes, source))


def edges_anywhere(planes: np.ndarray, source: Source, mask: np.ndarray | None) -> np.ndarray:
    """Affinity of the strongest edge at every voxel: high out to the outermost voxels."""
    return loosest_edge(*near_edges(planes, source))


def vector_boundary(planes: np.ndarray, source: Source, mask: np.ndarray | None) -> np.ndarray:
    """Boundaries out of offsets, 0 to 1."""
    found = offsets(planes, source)
    inside = mask if mask is not None else np.ones(planes.shape[:-1], bool)
    jump = JUMP_VOXELS * source.unit if source.measures_lengths else 1.0
    return offset_boundary(found, inside, soft=NEAR_CENTRE * source.unit, jump=jump)


def vector_size(planes: np.ndarray, source: Source, mask: np.ndarray | None) -> np.ndarray:
    """Largest offset along any axis."""
    return offset_size(offsets(planes, source))


def offsets(planes: np.ndarray, source: Source) -> dict[int, np.ndarray]:
    """For every axis of a vector, (*S) offsets from the centre, whichever way they were learnt."""
    ndim, found = planes.ndim - 1, {}
    for channel, start in zip(source.channels, source.starts, strict=True):
        kind: Any = spec_of(channel).symmetry(ndim, channel.options)
        towards = getattr(channel.options, "direction", "from_center") == "to_center"
        plane = np.asarray(planes[..., start], np.float32)
        found[kind.axis % ndim] = -plane if towards else plane
    return found


def near_edges(planes: np.ndarray, source: Source) -> tuple[np.ndarray, list[Sequence[int]]]:
    """The columns of offsets to direct neighbours, and those offsets."""
    kind: Any = source.kind
    near = nearest_offsets(kind.offsets)
    start = source.starts[0]
    return planes[..., [start + column for column in near]], [kind.offsets[i] for i in near]


Reader = Callable[[np.ndarray, Source, np.ndarray | None], np.ndarray]


class View(NamedTuple):
    """How planes are read in each role; surfaces are read as seeds are."""

    seed: Reader
    growth: Reader


VIEWS: Mapping[type, View] = {
    Scalar: View(scalar_plane, scalar_plane),
    Corner: View(scalar_plane, scalar_plane),
    Edges: View(edges_inside, edges_anywhere),
    Component: View(vector_boundary, vector_size),
}


def view(source: Source) -> View:
    """How the planes of a source are read."""
    return VIEWS[type(source.kind)]
