"""Whether all finished blocks are what was written: ``jaxseg verify OUT``.

Every block is read again and compared with the hash in its marker. Exit codes: 0 all are the same,
5 some are damaged or missing; they are named.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from jaxseg.blocks import Ledger, faults, finished, ledgers
from jaxseg.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Read all finished blocks again and compare them with their hashes.

    Exit codes: 0 all are as they were written, 5 some are damaged or missing; they are named.
    """

    out: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER")]
    """folder of results, searched with all below it"""


def execute(arguments: Arguments) -> int:
    """Print one line per stage and per damaged block; return the exit code."""
    damaged = count = 0
    for ledger in ledgers(arguments.out):
        count += 1
        damaged += verify(ledger)
    if not count:
        raise InputError(
            "no blocks here", file=arguments.out, expected="the folder given with --out"
        )
    return InputError.exit_code if damaged else 0


def verify(ledger: Ledger) -> int:
    """Read the finished blocks of a stage again; return how many are damaged."""
    damaged, done = 0, sorted(finished(ledger))
    for number in done:
        wrong = faults(ledger, number)
        damaged += bool(wrong)
        for sentence in wrong:
            print(f"{ledger.folder}: block {number}: {sentence}", flush=True)
    print(f"{ledger.folder}: {len(done) - damaged} of {len(done)} finished blocks are whole")
    return damaged
