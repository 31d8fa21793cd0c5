"""``python -m jaxseg.main --config FILE [--train.epochs 5 ...]``: the same as ``jaxseg run``.

Exit codes: 0 done, 1 some blocks failed, 2 wrong configuration or command, 3 non-finite numbers,
4 too little memory or disk space, 5 wrong or damaged input, 75 interrupted (run the same command
again to continue).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from jaxseg import signals


def main(args: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; return the exit code."""
    from jaxseg.cli import app

    return app.main(["run", *(sys.argv[1:] if args is None else args)])


def program(words: Sequence[str] | None = None) -> int:
    """The program ``jaxseg``, which can be stopped before all else is imported; its exit code.

    Parameters
    ----------
    words : sequence of str, optional
        The words after ``jaxseg``; by default those that the process was started with.
    """
    signals.take_over()
    from jaxseg.cli import app

    return signals.ended(app.program(words))


if __name__ == "__main__":
    sys.exit(program(["run", *sys.argv[1:]]))
