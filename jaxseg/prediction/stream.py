"""Tiles read ahead of the device, answered in batches of one size, given back in order."""

from __future__ import annotations

import itertools
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxseg.data import prefetch
from jaxseg.errors import ConfigError, NonFiniteError, ResourceError
from jaxseg.geometry import Box, Tile, TileGrid
from jaxseg.memory import halved, is_exhausted
from jaxseg.prediction.border import MIRRORED, Border

Forward = Callable[[Any], Any]
Prepare = Callable[[np.ndarray], np.ndarray]

_READERS = 2
_AHEAD = 2


class _Call(NamedTuple):
    """A batch on its way through the device."""

    tiles: tuple[Tile, ...]
    block: np.ndarray
    size: int
    answers: list[Any] | None
    """One per piece of ``size`` tiles, or None where memory ran out."""


def read_beyond(
    image: Any, box: Box, *, prepare: Prepare | None = None, border: Border = MIRRORED
) -> np.ndarray:
    """Read a box of an image that goes on for ever beyond its ends.

    Parameters
    ----------
    image : (*S, C) with ``shape`` and either ``read(start, stop)`` or slicing; only the part of it
        that the box shows is read
    box : may lie partly or wholly outside the image
    prepare : applied to the block that was read, such as a normalisation
    border : how the image goes on

    Returns
    -------
    (*box.shape, C) float32
    """
    ndim = len(box.start)
    axes = zip(box.start, box.stop, image.shape, strict=False)
    indices = [border.indices(start, stop, size) for start, stop, size in axes]
    start = tuple(int(index.min()) for index in indices)
    stop = tuple(int(index.max()) + 1 for index in indices)
    block = image.read(start, stop) if hasattr(image, "read") else image[Box(start, stop).slices]
    block = np.asarray(block if prepare is None else prepare(np.asarray(block)))
    if block.ndim != ndim + 1:
        raise ConfigError("an image needs its channels as last axis", found=f"shape {image.shape}")
    for axis, index in enumerate(indices):
        # As many voxels as coordinates: no voxel twice, so they run either up or down.
        if block.shape[axis] != len(index) or index[0] > index[-1]:
            block = np.take(block, index - start[axis], axis=axis)
    # Of a part of an image in memory, so that nothing is written into that.
    block = block.astype(np.float32, copy=border.faces is not None)
    return border.fill(block, box.start, tuple(image.shape[:ndim]))


def answered(
    forward: Forward,
    image: Any,
    grid: TileGrid,
    tiles: Iterable[Tile],
    *,
    batch: int,
    planes: int,
    prepare: Prepare | None = None,
    border: Border = MIRRORED,
) -> Generator[np.ndarray, None, None]:
    """What the network says of each tile, without the halo, in the order of the tiles.

    While the device works on one batch the next is already handed over and the one after is read.

    Parameters
    ----------
    forward : (batch, *tile, C) float32 to (batch, *tile, planes); always called with ``batch``
        tiles, the last call being filled up with copies
    image : as for ``read_beyond``
    grid, tiles : the grid, and the tiles of it that are wanted
    batch : tiles per call; halved, with a warning, each time the device runs out of memory
    planes : values per voxel
    prepare, border : as for ``read_beyond``

    Yields
    ------
    (*core, planes) float32, or the unsigned integers of :func:`jaxseg.prediction.classified`, one
    per tile

    Raises
    ------
    ResourceError : one tile alone exceeds the memory of the device
    NonFiniteError : the network gave NaN or infinity
    """

    def read(group: tuple[Tile, ...]) -> tuple[tuple[Tile, ...], np.ndarray]:
        blocks = [read_beyond(image, t.read, prepare=prepare, border=border) for t in group]
        return group, np.stack(blocks)

    calls: deque[_Call] = deque()
    size = batch
    groups = _groups(tiles, batch)
    ahead = prefetch(read, groups, workers=_READERS, depth=_AHEAD)
    with closing(ahead) as blocks:  # type: ignore[type-var]
        for group, block in blocks:
            calls.append(_dispatch(forward, group, block, size))
            if len(calls) > 1:
                cores, size = _settle(forward, grid, calls.popleft(), size, planes)
                yield from cores
        while calls:
            cores, size = _settle(forward, grid, calls.popleft(), size, planes)
            yield from cores


def _groups(tiles: Iterable[Tile], size: int) -> Iterator[tuple[Tile, ...]]:
    """So many tiles at a time; the last group may be smaller."""
    source = iter(tiles)
    while group := tuple(itertools.islice(source, size)):
        yield group


def _dispatch(forward: Forward, tiles: tuple[Tile, ...], block: np.ndarray, size: int) -> _Call:
    """Hand a batch to the device in pieces of one size, without waiting for the answers."""
    pieces = [block[start : start + size] for start in range(0, len(block), size)]
    missing = size - len(pieces[-1])
    if missing:
        pieces[-1] = np.concatenate([pieces[-1], np.repeat(block[-1:], missing, 0)])
    try:
        return _Call(tiles, block, size, [forward(piece) for piece in pieces])
    except jax.errors.JaxRuntimeError as error:
        _reraise_unless_exhausted(error)
        return _Call(tiles, block, size, None)


def _settle(
    forward: Forward, grid: TileGrid, call: _Call, size: int, planes: int
) -> tuple[list[np.ndarray], int]:
    """The cores of a batch, and how many tiles a call may hold from now on."""
    while (answer := _fetch(call)) is None:
        if call.size == 1:
            raise _too_large(grid)
        smaller = min(size, call.size // 2)
        if smaller < size:
            what = f"the device ran out of memory: {smaller} instead of {size} tiles per call"
            warnings.warn(what, RuntimeWarning, stacklevel=2)
        size = smaller
        call = _dispatch(forward, call.tiles, call.block, size)
    if answer.shape[1:] != (*grid.tile, planes):
        raise ConfigError(
            "the network's answer has another shape than the tile",
            expected=(*grid.tile, planes),
            found=answer.shape[1:],
        )
    inner = Box(grid.halo, tuple(h + c for h, c in zip(grid.halo, grid.core, strict=True)))
    cores = [values[inner.slices] for values in answer[: len(call.tiles)]]
    for tile, block, core in zip(call.tiles, call.block, cores, strict=True):
        _check_finite(tile, block, core)
    return cores, size


def _fetch(call: _Call) -> np.ndarray | None:
    """Wait for the answers to a batch, (n, *tile, planes); None if memory ran out."""
    if call.answers is None:
        return None
    try:
        answers = jax.device_get(call.answers)
    except jax.errors.JaxRuntimeError as error:
        _reraise_unless_exhausted(error)
        return None
    return answers[0] if len(answers) == 1 else np.concatenate(answers)


def _reraise_unless_exhausted(error: jax.errors.JaxRuntimeError) -> None:
    """Let every error pass but lack of device memory."""
    if not is_exhausted(error):
        raise error


def _too_large(grid: TileGrid) -> ResourceError:
    """One tile alone is too much for the device."""
    sides = zip(grid.tile, grid.halo, grid.overlap, grid.stride, strict=True)
    least = [-(-(2 * h + o + s) // s) * s for _, h, o, s in sides]
    smaller = tuple(map(max, least, halved(grid.tile, grid.stride)))
    return ResourceError(
        "one tile alone does not fit the memory of the device",
        found=f"tile {grid.tile}",
        fix=f"a smaller tile, such as {smaller}"
        if smaller != grid.tile
        else "a smaller halo or overlap, so that the tile can shrink, or a smaller network",
    )


def _not_finite(core: np.ndarray) -> int:
    """How many values are not finite; a finite sum has none, and the sum is the quickest test."""
    if core.dtype.kind == "u":
        return int(np.count_nonzero(core == np.iinfo(core.dtype).max))
    with np.errstate(over="ignore", invalid="ignore"):
        total = core.sum()
    return 0 if np.isfinite(total) else int(core.size - np.isfinite(core).sum())


def _check_finite(tile: Tile, block: np.ndarray, core: np.ndarray) -> None:
    """Refuse NaN and infinity, which the largest value stands for in an answer of integers."""
    count = _not_finite(core)
    if not count:
        return
    found = f"{count} others from {tile.core.start} to {tile.core.stop}"
    if np.isfinite(block).all():
        what, fix = "the network's answer", "train again with a lower learning rate or in float32"
    else:
        what, fix = "the normalised image", "look at the image there"
    what = f"{what} has NaN or infinity in the tile at {tile.read.start}"
    raise NonFiniteError(what, expected="finite numbers", found=found, fix=fix)
