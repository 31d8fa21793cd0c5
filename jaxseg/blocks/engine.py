"""Doing blocks in one process: in threads, each on its own, none twice."""

from __future__ import annotations

import itertools
import traceback
from collections.abc import Callable, Iterable
from contextlib import closing

from jaxseg import io
from jaxseg.blocks.ledger import Ledger, Record, finished, mark, ranges, tidy
from jaxseg.data import prefetch
from jaxseg.errors import ConfigError, Interrupted, JaxsegError, ResourceError
from jaxseg.signals import interruptible

Work = Callable[[int], Record]


class BlocksFailed(JaxsegError):
    """Some blocks could not be done; the others are."""

    exit_code = 1


def run_blocks(
    ledger: Ledger,
    numbers: Iterable[int],
    work: Work,
    *,
    workers: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
) -> int:
    """Do the blocks of a job that are not done yet.

    A block that fails is put aside with its traceback in ``failed/``, and the rest goes on; a full
    disk and a refusal, which concern all blocks, end the job at once. Asked to stop, the job ends
    when the blocks in hand are done. Killed at any instant, it is continued by running it again.

    Parameters
    ----------
    ledger : of the stage
    numbers : of the blocks of this job
    work : does one block, writes its data and returns the record for its marker
    workers : blocks at a time
    on_progress : called with the number of blocks done and to do

    Returns
    -------
    number of blocks that were done now

    Raises
    ------
    BlocksFailed : some failed
    Interrupted : the process was asked to stop
    """
    done = finished(ledger)
    waiting = [number for number in numbers if number not in done]
    tried, bad = 0, []

    def attempt(number: int) -> tuple[int, bool | None]:
        return number, None if asked() else do_block(ledger, number, work)

    with interruptible() as asked:
        items = itertools.takewhile(lambda _: not asked(), waiting)
        with closing(prefetch(attempt, items, workers=workers, depth=workers)) as results:  # type: ignore[type-var]
            for number, good in results:
                tried += good is not None
                bad += [number] if good is False else []
                if on_progress is not None:
                    on_progress(tried, len(waiting))
        if tried < len(waiting):
            raise stopped(ledger)
    if bad:
        raise BlocksFailed(
            f"{len(bad)} of {len(waiting)} blocks could not be done: {ranges(bad)}",
            where=ledger.failure(bad[0]),
            found=ledger.failure(bad[0]).read_text().splitlines()[0],
            fix="mend the cause and run the same command again",
        )
    if waiting:
        tidy(ledger)
    return len(waiting)


def stopped(ledger: Ledger) -> Interrupted:
    """The error of a job that was asked to stop."""
    return Interrupted(
        f"stopped with {len(finished(ledger))} of {len(ledger.grid)} blocks done",
        where=ledger.folder,
        fix="run the same command again to continue",
    )


def do_block(ledger: Ledger, number: int, work: Work) -> bool:
    """Do one block and mark it; whether that went well.

    Raises
    ------
    ResourceError, ConfigError : what concerns every block
    """
    try:
        mark(ledger, number, work(number))
    except (ResourceError, ConfigError):
        raise
    except Exception as error:
        if ledger.marker(number).exists():
            # Another job did it meanwhile, and complete data moved away from under this one.
            return True
        # Whatever is wrong with one block must not keep the others from being done.
        head = f"{type(error).__name__}: {' '.join(str(error).split())}"
        text = f"{head}\n\n{traceback.format_exc()}"
        io.write_text(ledger.failure(number), text, shared=True)
        return False
    return True
