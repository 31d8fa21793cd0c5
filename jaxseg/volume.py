"""A lazily read image or label image: an array, what its axes are, and the size of a voxel.

The axes of a volume are always ``(z)yxc`` for an image and ``(z)yx`` for labels, whatever order
the file keeps them in: a :class:`Reordered` view translates, and only the voxels asked for are
read. Lengths are in µm.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from jaxseg import memory
from jaxseg.errors import ConfigError, ResourceError

# Marks an axis of a view that the stored array does not have.
NEW = -1
# Size of a voxel, µm: what is smaller or larger is no length in an image, and its powers are no
# numbers of 32 bit.
SMALLEST, LARGEST = 1e-9, 1e9
# Bytes that are there whatever else takes memory.
LIGHT = 2**26


class Readable(Protocol):
    """What a volume needs of an array: NumPy, Zarr and the views below all have it."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of every axis."""

    @property
    def dtype(self) -> Any:
        """Element type."""

    def __getitem__(self, index: Any, /) -> Any:
        """Read a box."""


@dataclass(frozen=True)
class Reordered:
    """A view of a stored array in another order of axes.

    ``order[i]`` is the stored axis behind axis ``i`` of the view, or ``NEW`` for an axis of length
    one that is added. Stored axes that are not in ``order`` have length one and are dropped.
    Elements arrive in the machine's byte order, and bool as uint8.

    >>> stored = np.arange(6).reshape(1, 2, 3)                       # channel, y, x
    >>> view = Reordered(stored, order=(1, 2, 0))                    # y, x, channel
    >>> view.shape, view[0, 1:].ravel()
    ((2, 3, 1), array([1, 2]))
    """

    source: Readable
    order: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of every axis of the view."""
        return tuple(1 if axis == NEW else self.source.shape[axis] for axis in self.order)

    @property
    def dtype(self) -> np.dtype:
        """Element type after reading."""
        return native(self.source.dtype)

    @property
    def chunks(self) -> tuple[int, ...]:
        """What is stored in one piece, in the order of the view; 1 where unknown."""
        chunks = chunks_of(self.source)
        return tuple(1 if axis == NEW else chunks[axis] for axis in self.order)

    def __getitem__(self, index: Any) -> np.ndarray:
        parts, squeezed = parse_index(index, self.shape)
        stored = [slice(0, 1)] * len(self.source.shape)
        for axis, part in zip(self.order, parts, strict=True):
            if axis != NEW:
                stored[axis] = part
        block = np.asarray(self.source[tuple(stored)])
        kept = [axis for axis in self.order if axis != NEW]
        dropped = [axis for axis in range(block.ndim) if axis not in kept]
        block = block.transpose(*kept, *dropped)
        block = block.reshape([part.stop - part.start for part in parts])
        return np.ascontiguousarray(block.astype(self.dtype, copy=False)).squeeze(squeezed)

    def __setitem__(self, index: Any, value: np.ndarray) -> None:
        """Write a box; every stored axis must be in ``order``."""
        parts, squeezed = parse_index(index, self.shape)
        value = np.expand_dims(np.asarray(value), squeezed)
        inverse = np.argsort(self.order)
        stored = tuple(parts[axis] for axis in inverse)
        self.source[stored] = value.transpose(inverse)  # type: ignore[index]


@dataclass(frozen=True)
class Window:
    """A view of a box of an array.

    >>> Window(np.arange(10), start=(2,), shape=(5,))[1:3]
    array([3, 4])
    """

    source: Readable
    start: tuple[int, ...]
    shape: tuple[int, ...]

    @property
    def dtype(self) -> np.dtype:
        """Element type."""
        return self.source.dtype

    @property
    def chunks(self) -> tuple[int, ...]:
        """What is stored in one piece; 1 where unknown."""
        return chunks_of(self.source)

    def __getitem__(self, index: Any) -> np.ndarray:
        parts, squeezed = parse_index(index, self.shape)
        moved = tuple(
            slice(part.start + at, part.stop + at)
            for part, at in zip(parts, self.start, strict=True)
        )
        return np.asarray(self.source[moved]).squeeze(squeezed)


@dataclass(frozen=True)
class ChannelView:
    """A view of one channel of an array whose last axis is the channel axis.

    >>> ChannelView(np.arange(6).reshape(3, 2), 1)[:]
    array([1, 3, 5])
    """

    source: Readable
    number: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of every axis."""
        return tuple(self.source.shape[:-1])

    @property
    def dtype(self) -> np.dtype:
        """Element type."""
        return np.dtype(self.source.dtype)

    @property
    def chunks(self) -> tuple[int, ...]:
        """What is stored in one piece; 1 where unknown."""
        return chunks_of(self.source)[:-1]

    def __getitem__(self, index: Any) -> np.ndarray:
        parts, squeezed = parse_index(index, self.shape)
        block = np.asarray(self.source[(*parts, slice(self.number, self.number + 1))])
        return np.ascontiguousarray(block[..., 0]).squeeze(squeezed)


@dataclass(frozen=True)
class Volume:
    """A lazily read image ``(z)yxc`` or label image ``(z)yx``.

    Parameters
    ----------
    data : array or view, read on indexing
    axes : ``"zyxc"``, ``"yxc"``, ``"zyx"`` or ``"yx"``
    spacing : length of a voxel along each spatial axis, (z)yx
    name : stem of the file
    path : the file
    unit : of ``spacing``: µm, or voxel where neither the file nor the user says any size
    origin : where the first voxel lies according to the file, µm, (z)yx; empty = it does not say
    alpha : the last channel is the opacity of a picture, not an intensity
    held : bytes that the voxels take in the file, counted up to about so many; None = not known
    """

    data: Readable
    axes: str
    spacing: tuple[float, ...]
    name: str = ""
    path: str = ""
    unit: str = "µm"
    origin: tuple[float, ...] = ()
    alpha: bool = False
    held: Callable[[int], int] | None = None

    @property
    def ndim_spatial(self) -> int:
        """Number of spatial axes."""
        return len(self.spacing)

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of every axis."""
        return tuple(self.data.shape)

    @property
    def spatial_shape(self) -> tuple[int, ...]:
        """Length of every spatial axis, (z)yx."""
        return self.shape[: self.ndim_spatial]

    @property
    def channels(self) -> int:
        """Number of channels; 1 for labels."""
        return self.shape[-1] if self.axes.endswith("c") else 1

    @property
    def dtype(self) -> np.dtype:
        """Element type."""
        return np.dtype(self.data.dtype)

    @property
    def voxels(self) -> int:
        """Number of voxels."""
        return math.prod(self.spatial_shape)

    @property
    def nbytes(self) -> int:
        """Memory that :meth:`array` takes."""
        return math.prod(self.shape) * self.dtype.itemsize

    def __getitem__(self, index: Any) -> np.ndarray:
        return np.asarray(self.data[index])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[...], dtype)

    def read(self, start: Sequence[int], stop: Sequence[int]) -> np.ndarray:
        """The voxels of a box, ``(*S, C)`` or ``(*S)``.

        Parameters
        ----------
        start, stop : corners in voxels, (z)yx, ``0 <= start <= stop <= spatial_shape``

        Raises
        ------
        IndexError : the box does not lie inside; nothing is clamped or shifted
        """
        inside = all(
            0 <= low <= high <= size
            for low, high, size in zip(start, stop, self.spatial_shape, strict=True)
        )
        if not inside:
            raise IndexError(f"box {tuple(start)} to {tuple(stop)} is not in {self.spatial_shape}")
        box = tuple(slice(low, high) for low, high in zip(start, stop, strict=True))
        return self[box]

    def array(self) -> np.ndarray:
        """Everything, in memory.

        Raises
        ------
        ResourceError : more than there is memory
        """
        if self.nbytes > LIGHT and self.nbytes > (room := memory.available()):
            raise ResourceError(
                "an image that does not fit the memory",
                where=self.path or self.name,
                expected=f"at most {room / 2**30:,.1f} GiB",
                found=f"{self.nbytes / 2**30:,.1f} GiB, shape {self.shape}",
                fix="read boxes of it; runs do so with --blocks.size",
            )
        return self[...]

    def in_memory(self) -> Volume:
        """The same volume with its voxels read."""
        return replace(self, data=self.array())

    def crop(self, start: Sequence[int], stop: Sequence[int]) -> Volume:
        """A box of the volume, still read lazily."""
        rest = self.shape[self.ndim_spatial :]
        shape = tuple(high - low for low, high in zip(start, stop, strict=True))
        corner = (*start, *(0 for _ in rest))
        return replace(self, data=Window(self.data, corner, (*shape, *rest)))

    def middle(self, sizes: Sequence[int]) -> Volume:
        """The box of these sizes around the middle of the volume, still read lazily."""
        start = [(side - size) // 2 for side, size in zip(self.spatial_shape, sizes, strict=True)]
        return self.crop(start, [first + size for first, size in zip(start, sizes, strict=True)])

    def slabs(self, voxels: int = 2**22) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
        """Corners of slabs across the first axis that together cover the volume once.

        A slab holds about this many voxels, and whole chunks of the file where they fit.
        """
        length, *plane = self.spatial_shape
        depth = max(voxels // max(math.prod(plane), 1), 1)
        chunk = chunks_of(self.data)[0]
        depth = max(depth // chunk * chunk, min(chunk, 4 * depth))
        zeros = (0,) * len(plane)
        for low in range(0, length, depth):
            yield (low, *zeros), (min(low + depth, length), *plane)


def checked_spacing(
    spacing: Sequence[float], ndim: int, *, where: str = "spacing"
) -> tuple[float, ...]:
    """The size of a voxel, once it is known to be one.

    Parameters
    ----------
    spacing : µm per voxel, (z)yx
    ndim : spatial dimensions
    where : the option or argument to name in the error

    Returns
    -------
    tuple of float

    Raises
    ------
    ConfigError : another number of values, or one that is not positive and finite, or absurd

    >>> checked_spacing([2, 0.5], 2)
    (2.0, 0.5)
    """
    try:
        sizes = tuple(map(float, spacing))
    except (TypeError, ValueError):
        sizes = ()
    if len(sizes) != ndim or not all(SMALLEST <= size <= LARGEST for size in sizes):
        raise ConfigError(
            "not the size of a voxel",
            where=where,
            expected=f"{ndim} positive numbers, µm, {'zyx'[-ndim:]}, "
            f"from {SMALLEST:g} to {LARGEST:g}",
            found=spacing,
        )
    return sizes


def chunks_of(source: Readable) -> tuple[int, ...]:
    """What an array stores in one piece, ``(1, 1, ...)`` where it does not say."""
    return tuple(getattr(source, "chunks", None) or (1,) * len(source.shape))


def native(dtype: Any) -> np.dtype:
    """The element type in the machine's byte order, uint8 for bool.

    >>> native(">u2"), native(bool)
    (dtype('uint16'), dtype('uint8'))
    """
    dtype = np.dtype(dtype)
    return np.dtype(np.uint8) if dtype.kind == "b" else dtype.newbyteorder("=")


def parse_index(index: Any, shape: Sequence[int]) -> tuple[tuple[slice, ...], tuple[int, ...]]:
    """A basic index as one slice per axis, and the axes that integers in it remove.

    Raises
    ------
    IndexError : an index that is not made of integers, slices of step 1 and one Ellipsis

    >>> parse_index((..., 2), (4, 5))
    ((slice(0, 4, None), slice(2, 3, None)), (1,))
    """
    items = list(index) if isinstance(index, tuple) else [index]
    gaps = [at for at, item in enumerate(items) if item is Ellipsis]
    at = gaps[0] if gaps else len(items)
    missing = len(shape) - (len(items) - len(gaps))
    items[at : at + 1] = [slice(None)] * missing
    if missing < 0 or len(items) != len(shape):
        raise IndexError(f"too many indices for shape {tuple(shape)}: {index}")
    parts, squeezed = [], []
    for axis, (item, size) in enumerate(zip(items, shape, strict=True)):
        if isinstance(item, slice):
            start, stop, step = item.indices(size)
            if step != 1:
                raise IndexError(f"only slices of step 1 can be read: {item}")
            parts.append(slice(start, max(start, stop)))
        else:
            position = range(size)[int(item)]
            parts.append(slice(position, position + 1))
            squeezed.append(axis)
    return tuple(parts), tuple(squeezed)
