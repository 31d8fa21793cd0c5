"""How far a run is: ``jaxseg status OUT``.

One line per stage and volume by blocks, and one for all that is left to do, begun or not. Exit
codes: 0 all done, 1 something is left to do, 5 a ledger or configuration that cannot be read.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from jaxseg.blocks import Ledger, failed, finished, ledgers
from jaxseg.blocks.ledger import ranges
from jaxseg.errors import ConfigError, InputError
from jaxseg.runs.below import runs_below
from jaxseg.runs.layout import Run

MOST_LINES = 40


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Show what is done of a run and what is left to do, with the command that does it.

    Exit codes: 0 all is done, 1 something is left to do, 5 a record cannot be read.
    """

    out: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER")]
    """folder of results, searched with all below it"""


def execute(arguments: Arguments) -> int:
    """Print the lines; return the exit code."""
    complete, any_found = True, False
    for ledger in ledgers(arguments.out):
        any_found = True
        line, whole = describe(ledger)
        complete &= whole
        print(f"{ledger.folder}: {line}", flush=True)
    for run in runs_below(arguments.out):
        any_found = True
        complete &= not show_left(run)
    if not any_found:
        raise InputError("no run here", where=arguments.out, expected="the folder given with --out")
    return 0 if complete else 1


def show_left(run: Run, *, damaged: bool = False) -> bool:
    """Print what is left to do of a run, and the command that does it; whether there is anything.

    Parameters
    ----------
    damaged : results are known to be so, and the run is not called done

    Raises
    ------
    InputError : its configuration cannot be read
    """
    from jaxseg.config.load import load
    from jaxseg.tasks.unfinished import how_to_finish, left_to_do

    try:
        config = load(run.config_file)
        left = list(left_to_do(config, run))
    except ConfigError as error:
        raise InputError(
            "what is left to do is not known: the saved configuration cannot be read",
            where=run.config_file,
            found=error.what,
        ) from error
    for one in left[:MOST_LINES]:
        print(f"{run.results}: {one.what}", flush=True)
    if len(left) > MOST_LINES:
        print(f"{run.results}: and {len(left) - MOST_LINES} more", flush=True)
    if left:
        print(f"to do it: {how_to_finish(config, run, left)}", flush=True)
    elif not damaged:
        print(f"{run.results}: all phases that were asked for are done", flush=True)
    return bool(left)


def describe(ledger: Ledger) -> tuple[str, bool]:
    """What is done of a stage, and whether that is all."""
    done, total = finished(ledger), len(ledger.grid)
    bad = [number for number in failed(ledger) if number not in done]
    line = f"{len(done)} of {total} blocks"
    if bad:
        line += f", {len(bad)} failed: {ranges(bad)}"
    missing = [number for number in range(total) if number not in done and number not in bad]
    if missing and done:
        line += f", to do: {ranges(missing)}"
    return line, len(done) == total
