"""How far the blocks of a run are: ``python -m jaxseg.cli.status OUT``.

One line per stage and volume. Exit codes: 0 all done, 1 blocks failed or are missing, 5 a ledger
that cannot be read.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from jaxseg.blocks import Ledger, failed, finished, ledgers
from jaxseg.blocks.ledger import ranges
from jaxseg.errors import InputError, JaxsegError


def main(args: Sequence[str] | None = None) -> int:
    """Print the lines; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m jaxseg.cli.status", description=__doc__)
    parser.add_argument("out", type=Path, help="folder of results, searched with all below it")
    out = parser.parse_args(args).out
    complete, any_found = True, False
    try:
        for ledger in ledgers(out):
            any_found = True
            line, whole = describe(ledger)
            complete &= whole
            print(f"{ledger.folder}: {line}", flush=True)
        if not any_found:
            raise InputError("no blocks here", file=out, expected="the folder given with --out")
    except JaxsegError as error:
        print(error, file=sys.stderr)
        return error.exit_code
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


if __name__ == "__main__":
    sys.exit(main())
