"""Whether all of a run is finished, and still what was written: ``jaxseg verify OUT``.

Blocks, tables, whole images and states of the training are read again and compared with their
hashes, and the stages that the configuration asks for are looked for, begun or not. Exit codes: 0
all is there and the same, 1 something is left to do, 5 something is damaged. All of it is named,
with what to run.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from jaxseg import blocks
from jaxseg.blocks import Ledger, faults, finished
from jaxseg.cli.status import describe, show_left
from jaxseg.errors import InputError
from jaxseg.runs.below import runs_below
from jaxseg.runs.layout import Run


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Read all that was finished again and compare it with its hashes.

    Exit codes: 0 all is finished and as it was written, 1 something is left to do,
    5 something is damaged; all of it is named.
    """

    out: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER")]
    """folder of results, searched with all below it"""
    redo: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """let what is damaged count as not done, so that the next run does it again"""


def execute(arguments: Arguments) -> int:
    """Print one line per stage and per damaged block; return the exit code."""
    out, damaged, complete, count = arguments.out, 0, True, 0
    runs = list(runs_below(out))
    for folder in blocks.ledger_folders(out):
        count += 1
        wrong, whole = _verify_stage(folder, redo=arguments.redo)
        damaged, complete = damaged + wrong, complete and whole
    for run in runs:
        count += 1
        wrong = _verify_images(run.results, redo=arguments.redo) + _verify_training(run)
        damaged += wrong
        try:
            complete &= not show_left(run, damaged=wrong > 0)
        except InputError as error:
            damaged += 1
            print(error, flush=True)
    if not count:
        raise InputError("no results here", where=out, expected="the folder given with --out")
    if damaged:
        first = "" if arguments.redo else "the same command with --redo, then "
        commands = [f"jaxseg run --config {run.config_file}" for run in runs]
        for command in commands or ["the command of the run"]:
            print(f"to do what is damaged again: {first}{command}", flush=True)
    return InputError.exit_code if damaged else 0 if complete else 1


def _verify_stage(folder: Path, *, redo: bool) -> tuple[int, bool]:
    """How much of a stage is damaged, and whether all its blocks are done."""
    try:
        ledger = blocks.read_ledger(folder)
        wrong = blocks.known_faults(ledger)
    except InputError as error:
        wrong, ledger = [error.what], None
    for sentence in wrong:
        print(f"{folder}: {sentence}", flush=True)
    if wrong or ledger is None:
        if redo:
            print(f"{folder}: moved to {blocks.set_aside(folder)}")
        return len(wrong), False
    damaged = verify(ledger, redo=redo)
    line, whole = describe(ledger)
    if not whole:
        print(f"{folder}: {line}", flush=True)
    return damaged, whole


def verify(ledger: Ledger, *, redo: bool = False) -> int:
    """Read the finished blocks of a stage again; return how many are damaged.

    Parameters
    ----------
    redo : damaged blocks count as not done from now on
    """
    damaged, done = 0, sorted(finished(ledger))
    for number in done:
        wrong = faults(ledger, number)
        damaged += bool(wrong)
        for sentence in wrong:
            print(f"{ledger.folder}: block {number}: {sentence}", flush=True)
        if wrong and redo:
            blocks.undo(ledger, number)
    print(f"{ledger.folder}: {len(done) - damaged} of {len(done)} finished blocks are whole")
    return damaged


def _verify_images(results: Path, *, redo: bool) -> int:
    """How many manifests and whole images of a run are damaged."""
    from jaxseg.io import read_sealed
    from jaxseg.runs.marks import damaged_outputs

    damaged = count = 0
    for path in sorted(results.glob("manifests/*.json")):
        try:
            read_sealed(path, "manifest")
        except InputError as error:
            damaged += 1
            print(f"{path}: {error.what}", flush=True)
    for marker, wrong in damaged_outputs(results):
        count, damaged = count + 1, damaged + bool(wrong)
        for sentence in wrong:
            print(f"{marker.parent.name} of {marker.stem}: {sentence}", flush=True)
        if wrong and redo:
            marker.unlink()
    if count:
        print(f"{results}: {count} finished images were compared")
    return damaged


def _verify_training(run: Run) -> int:
    """How many states of the training of a run are damaged."""
    from jaxseg import checkpoint

    damaged, folder = 0, run.checkpoints
    for kind in (checkpoint.LAST, checkpoint.BEST):
        for path in checkpoint.checkpoints(folder / kind):
            try:
                checkpoint.read(path)
            except checkpoint.Damaged as error:
                damaged += 1
                print(f"{path}: {error}", flush=True)
    return damaged
