"""Boxes, mirrored coordinates, and the grid of overlapping tiles: index arithmetic only.

One axis of the grid, with tiles of 12 voxels, halo 2, cores that overlap by 2:

```
image            [0 . . . . . . . . . . . . . . . . . . n)        mirrored beyond both ends
tile 0      h h [C C C C C C C C] h h
tile 1                  h h [C C C C C C C C] h h
tile 2                              h h [C C C C C C C C] h h     reaches past the end
                            ---         ---                       two cores: blended
```
The network sees a tile, only its core is kept. Tile ``i`` follows from ``i`` alone, so that any
part of an image can be computed by itself, in any order, by anyone, with the same result.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from jaxseg.errors import ConfigError

# What a network needs to see around a voxel, (z)yx; None along an axis = unknown, () = all are.
Context = tuple[int | None, ...]


def round_up(number: int, multiple: int) -> int:
    """The next multiple, at least the number itself."""
    return -(-number // multiple) * multiple


def context_of(values: Iterable[int | None], ndim: int) -> Context:
    """The context that a file holds.

    Raises
    ------
    TypeError, ValueError : it is none

    >>> context_of([None, 8.0], 2)
    (None, 8)
    """
    found = tuple(None if voxels is None else int(voxels) for voxels in values)
    if len(found) != ndim or any(voxels is not None and voxels < 0 for voxels in found):
        raise ValueError(f"context {list(found)}, {ndim} numbers of voxels are expected")
    return found


@dataclass(frozen=True)
class Box:
    """The voxels from ``start`` up to, not including, ``stop``; (z)yx, may lie outside an image.

    >>> Box((0, 2), (4, 8)).intersection(Box((2, 0), (9, 5)))
    Box(start=(2, 2), stop=(4, 5))
    """

    start: tuple[int, ...]
    stop: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along each axis, 0 where ``stop`` does not lie beyond ``start``."""
        return tuple(max(0, b - a) for a, b in zip(self.start, self.stop, strict=True))

    @property
    def size(self) -> int:
        """Number of voxels."""
        return math.prod(self.shape)

    @property
    def slices(self) -> tuple[slice, ...]:
        """Index of the box in an array; a box that starts before the array has none."""
        if min(self.start) < 0:
            raise ValueError(f"a box at {self.start} is no index: it starts before the array")
        return tuple(slice(a, b) for a, b in zip(self.start, self.stop, strict=True))

    def intersection(self, other: Box) -> Box:
        """The voxels in both boxes; of size 0 where there are none."""
        start = tuple(map(max, self.start, other.start))
        return Box(start, tuple(map(max, start, map(min, self.stop, other.stop))))

    def grown(self, margin: Sequence[int], shape: Sequence[int]) -> Box:
        """The box with a margin on every side, cut at the ends of a volume.

        >>> Box((0, 4), (4, 8)).grown((2, 2), (9, 9))
        Box(start=(0, 2), stop=(6, 9))
        """
        start = tuple(max(0, a - m) for a, m in zip(self.start, margin, strict=True))
        axes = zip(self.stop, margin, shape, strict=True)
        return Box(start, tuple(min(n, b + m) for b, m, n in axes))

    def relative_to(self, origin: tuple[int, ...]) -> Box:
        """The same voxels, counted from ``origin``."""
        start = tuple(a - o for a, o in zip(self.start, origin, strict=True))
        return Box(start, tuple(b - o for b, o in zip(self.stop, origin, strict=True)))


def reflect_indices(start: int, stop: int, size: int) -> np.ndarray:
    """Indices in ``[0, size)`` of the voxels ``start`` to ``stop`` of an axis mirrored for ever.

    The first and last voxel are not doubled, as in ``numpy.pad(mode="reflect")``, and the mirror
    images repeat when the range reaches further than the axis is long; one voxel repeats itself.

    Parameters
    ----------
    start, stop : range of coordinates, negative or beyond the axis as well
    size : length of the axis, at least 1

    Returns
    -------
    (max(0, stop - start),) int64

    >>> reflect_indices(-3, 6, 3)
    array([1, 2, 1, 0, 1, 2, 1, 0, 1])
    """
    period = max(1, 2 * (size - 1))
    wrapped = np.arange(start, stop) % period
    return np.minimum(wrapped, period - wrapped) if size > 1 else wrapped


@dataclass(frozen=True)
class Tile:
    """One tile: what the network reads, and which part of its answer goes where."""

    index: tuple[int, ...]
    read: Box
    """Seen by the network, in mirrored coordinates: it may reach beyond the image."""
    core: Box
    """``read`` without the halo."""
    write: Box
    """Part of the core that lies in the image."""
    crop: Box
    """``write``, counted from the start of ``read``."""


@dataclass(frozen=True)
class TileGrid:
    """Equal tiles that cover an image, each given by its number alone.

    The first voxel of every tile is a multiple of ``stride`` away from voxel 0, so that a network
    that pools sees the same phase in every tile. To that end the cores overlap by up to
    ``stride - 1`` voxels more than asked for, and the first one may begin before the image.

    Parameters
    ----------
    shape : voxels of the image, (z)yx
    tile : what the network sees, a multiple of ``stride``
    halo : context on each side of a tile that is thrown away
    overlap : least overlap of neighbouring cores
    stride : total downsampling of the network along each axis

    Raises
    ------
    ConfigError : these numbers give no grid

    >>> grid = TileGrid((10,), (8,), (2,), (0,), (1,))
    >>> len(grid), grid[2].read, grid[2].write
    (3, Box(start=(6,), stop=(14,)), Box(start=(8,), stop=(10,)))
    """

    shape: tuple[int, ...]
    tile: tuple[int, ...]
    halo: tuple[int, ...]
    overlap: tuple[int, ...]
    stride: tuple[int, ...]

    def __post_init__(self) -> None:
        axes = (self.shape, self.tile, self.halo, self.overlap, self.stride)
        if len({len(values) for values in axes}) != 1:
            raise ConfigError("shape, tile, halo, overlap and stride differ in length", found=axes)
        for axis, values in enumerate(zip(*axes, strict=True)):
            _check_axis(axis, *values)

    @property
    def core(self) -> tuple[int, ...]:
        """Voxels of a tile that are kept."""
        return tuple(t - 2 * h for t, h in zip(self.tile, self.halo, strict=True))

    @property
    def step(self) -> tuple[int, ...]:
        """Voxels from one core to the next, a multiple of the stride."""
        sides = zip(self.core, self.overlap, self.stride, strict=True)
        return tuple((core - overlap) // stride * stride for core, overlap, stride in sides)

    @property
    def origin(self) -> tuple[int, ...]:
        """Start of the first core, at most 0."""
        return tuple(h - -(-h // s) * s for h, s in zip(self.halo, self.stride, strict=True))

    @property
    def count(self) -> tuple[int, ...]:
        """Tiles along each axis."""
        axes = zip(self.shape, self.origin, self.core, self.step, strict=True)
        return tuple(1 + max(0, -(-(n - origin - core) // step)) for n, origin, core, step in axes)

    def __len__(self) -> int:
        return math.prod(self.count)

    def __getitem__(self, number: int) -> Tile:
        if not 0 <= number < len(self):
            raise IndexError(f"tile {number} of {len(self)}")
        index = np.unravel_index(number, self.count)
        return self.at(tuple(int(i) for i in index))

    def at(self, index: tuple[int, ...]) -> Tile:
        """The tile at a position of the grid."""
        axes = range(len(self.shape))
        start = tuple(self.origin[a] + index[a] * self.step[a] for a in axes)
        core = Box(start, tuple(start[a] + self.core[a] for a in axes))
        first = tuple(start[a] - self.halo[a] for a in axes)
        read = Box(first, tuple(first[a] + self.tile[a] for a in axes))
        write = core.intersection(Box((0,) * len(self.shape), self.shape))
        return Tile(index, read, core, write, write.relative_to(read.start))

    def ranges(self, box: Box) -> tuple[range, ...]:
        """Along each axis, the positions of the tiles whose cores share voxels with the box."""
        if box.size == 0:
            return tuple(range(0) for _ in self.shape)
        found = []
        for axis, (start, stop) in enumerate(zip(box.start, box.stop, strict=True)):
            origin, core, step = self.origin[axis], self.core[axis], self.step[axis]
            first = max(0, (start - origin - core) // step + 1)
            last = min(self.count[axis], -(-(stop - origin) // step))
            found.append(range(first, max(first, last)))
        return tuple(found)

    def tiles_touching(self, box: Box) -> Iterator[int]:
        """Numbers, ascending, of the tiles whose cores share voxels with the box.

        >>> list(TileGrid((10,), (8,), (2,), (0,), (1,)).tiles_touching(Box((3,), (5,))))
        [0, 1]
        """
        count = self.count
        for index in itertools.product(*self.ranges(box)):
            yield int(np.ravel_multi_index(index, count))


def _check_axis(axis: int, size: int, tile: int, halo: int, overlap: int, stride: int) -> None:
    """Refuse numbers that give no grid along one axis."""
    if size < 1 or stride < 1 or halo < 0 or overlap < 0:
        raise ConfigError(
            f"axis {axis} of the tiles",
            expected="size and stride at least 1, halo and overlap at least 0",
            found=f"size {size}, stride {stride}, halo {halo}, overlap {overlap}",
        )
    if tile % stride:
        raise ConfigError(
            f"the tile does not divide by the network's downsampling along axis {axis}",
            expected=f"a multiple of {stride}",
            found=tile,
            fix=f"use {-(-tile // stride) * stride}",
        )
    if tile < 2 * halo + overlap + stride:
        raise ConfigError(
            f"the tile holds nothing but halo and overlap along axis {axis}",
            expected=f"at least {-(-(2 * halo + overlap + stride) // stride) * stride}"
            f" (twice halo {halo}, overlap {overlap}, downsampling {stride})",
            found=tile,
            fix="a larger tile, or a smaller halo or overlap",
        )
