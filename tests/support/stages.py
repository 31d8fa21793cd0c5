"""Stages by blocks in a folder, for tests: every stage that one needs, one after another."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from jaxseg import blocks
from jaxseg.blocks import Ledger
from jaxseg.blocks.held import Gathered, Held, Seen
from jaxseg.blocks.stage import Result, Stage, Step, Table, View, with_needs
from jaxseg.blocks.stored import Stored, open_stage, work_of


class InFolder(dict):
    """Results of steps, each in its folder."""

    def __missing__(self, step: Step) -> Result:
        assert not isinstance(step, Stage), f"{step.name} was not done"
        self[step] = (
            Gathered(step, self) if isinstance(step, Table) else Seen(step, self, whole=False)
        )
        return self[step]


def begun(folder: Path, stage: Stage, numbers: Iterable[int] | None = None) -> Ledger:
    """A stage, some blocks of which are done, and all that it needs."""
    return by_blocks(folder, stage, numbers).ledger


def by_blocks(
    folder: Path,
    stage: Stage,
    numbers: Iterable[int] | None = None,
    *,
    given: Ledger | None = None,
) -> Stored:
    """The result of a stage, and of all that it needs; complete ones are published.

    Parameters
    ----------
    folder : of all ledgers
    stage : the last one
    numbers : of the blocks that are done, in this order; None = all
    given : a stage that was done before, known by its name
    """
    results, stored = InFolder(), None
    for step in with_needs([stage]):
        if not isinstance(step, Stage):
            continue
        if given is not None and step.name == given.stage:
            results[step] = Stored(given)
            continue
        ledger = open_stage(step, folder / step.name, results)
        order = list(range(len(ledger.grid)) if numbers is None else numbers)
        if not blocks.finished(ledger).issuperset(order):
            blocks.run_blocks(ledger, order, work_of(step, ledger, results))
        if len(blocks.finished(ledger)) == len(ledger.grid):
            blocks.publish(ledger)
        results[step] = stored = Stored(ledger)
    assert stored is not None
    return stored


def in_memory(stage: Stage) -> Held:
    """The result of a stage of an image that is one block."""
    results: dict[Step, Result] = {}
    for step in with_needs([stage]):
        results[step] = (
            Seen(step, results, whole=True)
            if isinstance(step, View)
            else Gathered(step, results)
            if isinstance(step, Table)
            else Held(step, results)
        )
    return results[stage]  # type: ignore[return-value]
