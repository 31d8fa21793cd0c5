"""Which tiles to use for an image: little wasted computation, few shapes to compile."""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

from jaxseg.geometry import Context, TileGrid, round_up

# What a tile may hold between its halos, in training patches, so that images of common sizes fit.
# The fewer there are, the fewer shapes a folder of images of all sizes compiles.
_PATCHES = (1 / 2, 1, 5 / 4, 3 / 2, 2, 9 / 4, 5 / 2, 3, 4, 5, 6, 8)
# Voxels of one call of a network of which nothing is known.
MOST_VOXELS = 2**21


class Tiling(NamedTuple):
    """How to predict one image; ``predict(forward, image, **tiling._asdict())``."""

    tile: tuple[int, ...]
    halo: tuple[int, ...]
    overlap: tuple[int, ...]
    stride: tuple[int, ...]
    batch: int

    def grid(self, shape: tuple[int, ...]) -> TileGrid:
        """The tiles of an image of so many voxels."""
        return TileGrid(shape, self.tile, self.halo, self.overlap, self.stride)


def choose_tile(
    shape: tuple[int, ...],
    patch: tuple[int, ...],
    *,
    reach: tuple[int, ...],
    stride: tuple[int, ...],
    batch: int = 1,
    devices: int = 1,
    tile: tuple[int, ...] = (),
    halo: tuple[int, ...] = (),
    overlap: tuple[int, ...] = (),
    max_voxels: int = MOST_VOXELS,
    open_ends: bool = False,
    context: Context = (),
) -> Tiling:
    """Tile, halo, overlap and batch for one image; what is given is kept, what is empty is chosen.

    - halo: :func:`guessed_halo`; where a tile is given, no more of it than leaves half of the tile.
      A halo of a whole radius may cost ten times the computation; ask for it where tiles must equal
      the whole to the last bit. With ``open_ends`` an axis that one tile holds has none.
    - overlap: 0 where the halo covers the context or the receptive radius (tiles then agree), else
      half the halo.
    - tile: the patch, or half to eight patches and two halos along each axis, in few steps; never
      shorter than the patch unless it holds the whole axis. An axis of eight patches or more may
      also be cut into equal tiles. Of those within 15 % of the least computation, halos, overlaps
      and half-empty batches counted, the one most like the patch, so that images of different sizes
      share compiled shapes. A small image becomes one tile.
    - batch: no more than there are tiles, a multiple of the number of devices.

    Parameters
    ----------
    shape : voxels of the image, (z)yx
    patch : what the network was trained on
    reach : receptive radius of the network
    stride : total downsampling of the network
    batch, devices : most tiles per call, and how many devices share them
    tile, halo, overlap : as in ``predict``; empty = chosen here
    max_voxels : most voxels per call, unless one patch per device is more already
    open_ends : whether the network may see the ends of an image as those of a training patch,
        beyond which there is nothing, rather than what a halo shows it there
    context : what the network needs to see around a voxel, where that was measured

    Returns
    -------
    arguments for ``predict``

    Raises
    ------
    ConfigError : what is given does not fit together

    >>> tiling = choose_tile((520, 696), (256, 256), reach=(100, 100), stride=(16, 16), batch=4)
    >>> tiling.tile, tiling.halo, tiling.overlap, tiling.batch
    ((640, 832), (32, 32), (16, 16), 1)
    """
    open_ends = open_ends and not halo
    if not halo:
        halo = guessed_halo(patch, reach, stride, context)
        if tile:
            usual = guessed_halo(patch, reach, stride)
            quarters = (side // 4 // step * step for side, step in zip(tile, stride, strict=True))
            halo = tuple(map(min, halo, map(max, usual, quarters)))
    enough = [r if c is None else min(r, c) for r, c in zip(reach, context or reach, strict=True)]
    overlap = overlap or tuple(
        0 if h >= e else round_up(-(-h // 2), s)
        for h, e, s in zip(halo, enough, stride, strict=True)
    )
    axes = zip(shape, patch, halo, overlap, stride, strict=True)
    choices: list[tuple[_Along, ...]]
    large = any(map(_is_large, shape, patch))
    if tile:
        choices = [(_Along(*one),) for one in zip(tile, halo, overlap, strict=True)]
    else:
        choices = [_along(*axis, open_ends, large) for axis in axes]
    one_patch = math.prod(round_up(p, s) for p, s in zip(patch, stride, strict=True))
    limit = max(max_voxels // devices, one_patch)
    cuts = [
        Tiling(
            tuple(way.tile for way in ways),
            tuple(way.halo for way in ways),
            tuple(way.overlap for way in ways),
            stride,
            1,
        )
        for ways in itertools.product(*choices)
    ]
    fitting = [cut for cut in cuts if math.prod(cut.tile) <= limit]
    tilings = []
    for cut in fitting or [min(cuts, key=lambda cut: math.prod(cut.tile))]:
        tiles = len(cut.grid(tuple(shape)))
        most = min(batch, max_voxels // math.prod(cut.tile)) // devices * devices
        together = max(devices, min(most, round_up(tiles, devices)))
        tilings.append(cut._replace(batch=together))
    least = min(_computed(tiling, shape) for tiling in tilings)
    spare = 1.05 if large else 1.15
    good = [tiling for tiling in tilings if _computed(tiling, shape) <= spare * least]
    return min(good, key=lambda tiling: _plainness(tiling, patch))


def guessed_halo(
    patch: tuple[int, ...],
    reach: tuple[int, ...],
    stride: tuple[int, ...],
    context: Context = (),
) -> tuple[int, ...]:
    """The measured context, or an eighth of the patch where none is known; never beyond the radius.

    Parameters
    ----------
    patch, reach, stride, context : as for :func:`choose_tile`

    >>> guessed_halo((128, 128), (100, 100), (16, 16)), guessed_halo((64,), (50,), (8,), (37,))
    ((16, 16), (40,))
    """
    known = context or (None,) * len(patch)
    sides = zip(patch, reach, stride, known, strict=True)
    return tuple(round_up(min(r, -(-p // 8) if c is None else c), s) for p, r, s, c in sides)


def chunk_shape(grid: TileGrid, *, largest: int = 256) -> tuple[int, ...]:
    """Chunks for the output of a prediction that are each written whole and once, (z)yx.

    Parameters
    ----------
    grid : the tiles
    largest : longest side of a chunk where the tiles leave a choice

    Returns
    -------
    along each axis, the distance of two tiles or an even part of it

    >>> chunk_shape(TileGrid((100, 9000), (128, 1024), (8, 32), (8, 0), (8, 32)))
    (100, 240)
    """
    sides = []
    for size, step, count in zip(grid.shape, grid.step, grid.count, strict=True):
        whole = step if count > 1 else size
        parts = -(-whole // largest)
        fitting = [p for p in range(parts, 4 * parts) if count == 1 or whole % p == 0]
        sides.append(-(-whole // (fitting[0] if fitting else 1)))
    return tuple(sides)


def _is_large(size: int, patch: int) -> bool:
    """Whether an axis is so long that an image is worth shapes of its own."""
    return size >= _PATCHES[-1] * patch


class _Along(NamedTuple):
    """How to cut one axis."""

    tile: int
    halo: int
    overlap: int


def _along(
    size: int, patch: int, halo: int, overlap: int, stride: int, open_ends: bool, large: bool
) -> tuple[_Along, ...]:
    """Ways to cut one axis: in few steps of length, up to the first that holds the whole.

    Of a large image also into equal parts, or not at all.
    """
    least = round_up(2 * halo + overlap + stride, stride)
    lengths = [patch, *(math.ceil(patch * n) + 2 * halo for n in _PATCHES)]
    ladder = sorted({max(least, round_up(length, stride)) for length in lengths})
    whole = next((length for length in ladder if length >= size + 2 * halo), ladder[-1])
    ways = {n for n in ladder if n == whole or patch <= n < whole}
    if large:
        parts = range(2, size // patch)
        equal = (-(-(size + (n - 1) * overlap) // n) + 2 * halo for n in parts)
        ways |= {max(least, round_up(length, stride)) for length in equal}
    found = [_Along(n, halo, overlap) for n in sorted(ways)]
    if open_ends:
        open_ladder = (round_up(math.ceil(patch * n), stride) for n in _PATCHES)
        held = round_up(size, stride) if large else min(n for n in open_ladder if n >= size)
        found = [*(one for one in found if one.tile < size), _Along(held, 0, 0)]
    return tuple(found)


def _computed(tiling: Tiling, shape: tuple[int, ...]) -> int:
    """Voxels that the network sees for one image, those of half-empty batches included."""
    return round_up(len(tiling.grid(tuple(shape))), tiling.batch) * math.prod(tiling.tile)


def _plainness(tiling: Tiling, patch: tuple[int, ...]) -> tuple[float, int]:
    """Low for tiles of the shape of the patch, then for small ones: few shapes, often met."""
    scales = [t / p for t, p in zip(tiling.tile, patch, strict=True)]
    return max(scales) / min(scales), math.prod(tiling.tile)
