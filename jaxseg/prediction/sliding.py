"""Prediction of images of any size by a window that slides over them."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Any

import jax
import numpy as np

from jaxseg.errors import ConfigError
from jaxseg.geometry import Box, TileGrid
from jaxseg.prediction.blend import blended_slabs, stripes
from jaxseg.prediction.border import MIRRORED, Border
from jaxseg.prediction.stream import Forward, Prepare, answered

PerAxis = int | tuple[int, ...]

_UNWRITTEN = 2


def predict(
    forward: Forward,
    image: Any,
    out: Any = None,
    *,
    tile: tuple[int, ...],
    halo: PerAxis = 0,
    overlap: PerAxis | None = None,
    stride: PerAxis = 1,
    batch: int = 1,
    region: Box | None = None,
    budget_bytes: int = 2**29,
    prepare: Prepare | None = None,
    border: Border = MIRRORED,
    on_progress: Callable[[int, int], None] | None = None,
) -> Any:
    """Planes of an image, tile by tile through the network, blended where tiles overlap.

    The image goes on for ever beyond its ends, mirrored unless ``border`` says otherwise. Where the
    halo is at least the network's receptive radius, the result is that of one pass over the whole
    endless image; where tiles agree they are returned unchanged, to the last bit. The memory needed
    does not grow with the first axis, and not with the others beyond ``budget_bytes``. Reading, the
    network and writing overlap in time.

    Parameters
    ----------
    forward : (batch, *tile, C) float32 to (batch, *tile, K), each tile by itself
    image : (*S, C) array, or anything with ``shape`` and ``read(start, stop)`` or slicing; two or
        three spatial axes, (z)yx
    out : (*S, K) array to write into by slices, such as a Zarr array; a new float32 array if None.
        Chunks of ``chunk_shape(grid)`` are written whole, each once
    tile : what the network sees, a multiple of ``stride``
    halo : context on each side of a tile that is thrown away
    overlap : width over which neighbouring tiles are blended; None = a quarter of what the halo
        leaves of a tile
    stride : total downsampling of the network
    batch : tiles per call of the network; halved when the device runs out of memory
    region : compute this part of the image only; with the same batch, bit-identical to the same
        part of the whole. A new array has its size, ``out`` still that of the image
    budget_bytes : host memory for blending; if the cross-section of the image needs more, it is
        cut into parts, and tiles across a cut are computed twice, with the same result
    prepare : applied to the part of every tile that is inside the image, such as a normalisation;
        voxel by voxel, or else the result depends on the tiles
    border : how the image goes on, see :class:`jaxseg.prediction.border.Border`
    on_progress : called with the number of tiles done and of all tiles

    Returns
    -------
    ``out``

    Raises
    ------
    ConfigError : sizes that do not fit each other
    ResourceError : not even one tile fits the device
    NonFiniteError : the network gives NaN or infinity

    >>> image = np.arange(70.0).reshape(7, 10, 1)
    >>> planes = predict(lambda tiles: 2 * tiles, image, tile=(6, 6), halo=1, overlap=2)
    >>> bool((planes == 2 * image).all())
    True
    """
    grid = _grid(image.shape, tile, halo, overlap, stride)
    whole = Box((0,) * len(grid.shape), grid.shape)
    region = _inside(region, whole)
    planes = _planes(forward, image.shape[-1], grid, batch) if out is None else out.shape[-1]
    if out is not None and tuple(out.shape[:-1]) != grid.shape:
        raise ConfigError(
            "the output has another size than the image",
            expected=grid.shape,
            found=tuple(out.shape[:-1]),
        )
    origin = whole.start if out is not None else region.start
    out = np.empty((*region.shape, planes), np.float32) if out is None else out

    boxes = stripes(grid, region, planes, budget_bytes=budget_bytes)
    total = sum(math.prod(len(r) for r in grid.ranges(box)) for box in boxes)
    tiles = (grid[number] for box in boxes for number in grid.tiles_touching(box))
    cores = answered(
        forward, image, grid, tiles, batch=batch, planes=planes, prepare=prepare, border=border
    )
    with closing(cores):
        counted = _counted(cores, total, on_progress)
        slabs = (slab for box in boxes for slab in blended_slabs(grid, box, counted, planes))
        _write_behind(out, origin, slabs)
    return out


def _grid(
    shape: tuple[int, ...],
    tile: tuple[int, ...],
    halo: PerAxis,
    overlap: PerAxis | None,
    stride: PerAxis,
) -> TileGrid:
    """The tiles of an image (*S, C), one number standing for all axes."""
    ndim = len(tile)
    if ndim not in (2, 3) or len(shape) != ndim + 1:
        raise ConfigError(
            "the image must have the axes of the tile and then its channels",
            expected="2 or 3 spatial axes",
            found=f"image {tuple(shape)}, tile {tile}",
        )
    halos = _per_axis(halo, ndim)
    if overlap is None:
        overlap = tuple(max(0, t - 2 * h) // 4 for t, h in zip(tile, halos, strict=True))
    sides = _per_axis(overlap, ndim), _per_axis(stride, ndim)
    return TileGrid(tuple(shape[:-1]), tuple(tile), halos, *sides)


def _per_axis(value: PerAxis, ndim: int) -> tuple[int, ...]:
    """One number for all axes, or one each."""
    return (value,) * ndim if isinstance(value, int) else tuple(value)


def _inside(region: Box | None, whole: Box) -> Box:
    """The part of the image to compute; all of it by default."""
    region = whole if region is None else region
    if region.size == 0 or region.intersection(whole) != region:
        raise ConfigError(
            "the region must hold voxels and lie in the image", expected=whole, found=region
        )
    return region


def _planes(forward: Forward, channels: int, grid: TileGrid, batch: int) -> int:
    """Values per voxel that the network gives, found without running it."""
    tiles = jax.ShapeDtypeStruct((batch, *grid.tile, channels), np.float32)
    return jax.eval_shape(forward, tiles).shape[-1]


def _counted(
    cores: Iterator[np.ndarray], total: int, on_progress: Callable[[int, int], None] | None
) -> Iterator[np.ndarray]:
    """Pass the tiles on and say how many there were."""
    for done, core in enumerate(cores, start=1):
        if on_progress is not None:
            on_progress(done, total)
        yield core


def _write_behind(
    out: Any, origin: tuple[int, ...], slabs: Iterator[tuple[Box, np.ndarray]]
) -> None:
    """Write slabs in one thread, a bounded number behind; errors reach the caller."""
    waiting: deque[Future[None]] = deque()
    with ThreadPoolExecutor(1) as writer:
        for box, slab in slabs:
            waiting.append(writer.submit(_write, out, box.relative_to(origin), slab))
            if len(waiting) > _UNWRITTEN:
                waiting.popleft().result()
        for written in waiting:
            written.result()


def _write(out: Any, box: Box, slab: np.ndarray) -> None:
    """Write one slab in the element type of the output."""
    out[(*box.slices, slice(None))] = slab.astype(getattr(out, "dtype", slab.dtype), copy=False)
