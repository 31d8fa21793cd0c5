"""What a format's reader hands over: an array as it lies in the file, and what the file says."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import zarr
from zarr.core.sync import sync
from zarr.storage import LocalStore

from jaxseg.errors import InputError
from jaxseg.io.bounds import kind_of
from jaxseg.io.units import Length
from jaxseg.volume import Readable

# Name of the tasks that wait for others, and seconds after which they stop doing so.
FINISHING = "jaxseg: finish"
LONGEST_WAIT = 10.0


class Stored(NamedTuple):
    """An array in the order of its file, and what the file says about it."""

    source: Readable
    letters: str
    """One character per axis: T, C, Z, Y, X, S for samples such as RGB, ? where it has no name."""
    size: Mapping[Any, float | Length] = MappingProxyType({})
    """Of a voxel along Z, Y, X, or along the axis of a number where it has no name: µm, or as the
    file tells it. Empty where it says nothing."""
    origin: Mapping[Any, float] = MappingProxyType({})
    """Where the first voxel lies, µm; the same keys."""
    alpha: bool = False
    """The last sample is the opacity of a picture."""
    palette: np.ndarray | None = None
    """(N, 3) uint8 colours of which the values are numbers."""
    held: Callable[[int], int] | None = None
    """Bytes that the voxels take in the file, counted up to about so many; None = as many as they
    are."""


class PlainFiles(LocalStore):
    """A Zarr store of files: a pipe or a device in the place of a chunk is never waited for."""

    async def get(self, key: str, *options: Any, **named: Any) -> Any:
        """The content of a file."""
        self._refuse_others(key)
        return await super().get(key, *options, **named)

    def get_sync(self, key: str, **named: Any) -> Any:
        """The content of a file."""
        self._refuse_others(key)
        return super().get_sync(key, **named)

    def _refuse_others(self, key: str) -> None:
        try:
            kind = kind_of(os.stat(self.root / key).st_mode)
        except OSError:
            return
        if kind:
            raise ValueError(f"{key} is {kind}, not a file")


def open_zarr_array(folder: Path, mode: Any) -> zarr.Array:
    """Open an array of files, to read or to write into it."""
    return zarr.open_array(PlainFiles(folder, read_only=mode == "r"), mode=mode)


@dataclass(frozen=True)
class ZarrArray:
    """A Zarr array that names the file in errors, and leaves no work behind when one happens."""

    array: zarr.Array
    path: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of every axis."""
        return self.array.shape

    @property
    def dtype(self) -> np.dtype:
        """Element type."""
        return self.array.dtype

    @property
    def chunks(self) -> tuple[int, ...]:
        """Shape of a chunk."""
        return self.array.chunks

    def __getitem__(self, index: Any) -> np.ndarray:
        return read_zarr(self.array, index, self.path)

    def __setitem__(self, index: Any, value: np.ndarray) -> None:
        try:
            self.array[index] = value
        except Exception:
            sync(_finish_others())
            raise


def read_zarr(array: zarr.Array, index: Any, path: str) -> np.ndarray:
    """Read a box.

    Raises
    ------
    InputError : a chunk that cannot be decoded or does not match its checksum
    """
    try:
        return np.asarray(array[index])
    except Exception as error:
        sync(_finish_others())
        raise damaged(path, error) from error


async def _finish_others() -> None:
    """Wait for the other tasks of Zarr's event loop, but not for ever.

    After an error Zarr leaves the other chunks of the same call running: they would go on writing
    into a folder that is being removed, and Python complains about each when it exits. Threads that
    meet damaged chunks at the same time must not wait for one another.
    """
    own = asyncio.current_task()
    if own is not None:
        own.set_name(FINISHING)
    others = [task for task in asyncio.all_tasks() if task.get_name() != FINISHING]
    if others:
        done, _ = await asyncio.wait(others, timeout=LONGEST_WAIT)
        for task in done:
            # Asked for once, or Python complains that nobody did.
            _ = task.cancelled() or task.exception()


def read_document(path: Path) -> dict[str, Any]:
    """A metadata document in JSON; empty if there is none.

    Raises
    ------
    InputError : not a JSON object
    """
    if not path.is_file():
        return {}
    try:
        document = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise damaged(str(path), error) from error
    if not isinstance(document, dict):
        raise damaged(str(path), "not a JSON object")
    return document


def damaged(path: str, reason: object) -> InputError:
    """The error for a file whose content cannot be read."""
    text = " ".join(str(reason).split())[:160] or type(reason).__name__
    return InputError(
        "the file is damaged or cut short",
        where=path,
        found=text,
        fix="copy or export it again",
    )
