"""Reading ahead in threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def prefetch(
    function: Callable[[Item], Result], items: Iterable[Item], *, workers: int = 2, depth: int = 3
) -> Iterator[Result]:
    """Results of a function, in the order of the items, computed ahead in threads.

    Parameters
    ----------
    function : called once per item, from several threads
    items : what to call it with; may be endless
    workers : number of threads
    depth : how many results may be waiting or under way beyond the one asked for

    Yields
    ------
    ``function(item)`` for every item; what it raises is raised here. Closing the iterator drops
    what is waiting and ends the threads.

    >>> list(prefetch(lambda x: x * x, range(5)))
    [0, 1, 4, 9, 16]
    """
    waiting: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > depth:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
