"""The blocks of a volume: what a job owns, what it reads, and where two blocks are compared.

One axis, blocks of 8 voxels, halo 3, band 2:

```
volume       [0 . . . . . . . . . . . . . . . . . . . . . 20)
block 0      [C C C C C C C C]h h h
block 1                h h h [C C C C C C C C]h h h
block 2                                h h h [C C C C]          the last one may be shorter
band                       [b b b b]     [b b b b]              in both neighbours' ``wide`` boxes
```
Cores tile the volume; each voxel belongs to one block. A block is decoded in its core and halo, of
which the core and a band around it are kept: in the band, neighbouring blocks labelled the same
voxels. All follows from the number of a block, so that any job may do it, in any order.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from jaxseg.config.blocks import parse_shard
from jaxseg.errors import ConfigError
from jaxseg.geometry import Box


@dataclass(frozen=True)
class Block:
    """One block: what it owns, what it keeps for its neighbours, and what it reads."""

    number: int
    index: tuple[int, ...]
    core: Box
    """The voxels that are this block's alone."""
    wide: Box
    """The core and the band around it, in the volume."""
    read: Box
    """The core and the halo around it, in the volume."""


@dataclass(frozen=True)
class BlockGrid:
    """Equal blocks that cover a volume, numbered in C order; stored with everything made of them.

    Parameters
    ----------
    shape : voxels of the volume, (z)yx
    block : sides of a core; the last one along an axis may be shorter
    halo : context on each side when a block is decoded
    band : voxels on each side of a boundary in which neighbours are compared

    Raises
    ------
    ConfigError : these numbers give no grid

    >>> grid = BlockGrid((20,), (8,), (3,), (2,))
    >>> len(grid), grid[1].core, grid[2].read
    (3, Box(start=(8,), stop=(16,)), Box(start=(13,), stop=(20,)))
    """

    shape: tuple[int, ...]
    block: tuple[int, ...]
    halo: tuple[int, ...]
    band: tuple[int, ...]

    def __post_init__(self) -> None:
        axes = (self.shape, self.block, self.halo, self.band)
        if len({len(values) for values in axes}) != 1:
            raise ConfigError("shape, block, halo and band differ in length", found=axes)
        for axis, (size, block, halo, band) in enumerate(zip(*axes, strict=True)):
            if min(size, block) < 1 or not 1 <= band <= min(halo, block):
                raise ConfigError(
                    f"axis {axis} of the blocks",
                    expected="sizes of at least 1, a band from 1 to the halo and the block",
                    found=f"size {size}, block {block}, halo {halo}, band {band}",
                )

    @property
    def count(self) -> tuple[int, ...]:
        """Blocks along each axis."""
        return tuple(-(-n // b) for n, b in zip(self.shape, self.block, strict=True))

    def __len__(self) -> int:
        return math.prod(self.count)

    def __getitem__(self, number: int) -> Block:
        if not 0 <= number < len(self):
            raise IndexError(f"block {number} of {len(self)}")
        index, rest = [], number
        for count in reversed(self.count):
            rest, place = divmod(rest, count)
            index.append(place)
        return self.at(tuple(reversed(index)))

    def __iter__(self) -> Iterator[Block]:
        return (self[number] for number in range(len(self)))

    def at(self, index: tuple[int, ...]) -> Block:
        """The block at a position of the grid."""
        start = tuple(i * b for i, b in zip(index, self.block, strict=True))
        stop = tuple(min(a + b, n) for a, b, n in zip(start, self.block, self.shape, strict=True))
        core, number = Box(start, stop), 0
        for place, count in zip(index, self.count, strict=True):
            number = number * count + place
        return Block(
            number,
            index,
            core,
            core.grown(self.band, self.shape),
            core.grown(self.halo, self.shape),
        )

    def neighbours(self, block: Block) -> Iterator[Block]:
        """Blocks of larger number that share a face, an edge or a corner with a block.

        >>> grid = BlockGrid((4, 4), (2, 2), (1, 1), (1, 1))
        >>> [[other.number for other in grid.neighbours(block)] for block in grid]
        [[1, 2, 3], [2, 3], [3], []]
        """
        for step in itertools.product((-1, 0, 1), repeat=len(self.shape)):
            index = tuple(i + s for i, s in zip(block.index, step, strict=True))
            inside = all(0 <= i < n for i, n in zip(index, self.count, strict=True))
            if step > (0,) * len(step) and inside:
                yield self.at(index)

    def slab(self, block: Block, axis: int, side: int) -> Box:
        """The part of a block's wide box about its lower (-1) or upper (1) end along an axis."""
        start, stop, wide = list(block.wide.start), list(block.wide.stop), block.wide
        if side < 0:
            stop[axis] = min(block.core.start[axis] + self.band[axis], wide.stop[axis])
        else:
            start[axis] = max(block.core.stop[axis] - self.band[axis], wide.start[axis])
        return Box(tuple(start), tuple(stop))

    def layers(self, z_start: int = -1, z_end: int = -1) -> range:
        """Numbers of the blocks of a job that is given a range along the first axis.

        The first layer is ``ceil(z_start / block)``, the layer ``ceil(z_end / block)`` is the first
        that is left out: ranges that follow one another share no block and leave none out, wherever
        they are cut.

        Parameters
        ----------
        z_start, z_end : in voxels; -1 = from the first, to the last

        >>> grid = BlockGrid((20, 4), (8, 4), (1, 1), (1, 1))
        >>> grid.layers(0, 9), grid.layers(9)
        (range(0, 2), range(2, 3))
        """
        first = 0 if z_start < 0 else -(-z_start // self.block[0])
        last = self.count[0] if z_end < 0 else min(-(-z_end // self.block[0]), self.count[0])
        layer = math.prod(self.count[1:])
        return range(min(first, last) * layer, last * layer)

    def to_plain(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {name: list(value) for name, value in asdict(self).items()}

    @classmethod
    def from_plain(cls, data: dict[str, Any]) -> BlockGrid:
        """The inverse of :meth:`to_plain`."""
        return cls(**{name: tuple(value) for name, value in data.items()})


def shard_of(numbers: range, shard: str) -> range:
    """The part of some blocks that one of several jobs does.

    Parameters
    ----------
    numbers : of blocks
    shard : ``"i/n"``, job i of n counted from 0; empty = all

    Raises
    ------
    ConfigError : not of this form

    >>> [list(shard_of(range(5), f"{i}/3")) for i in range(3)]
    [[0], [1, 2], [3, 4]]
    """
    if not shard:
        return numbers
    found, size = parse_shard(shard), len(numbers)
    if found is None:
        raise ConfigError("not a part of the work", expected="i/n, 0 <= i < n", found=repr(shard))
    place, parts = found
    return numbers[place * size // parts : (place + 1) * size // parts]
