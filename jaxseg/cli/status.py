"""How far the blocks of a run are: ``jaxseg status OUT``.

One line per stage and volume. Exit codes: 0 all done, 1 blocks failed or are missing, 5 a ledger
that cannot be read.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from jaxseg.blocks import Ledger, failed, finished, ledgers
from jaxseg.blocks.ledger import ranges
from jaxseg.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Show how much of a run by blocks is done, one line per stage and image.

    Exit codes: 0 all is done, 1 blocks failed or are missing, 5 a record cannot be read.
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
    if not any_found:
        raise InputError(
            "no blocks here", file=arguments.out, expected="the folder given with --out"
        )
    return 0 if complete else 1


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
