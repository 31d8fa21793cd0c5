"""Mirrorings and quarter turns, and how the columns of ``planes`` move under them.

An orientation moves voxels; a column may have to move differently from its voxels: the component
of a vector changes place and sign, an affinity follows its offset. Each kind of column names its
columns by keys and says, for a turned image, which column of the original it comes from.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

Group = Literal["none", "flips", "full"]
Number = TypeVar("Number", int, float)


class Orientation(NamedTuple):
    """A signed permutation of the spatial axes: axes change places, then some are mirrored.

    Parameters
    ----------
    axes : for every axis of the result, the axis of the original that lies there
    flips : for every axis of the result, whether it is mirrored
    """

    axes: tuple[int, ...]
    flips: tuple[bool, ...]

    @property
    def transposes(self) -> bool:
        """Whether any two axes change places."""
        return self.axes != tuple(range(len(self.axes)))


def orientations(ndim: int, group: Group = "full") -> tuple[Orientation, ...]:
    """The orientations of a group, the identity first.

    Parameters
    ----------
    ndim : number of spatial axes, (z)yx
    group : none: the identity; flips: every axis mirrored or not; full: y and x exchanged as well

    Returns
    -------
    tuple of 1, ``2 ** ndim`` or ``2 * 2 ** ndim`` orientations

    >>> [len(orientations(ndim, group)) for ndim in (2, 3) for group in ("none", "flips", "full")]
    [1, 4, 8, 1, 8, 16]
    """
    same = tuple(range(ndim))
    orders = [same, (*same[:-2], ndim - 1, ndim - 2)] if group == "full" else [same]
    signs = [(False,) * ndim] if group == "none" else itertools.product((False, True), repeat=ndim)
    return tuple(Orientation(axes, flips) for flips in signs for axes in orders)


def inverse(orientation: Orientation) -> Orientation:
    """The orientation that undoes another.

    >>> inverse(Orientation((1, 0), (True, False)))
    Orientation(axes=(1, 0), flips=(False, True))
    """
    places = range(len(orientation.axes))
    axes = tuple(sorted(places, key=orientation.axes.__getitem__))
    return Orientation(axes, tuple(orientation.flips[axis] for axis in axes))


def turn(array: Any, orientation: Orientation, *, first: int = 0) -> Any:
    """An array, NumPy or JAX, in another orientation.

    Parameters
    ----------
    array : (..., *S, ...), its spatial axes beginning at axis ``first``
    orientation : of as many axes as S has
    first : number of axes before the spatial ones, e.g. 1 for a batch

    Returns
    -------
    array with the spatial axes moved, of the same type

    >>> import numpy as np
    >>> turn(np.array([[1, 2], [3, 4]]), Orientation((1, 0), (False, True)))
    array([[3, 1],
           [4, 2]])
    """
    ndim = len(orientation.axes)
    after = range(first + ndim, array.ndim)
    moved = array.transpose(*range(first), *(first + axis for axis in orientation.axes), *after)
    mirrored = [slice(None, None, -1) if flip else slice(None) for flip in orientation.flips]
    return moved[(slice(None),) * first + tuple(mirrored)]


def turn_vector(vector: Sequence[Number], orientation: Orientation) -> tuple[Number, ...]:
    """A displacement or a direction as it lies in the turned image.

    >>> turn_vector((0, 3), Orientation((1, 0), (True, False)))
    (-3, 0)
    """
    signs = (-1 if flip else 1 for flip in orientation.flips)
    return tuple(sign * vector[axis] for sign, axis in zip(signs, orientation.axes, strict=True))


class Origin(NamedTuple):
    """Where a column of the turned planes comes from: ``new[q] = sign * turned[q - shift]``.

    ``turned`` is the column named ``key`` of the original planes with its voxels turned; where
    ``q - shift`` lies outside, the original planes do not say what ``new[q]`` is.
    """

    key: Hashable
    sign: int = 1
    shift: tuple[int, ...] = ()


class Kind(Protocol):
    """How the columns of one channel move."""

    def keys(self, name: str, width: int) -> tuple[Hashable, ...]:
        """A key for every column of the channel; columns that change places share a family."""

    def origins(self, key: Any, orientation: Orientation) -> tuple[Origin, ...]:
        """The columns, any of which gives column ``key`` of the turned planes."""


@dataclass(frozen=True)
class Scalar:
    """Values that only move with their voxels, e.g. a probability or a distance."""

    def keys(self, name: str, width: int) -> tuple[Hashable, ...]:
        """One key per column."""
        return tuple((name, column) for column in range(width))

    def origins(self, key: Any, orientation: Orientation) -> tuple[Origin, ...]:
        """The column itself."""
        return (Origin(key),)


@dataclass(frozen=True)
class Component:
    """One component of a vector; the others are channels of their own.

    Parameters
    ----------
    axis : of the component, counted from the last: -1 is x
    family : name of the vector, the same for all its components
    """

    axis: int
    family: str

    def keys(self, name: str, width: int) -> tuple[Hashable, ...]:
        """The family and the axis: components of one family change places."""
        return ((self.family, self.axis),)

    def origins(self, key: Any, orientation: Orientation) -> tuple[Origin, ...]:
        """The component along the axis that now lies here, negated where it is mirrored."""
        ndim = len(orientation.axes)
        source = orientation.axes[self.axis] - ndim
        return (Origin((self.family, source), -1 if orientation.flips[self.axis] else 1),)


@dataclass(frozen=True)
class Edges:
    """One column per offset ``o``: a property of the pair of voxels ``p`` and ``p - o``.

    Parameters
    ----------
    offsets : of every column, in voxels, (z)yx
    """

    offsets: tuple[tuple[int, ...], ...]

    def keys(self, name: str, width: int) -> tuple[Hashable, ...]:
        """The offsets."""
        return tuple((name, offset) for offset in self.offsets)

    def origins(self, key: Any, orientation: Orientation) -> tuple[Origin, ...]:
        """The offset turned back or, as a pair has no direction, its opposite at the partner."""
        name, offset = key
        source = turn_vector(offset, inverse(orientation))
        opposite = tuple(-step for step in source)
        return (Origin((name, source)), Origin((name, opposite), shift=offset))


@dataclass(frozen=True)
class Corner:
    """A value of the place between voxel ``p`` and ``p + 1`` along every axis, stored at ``p``."""

    def keys(self, name: str, width: int) -> tuple[Hashable, ...]:
        """One key per column."""
        return tuple((name, column) for column in range(width))

    def origins(self, key: Any, orientation: Orientation) -> tuple[Origin, ...]:
        """The column itself, one voxel further along mirrored axes."""
        return (Origin(key, shift=tuple(-int(flip) for flip in orientation.flips)),)


@dataclass(frozen=True)
class Rays:
    """One column per direction.

    Parameters
    ----------
    directions : of every column, (z)yx; those that mirror each other are equal to the last digit
    """

    directions: tuple[tuple[float, ...], ...]

    def keys(self, name: str, width: int) -> tuple[Hashable, ...]:
        """The directions."""
        return tuple((name, direction) for direction in self.directions)

    def origins(self, key: Any, orientation: Orientation) -> tuple[Origin, ...]:
        """The direction turned back, which has a column in some orientations only."""
        name, direction = key
        return (Origin((name, turn_vector(direction, inverse(orientation)))),)


@dataclass(frozen=True)
class Embedded:
    """Per axis an offset, per axis a bandwidth, and one scalar."""

    def keys(self, name: str, width: int) -> tuple[Hashable, ...]:
        """What it is, and the axis counted from the last."""
        axes = range(-(width // 2), 0)
        parts = [(part, axis) for part in ("offset", "sigma") for axis in axes]
        return tuple((name, *part) for part in [*parts, ("seediness", 0)])

    def origins(self, key: Any, orientation: Orientation) -> tuple[Origin, ...]:
        """As a component; a bandwidth has no sign."""
        name, part, axis = key
        if part == "seediness":
            return (Origin(key),)
        source = orientation.axes[axis] - len(orientation.axes)
        mirrored = part == "offset" and orientation.flips[axis]
        return (Origin((name, part, source), -1 if mirrored else 1),)


class Move(NamedTuple):
    """Where one column of the turned planes comes from; see :class:`Origin`."""

    source: int
    sign: int
    shift: tuple[int, ...]


def moves(
    kinds: Iterable[tuple[str, Kind, int]], orientation: Orientation
) -> tuple[Move, ...] | None:
    """How all columns of ``planes`` move when the image is turned.

    Parameters
    ----------
    kinds : name, kind and number of columns of every channel, in the order of the planes
    orientation : of the turned image

    Returns
    -------
    one move per column, or None where a column comes from one that is not there, e.g. the
    affinity to the voxel three to the left, out of affinities to neighbours only

    >>> vector = [("H", Component(-1, "centre"), 1), ("V", Component(-2, "centre"), 1)]
    >>> moves(vector, Orientation((1, 0), (False, True)))[0]
    Move(source=1, sign=-1, shift=(0, 0))
    """
    columns = [(key, kind) for name, kind, width in kinds for key in kind.keys(name, width)]
    places = {key: place for place, (key, _) in enumerate(columns)}
    found = []
    for key, kind in columns:
        known = [origin for origin in kind.origins(key, orientation) if origin.key in places]
        if not known:
            return None
        shift = known[0].shift or (0,) * len(orientation.axes)
        found.append(Move(places[known[0].key], known[0].sign, shift))
    return tuple(found)
