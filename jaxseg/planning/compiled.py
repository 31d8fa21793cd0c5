"""What a compiled function costs: its memory, the batch that fits, and the time of a call."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxseg import memory
from jaxseg.memory import Need

# A function that compiles slower than this is not compiled again to confirm an estimate.
QUICK_SECONDS = 10.0
# More samples per device than this are no longer an advantage.
MOST_PER_DEVICE = 1024
# Batches that are compiled at most to confirm that they fit.
TRIES = 3


class Costs(NamedTuple):
    """A function compiled for one batch."""

    batch: int
    devices: int
    backend: str
    need: Need
    """Of a call on each device."""
    held: int
    """Bytes on each device at most, by the calls that are under way at a time."""
    limit: int
    """Bytes of memory on each device, or on the CPU each device's part of what is free."""
    most: int
    """The largest batch that fits; 0 if one sample per device does not."""
    basis: str
    """How that was found."""
    seconds: float
    """Of one call after the first; NaN if it was not made, since the function does not fit."""


def costs(
    lower: Callable[[int], Any],
    call: Callable[[Any], Any],
    *,
    batch: int,
    mesh: Mesh,
    in_flight: int = 1,
) -> Costs:
    """Compile a function for two batches, and call it twice.

    The memory of batches is about a straight line. Where compiling is quick, the batch that should
    fit is compiled, too, and the line drawn anew if it does not.

    Parameters
    ----------
    lower : a batch to what ``jax.jit(function).lower`` gives
    call : calls the compiled function of ``batch`` and waits for the answer
    batch : a multiple of the number of devices
    mesh : devices along an axis "data" that share the batch
    in_flight : calls that are handed over at a time; on the CPU each holds its temporaries, other
        devices do them one after another

    Returns
    -------
    Costs
    """
    devices = mesh.shape["data"]
    limit, began = memory.limit_of(list(mesh.devices.flat)), time.perf_counter()
    compiled, share = lower(batch).compile(), batch // devices
    quick = time.perf_counter() - began < QUICK_SECONDS
    need, backend = memory.need_of(compiled), jax.default_backend()
    times = in_flight if backend == "cpu" else 1

    def total(each: int) -> int:
        return times * memory.need_of(lower(devices * each).compile()).total

    # XLA may arrange one sample alone in another way than several.
    other = share // 2 if share >= 4 else share + 1
    known = {share: times * need.total, other: total(other)}
    most, basis = _largest(known, limit, total if quick else None)
    pair = " and ".join(str(devices * each) for each in sorted((share, other)))
    seconds = _seconds(call, compiled) if known[share] <= limit else math.nan
    return Costs(
        batch,
        devices,
        backend,
        need,
        known[share],
        limit,
        devices * most,
        f"from batches {pair}, {basis}",
        seconds,
    )


def _seconds(call: Callable[[Any], Any], compiled: Any) -> float:
    """Of the second of two calls; NaN if the memory that is there is not enough, after all."""
    try:
        call(compiled)
        began = time.perf_counter()
        call(compiled)
    except jax.errors.JaxRuntimeError as error:
        if not memory.is_exhausted(error):
            raise
        return math.nan
    return time.perf_counter() - began


def _largest(
    known: dict[int, int], limit: int, total: Callable[[int], int] | None
) -> tuple[int, str]:
    """The samples per device that fit, and whether that was confirmed.

    Parameters
    ----------
    known : bytes by samples per device, two at least
    limit : bytes
    total : compiles for so many samples to find their bytes; None = too slow
    """
    for _ in range(TRIES):
        most = on_line(known, limit)
        if most in known or most == 0 or not total:
            break
        known = {**known, most: total(most)}
    fitting = max((each for each, size in known.items() if size <= limit), default=0)
    if most in known or most == 0 or total:
        return fitting, "compiled"
    return most, "by a straight line"


def on_line(known: Mapping[int, int], limit: int) -> int:
    """The samples that fit, by the line through the two largest numbers that are known.

    >>> on_line({1: 300, 2: 500}, 1200)
    5
    """
    (a, low), (b, high) = sorted(known.items())[-2:]
    slope = max((high - low) / (b - a), 1)
    return min(max(int(a + (limit - low) // slope), 0), MOST_PER_DEVICE)


def everywhere(tree: Any, mesh: Mesh) -> Any:
    """Shapes of arrays with a copy on every device."""
    return _placed(tree, NamedSharding(mesh, P()))


def spread(tree: Any, mesh: Mesh) -> Any:
    """Shapes of arrays whose first axis is spread over the devices."""
    return _placed(tree, NamedSharding(mesh, P("data")))


def _placed(tree: Any, sharding: NamedSharding) -> Any:
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding), tree
    )
