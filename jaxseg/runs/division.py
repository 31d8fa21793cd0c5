"""How the images of a run are divided: each is one block in memory, or many that have ledgers.

Planes and what is made of them may differ in that: a volume can be predicted by blocks and decoded
as a whole. Whatever depends on it follows from the values that are made here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jaxseg.blocks.grid import BlockGrid
from jaxseg.blocks.stage import whole_grid
from jaxseg.config import Config

# The phase between planes and results, which tasks may divide where they use blocks.
DECODE = "decode"


@dataclass(frozen=True)
class Division:
    """The blocks of all images.

    Parameters
    ----------
    block, halo : sides in voxels, (z)yx; empty = every image is one block in memory
    band : voxels on each side of a boundary in which the objects of two blocks are compared
    """

    block: tuple[int, ...] = ()
    halo: tuple[int, ...] = ()
    band: int = 0

    @property
    def whole(self) -> bool:
        """Whether every image is one block in memory."""
        return not self.block

    @property
    def ending(self) -> str:
        """Of a file of labels: one file, or chunks of the size of a block."""
        return ".tif" if self.whole else ".zarr"

    def grid(self, shape: Sequence[int]) -> BlockGrid:
        """The blocks of an image of so many voxels."""
        if self.whole:
            return whole_grid(shape)
        band = tuple(min(self.band, *sides) for sides in zip(self.halo, self.block, strict=True))
        return BlockGrid(tuple(shape), self.block, self.halo, band)

    def phases(self, phases: Sequence[str]) -> tuple[str, ...]:
        """In which phases the stages of a task are done, one after another.

        Parameters
        ----------
        phases : of the task

        >>> Division().phases(("create", "merge")), Division((8, 8)).phases(("create", "merge"))
        (('decode',), ('create', 'merge'))
        """
        return (DECODE,) if self.whole else tuple(phases)

    def together(self, phase: str, phases: Sequence[str]) -> tuple[str, ...]:
        """The phases of a task whose stages are done in one of :meth:`phases`."""
        return tuple(phases) if self.whole else (phase,)


def division_of_planes(config: Config) -> Division:
    """How images are divided for prediction."""
    size = config.blocks.size
    halo = config.blocks.halo or tuple(max(1, side // 4) for side in size)
    return Division(size, halo, config.blocks.band) if size else Division()


def division_of_results(config: Config) -> Division:
    """How images are divided for all that is made of planes."""
    return division_of_planes(config) if config.blocks.decodes else Division()
