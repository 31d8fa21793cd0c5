"""Whether all finished blocks are what was written: ``python -m jaxseg.cli.verify OUT``.

Every block is read again and compared with the hash in its marker. Exit codes: 0 all are the same,
5 some are damaged or missing; they are named.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from jaxseg.blocks import Ledger, faults, finished, ledgers
from jaxseg.errors import InputError, JaxsegError


def main(args: Sequence[str] | None = None) -> int:
    """Print one line per stage and per damaged block; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m jaxseg.cli.verify", description=__doc__)
    parser.add_argument("out", type=Path, help="folder of results, searched with all below it")
    out = parser.parse_args(args).out
    damaged = found = 0
    try:
        for ledger in ledgers(out):
            found += 1
            damaged += verify(ledger)
        if not found:
            raise InputError("no blocks here", file=out, expected="the folder given with --out")
    except JaxsegError as error:
        print(error, file=sys.stderr)
        return error.exit_code
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


if __name__ == "__main__":
    sys.exit(main())
