"""Work for processes of a cluster: it decodes drawn labels, and some blocks are fatal."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from jaxseg import blocks
from support.block_stages import decode, labels
from support.blockwise import creation


def make_work(folder: str, behaviour: str) -> blocks.Work:
    """Instance creation in which a block behaves badly, the first time or always.

    Parameters
    ----------
    folder : of the ledger
    behaviour : ``once``: every block kills its process once; ``poison``: block 2 raises always;
        ``deadly``: block 2 kills its process always; ``often``: every third block ends its process
        the first time; ``slow``: half a second each; ``good``
    """
    ledger = blocks.read_ledger(Path(folder))
    stage = creation(ledger.grid, labels(ledger.grid.shape), decode)
    good = blocks.work_of(stage, ledger, {})

    def work(number: int) -> blocks.ledger.Record:
        visited = Path(folder).parent / f"visited{number}"
        visits = len(visited.read_text()) if visited.exists() else 0
        visited.write_text("x" * (visits + 1))
        if behaviour == "slow":
            time.sleep(0.5)
        if behaviour == "poison" and number == 2:
            raise RuntimeError("poison")
        if (behaviour == "once" and not visits) or (behaviour == "deadly" and number == 2):
            os.kill(os.getpid(), signal.SIGKILL)
        if behaviour == "often" and not visits and number % 3 == 0:
            os._exit(1)
        return good(number)

    return work
