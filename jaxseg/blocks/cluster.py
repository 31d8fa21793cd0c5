"""Doing blocks on a dask cluster: it hands out numbers and gets numbers back.

The store is the truth: what is marked is done, whoever did it. A worker that dies loses the block
that it was at, which another one does; a scheduler that dies loses nothing, since the next start
looks at the markers. No data pass through the scheduler.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from jaxseg import io
from jaxseg.blocks.engine import BlocksFailed, Work, do_block
from jaxseg.blocks.ledger import Ledger, failed, finished, ranges, read_ledger, tidy
from jaxseg.errors import ConfigError, Interrupted

LOCAL = "local:"


def run_on_cluster(
    ledger: Ledger,
    numbers: Iterable[int],
    make_work: Callable[..., Work],
    arguments: tuple[str, ...],
    *,
    address: str,
    retries: int = 2,
    on_progress: Callable[[int, int], None] | None = None,
) -> None:
    """Do the blocks of a job that are not done yet; as :func:`jaxseg.blocks.run_blocks`.

    Parameters
    ----------
    ledger, numbers : of the stage and the job
    make_work : a function of a module that makes the work, called once in every process
    arguments : of ``make_work``
    address : of a scheduler, ``tcp://host:port``, or ``local:n`` for n processes here
    retries : how often a block that fails, or takes its worker with it, is tried again
    on_progress : called with the number of blocks done and to do

    Raises
    ------
    BlocksFailed : some failed at every try
    ConfigError : dask is not installed, or nobody answers at the address
    Interrupted : the scheduler was lost
    """
    done = finished(ledger)
    waiting = [number for number in numbers if number not in done]
    if not waiting:
        return
    distributed = _distributed()
    with _client(address, retries) as client:
        task = functools.partial(_attempt, str(ledger.folder), make_work, arguments, retries)
        futures = client.map(task, waiting, pure=False, retries=retries)
        places = {future.key: number for future, number in zip(futures, waiting, strict=True)}
        for count, future in enumerate(distributed.as_completed(futures), start=1):
            if future.status in ("cancelled", "lost"):
                raise Interrupted(
                    "the scheduler was lost; what is done is kept",
                    where=ledger.folder,
                    fix="start one and run the same command again",
                )
            if future.status == "error":
                _put_aside(ledger, places[future.key], future.exception())
            future.release()
            if on_progress is not None:
                on_progress(count, len(waiting))
    bad = sorted(set(failed(ledger)) & set(waiting))
    if bad:
        raise BlocksFailed(
            f"{len(bad)} of {len(waiting)} blocks could not be done: {ranges(bad)}",
            where=ledger.failure(bad[0]),
            found=ledger.failure(bad[0]).read_text().splitlines()[0],
            fix="mend the cause and run the same command again",
        )
    tidy(ledger)


def _attempt(
    folder: str,
    make_work: Callable[..., Work],
    arguments: tuple[str, ...],
    retries: int,
    number: int,
) -> bool:
    """Do one block in a process of the cluster, unless that was done before."""
    ledger = read_ledger(Path(folder))
    if ledger.marker(number).exists():
        return True
    work = _made(make_work, arguments)
    return any(do_block(ledger, number, work) for _ in range(1 + retries))


@functools.lru_cache(maxsize=4)
def _made(make_work: Callable[..., Work], arguments: tuple[str, ...]) -> Work:
    """The work of a stage, made once per process."""
    return make_work(*arguments)


def _put_aside(ledger: Ledger, number: int, error: BaseException) -> None:
    """Keep what the scheduler knows of a block that failed outside of its own error handling."""
    if isinstance(error, ConfigError):
        raise error
    text = f"{type(error).__name__}: {' '.join(str(error).split())}\n"
    io.write_text(ledger.failure(number), text, shared=True)


def _distributed() -> Any:
    """The package, or how to get it."""
    try:
        import distributed
    except ImportError as error:
        raise ConfigError(
            "dask is not installed", where="blocks.scheduler", fix="pip install 'jaxseg[cluster]'"
        ) from error
    return distributed


def _client(address: str, retries: int) -> Any:
    """A client of a scheduler, or of processes that end with it."""
    import dask

    distributed = _distributed()
    settings = {
        # One block that kills its workers must not be handed to all of them.
        "distributed.scheduler.allowed-failures": retries,
        # Blocks that only wait at a worker that dies would be blamed for its death, too.
        "distributed.scheduler.worker-saturation": 1.0,
    }
    dask.config.set(settings)
    # What it tells of connections hides what this program tells of blocks.
    logging.getLogger("distributed").setLevel(logging.WARNING)
    if address.startswith(LOCAL):
        workers = int(address.removeprefix(LOCAL))
        return distributed.Client(
            n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None
        )
    try:
        return distributed.Client(address, timeout=30)
    except OSError as error:
        raise ConfigError(
            "no scheduler answers", where="blocks.scheduler", found=address
        ) from error
