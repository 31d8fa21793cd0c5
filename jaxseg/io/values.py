"""Views of stored values as others: some channels, colours by their numbers, ids out of floats."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from jaxseg.errors import InputError, JaxsegWarning
from jaxseg.io.label_type import slabs
from jaxseg.io.stored import Stored
from jaxseg.volume import ChannelView, Readable, Reordered, chunks_of, native, parse_index


@dataclass(frozen=True)
class ChosenChannels:
    """A view of some channels of an array whose last axis is the channel axis.

    They are in any order, one of them perhaps several times.

    >>> ChosenChannels(np.arange(6).reshape(2, 3), (2, 0))[1]
    array([5, 3])
    """

    source: Readable
    numbers: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of every axis."""
        return (*self.source.shape[:-1], len(self.numbers))

    @property
    def dtype(self) -> np.dtype:
        """Element type."""
        return np.dtype(self.source.dtype)

    @property
    def chunks(self) -> tuple[int, ...]:
        """What is stored in one piece; 1 where unknown."""
        return chunks_of(self.source)

    def __getitem__(self, index: Any) -> np.ndarray:
        parts, squeezed = parse_index(index, self.shape)
        low, high = min(self.numbers), max(self.numbers) + 1
        block = np.asarray(self.source[(*parts[:-1], slice(low, high))])
        kept = [number - low for number in self.numbers[parts[-1]]]
        return np.ascontiguousarray(block[..., kept]).squeeze(squeezed)


@dataclass(frozen=True)
class Changed:
    """A view of an array whose values are changed as they are read, each for itself.

    >>> Changed(np.array([0, 255]), np.dtype(np.uint8), lambda block: block > 0)[:]
    array([0, 1], dtype=uint8)
    """

    source: Readable
    dtype: np.dtype
    change: Callable[[np.ndarray], np.ndarray]

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of every axis."""
        return tuple(self.source.shape)

    @property
    def chunks(self) -> tuple[int, ...]:
        """What is stored in one piece; 1 where unknown."""
        return chunks_of(self.source)

    def __getitem__(self, index: Any) -> np.ndarray:
        return self.change(np.asarray(self.source[index])).astype(self.dtype, copy=False)


@dataclass(frozen=True)
class Coloured:
    """A view of numbers of colours ``(*S)`` as colours ``(*S, 3)``.

    >>> Coloured(np.array([[1, 0]]), np.array([[0, 0, 0], [9, 8, 7]]))[0, 0]
    array([9, 8, 7])
    """

    source: Readable
    table: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of every axis."""
        return (*self.source.shape, self.table.shape[-1])

    @property
    def dtype(self) -> np.dtype:
        """Element type."""
        return self.table.dtype

    def __getitem__(self, index: Any) -> np.ndarray:
        parts, squeezed = parse_index(index, self.shape)
        return self.table[np.asarray(self.source[parts[:-1]])][..., parts[-1]].squeeze(squeezed)


def coloured(stored: Stored) -> Stored:
    """A picture of the numbers of colours, as the colours; grey where all of them are."""
    if stored.palette is None:
        return stored
    table = np.zeros((256, 3), np.uint8)
    table[: len(stored.palette)] = stored.palette[:256]
    if (table == table[:, :1]).all():
        source: Readable = Changed(stored.source, np.dtype(np.uint8), table[:, 0].__getitem__)
        return stored._replace(source=source, palette=None)
    return stored._replace(
        source=Coloured(stored.source, table), letters=stored.letters + "S", palette=None
    )


def grey(stored: Stored, file: str) -> Stored:
    """A picture whose red, green and blue are the same everywhere, as one of them.

    Programs for pictures save label images so. Other pictures stay as they are; it is read through
    once.
    """
    shape, at = stored.source.shape, stored.letters.find("S")
    if at < 0 or shape[at] != 3 + stored.alpha:
        return stored
    rest = tuple(axis for axis in range(len(shape)) if axis != at)
    colours = Reordered(stored.source, (*rest, at))
    if any((block[..., :1] != block[..., 1:3]).any() for block in slabs(colours)):
        return stored
    warnings.warn(
        f"{file}: the colours of this label image are all grey; one of its channels is used",
        JaxsegWarning,
        stacklevel=2,
    )
    letters = stored.letters.replace("S", "", 1)
    return stored._replace(source=ChannelView(colours, 0), letters=letters, alpha=False)


def whole_numbers(source: Readable, file: str) -> Readable:
    """Ids that are stored in floating point, as integers; read through once.

    ImageJ has no other type for more than 65,535 objects.

    Raises
    ------
    InputError : a value that is no id, or so large that its neighbours are stored as the same one
    """
    dtype = np.dtype(source.dtype)
    largest = 2 ** (np.finfo(dtype).nmant + 1)
    for block in slabs(source):
        wrong = block[~((block >= 0) & (block <= largest) & (block == np.floor(block)))]
        if wrong.size:
            raise InputError(
                f"labels in {native(dtype)} that are not all whole numbers from 0 to {largest:,}",
                where=file,
                expected="ids that are exact, such as integers have them",
                found=", ".join(f"{value:.10g}" for value in wrong.ravel()[:3]),
                fix="export the labels as integers; are these labels, and not an image?",
            )
    kind = np.dtype(np.uint64 if dtype.itemsize > 4 else np.uint32)
    return Changed(source, kind, lambda block: block.astype(kind))
