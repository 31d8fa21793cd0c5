"""What the steps of an image made, wherever it is: in ledgers, under its final name, in memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from jaxseg import blocks, io
from jaxseg.blocks import Ledger
from jaxseg.blocks.held import Gathered, Held, Seen
from jaxseg.blocks.stage import Output, Result, Stage, Step, Table, View, with_needs
from jaxseg.blocks.store import Mended
from jaxseg.blocks.stored import Stored
from jaxseg.config.load import digest
from jaxseg.runs.fingerprint import input_version
from jaxseg.runs.layout import Work
from jaxseg.volume import Volume


class Published(Result):
    """An array under its final name."""

    def __init__(self, output: Output, work: Work, ledger: Ledger | None = None) -> None:
        assert output.target is not None
        self._path, opened = output.target, io.open_image if output.channels else io.open_labels
        self._volume, self._ledger = opened(output.target, ndim=work.config.ndim), ledger
        if ledger is not None:
            mended = Mended(self._volume.data, ledger)
            self._volume = dataclasses.replace(self._volume, data=mended)

    @property
    def array(self) -> Volume:
        """The array, read lazily."""
        return self._volume

    @property
    def digest(self) -> str:
        """Which version it is: of blocks all that decided them, which have hashes of their own."""
        return self._ledger.digest if self._ledger else input_version(self._path)


def versions_of(step: Step) -> dict[str, Any]:
    """The versions of the files that a step reads."""
    if isinstance(step, Table):
        return {}
    reads = step.reads() if isinstance(step, View) else step.reads
    return {name: input_version(path) for name, path in reads.items()}


def is_begun(work: Work, stage: Stage) -> bool:
    """Whether a stage has a ledger."""
    return (work.stage(stage.name) / "ledger.json").exists()


def ledger_of(work: Work, stage: Stage) -> Ledger:
    """The ledger of a stage that was begun."""
    return blocks.read_ledger(work.stage(stage.name))


class Found(Mapping[Step, Result]):
    """The results of the steps of an image, each opened when it is first asked for.

    Parameters
    ----------
    work, steps : which image, and its steps
    here : phases whose stages are made in memory, of an image that is one block
    """

    def __init__(self, work: Work, steps: Sequence[Step], here: Collection[str] = ()) -> None:
        self._work, self._steps, self._here = work, with_needs(steps), frozenset(here)
        self._opened: dict[Step, Result] = {}

    def __iter__(self) -> Iterator[Step]:
        return iter(self._steps)

    def __len__(self) -> int:
        return len(self._steps)

    def __getitem__(self, step: Step) -> Result:
        if step not in self._opened:
            self._opened[step] = self._open(step)
        return self._opened[step]

    def _open(self, step: Step) -> Result:
        if isinstance(step, Table):
            return Gathered(step, self)
        if isinstance(step, View):
            if self._here:
                return Seen(step, self, whole=True)
            before = {need.name: self[need].digest for need in step.needs}
            return Seen(step, self, digest([versions_of(step), before]), whole=False)
        if step.phase in self._here:
            return Held(step, self)
        output = step.output
        there = output is not None and output.target is not None and output.target.exists()
        # Planes are stored with the channels first, and are read as images.
        if there and (output.channels or not is_begun(self._work, step)):  # type: ignore[union-attr]
            ledger = ledger_of(self._work, step) if is_begun(self._work, step) else None
            return Published(output, self._work, ledger)  # type: ignore[arg-type]
        return Stored(ledger_of(self._work, step))

    def forget(self, step: Step) -> None:
        """Drop the voxels of a step that nobody needs any more."""
        found = self._opened.get(step)
        if isinstance(found, (Held, Seen)):
            found.drop()
