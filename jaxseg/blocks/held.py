"""Results that are made when they are first asked for: an image as one block in memory."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from jaxseg.blocks.stage import Arrays, Made, Noted, Result, Results, Stage, Table, View
from jaxseg.config.load import digest
from jaxseg.geometry import Box
from jaxseg.volume import Readable, parse_index


class Held(Result):
    """What a stage makes of an image that is one block; nothing of it is written."""

    def __init__(self, stage: Stage, results: Results) -> None:
        self._stage, self._results = stage, results

    @functools.cached_property
    def made(self) -> Made:
        """All of it."""
        do = self._stage.work
        assert do is not None
        return do(self._stage.grid[0], self._results, self.known)

    @functools.cached_property
    def known(self) -> Arrays:
        """The summary."""
        return self._stage.summarise(self._results)

    @functools.cached_property
    def _noted(self) -> Noted:
        return self.made.note()

    @property
    def array(self) -> np.ndarray:
        """The whole image."""
        assert self.made.array is not None
        return self.made.array

    def core(self, number: int) -> np.ndarray:
        """The whole image."""
        return self.array

    def tables(self, number: int) -> Arrays:
        """Its tables."""
        return self._noted.tables

    def counts(self, number: int) -> Mapping[str, Any]:
        """Its counts."""
        return self._noted.counts

    def drop(self) -> None:
        """Forget the voxels: nobody needs them any more."""
        self.__dict__.pop("made", None)


class Seen(Result):
    """A volume that is made while it is read; in memory it is made once.

    Parameters
    ----------
    view, results : what to read, of what
    version : hash of what decides it
    whole : keep all of it
    """

    def __init__(self, view: View, results: Results, version: str = "", *, whole: bool) -> None:
        self._view, self._results, self._version, self._whole = view, results, version, whole

    @property
    def digest(self) -> str:
        """Hash of all that decides it."""
        return self._version

    @property
    def array(self) -> Readable:
        """The volume."""
        return self._all if self._whole else self

    @functools.cached_property
    def _all(self) -> np.ndarray:
        shape = self._view.shape
        return self._view.read(Box((0,) * len(shape), shape), self._results)

    @property
    def shape(self) -> tuple[int, ...]:
        """(z)yx, without channels."""
        return self._view.shape

    @property
    def dtype(self) -> Any:
        """Element type."""
        return self._view.dtype

    def __getitem__(self, index: Any) -> np.ndarray:
        parts, _ = parse_index(index, self.shape)
        box = Box(tuple(part.start for part in parts), tuple(part.stop for part in parts))
        return self._view.read(box, self._results)

    def drop(self) -> None:
        """Forget the voxels."""
        self.__dict__.pop("_all", None)


class Gathered(Result):
    """A table, made once."""

    def __init__(self, table: Table, results: Results) -> None:
        self._table, self._results = table, results

    @property
    def digest(self) -> str:
        """Hash of all that decides it."""
        return digest([self._results[need].digest for need in self._table.needs])

    @functools.cached_property
    def frame(self) -> pd.DataFrame:
        """The rows."""
        return self._table.gather(self._results)
