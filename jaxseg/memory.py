"""Memory of devices and of the machine: what a compiled function needs, and what there is."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

# Where Linux tells how much memory there is, for the machine and for a group of processes.
MEMINFO, OWN_GROUPS = Path("/proc/meminfo"), Path("/proc/self/cgroup")
GROUPS = Path("/sys/fs/cgroup")
# Limit, use, and the part of the use that is given back when it is needed: version 2 and 1.
FILES = {
    "": ("memory.max", "memory.current", "inactive_file"),
    "memory": ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}


class Need(NamedTuple):
    """What a compiled function holds on one device while it runs, by XLA's own analysis."""

    arguments: int
    outputs: int
    """Without those that take the place of an argument."""
    temporaries: int
    code: int

    @property
    def total(self) -> int:
        """All of it, in bytes."""
        return sum(self)


def need_of(compiled: Any) -> Need:
    """What a compiled function needs.

    Parameters
    ----------
    compiled : ``jax.jit(...).lower(...).compile()``

    >>> import jax, jax.numpy as jnp
    >>> compiled = jax.jit(lambda x: x + 1).lower(jnp.zeros(256)).compile()
    >>> need_of(compiled).arguments
    1024
    """
    found = compiled.memory_analysis()
    return Need(
        found.argument_size_in_bytes,
        found.output_size_in_bytes - found.alias_size_in_bytes,
        found.temp_size_in_bytes,
        found.generated_code_size_in_bytes,
    )


def limit_of(devices: Sequence[Any]) -> int:
    """Bytes that one of some devices may use; virtual CPU devices share the memory of the machine.

    Parameters
    ----------
    devices : of :func:`jax.devices`
    """
    stats = [device.memory_stats() or {} for device in devices]
    limits = [found["bytes_limit"] for found in stats if "bytes_limit" in found]
    return min(limits) if limits else available() // len(devices)


def available() -> int:
    """Bytes of memory that this process can still have, by the machine and its control groups."""
    return min([_free_of_machine(), *free_of_groups(OWN_GROUPS, GROUPS)])


def _free_of_machine() -> int:
    if MEMINFO.exists():
        return 1024 * _values(MEMINFO)["MemAvailable:"]
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def free_of_groups(own: Path, root: Path) -> Iterator[int]:
    """Bytes that are left in each control group with a limit that this process is in.

    Parameters
    ----------
    own : file that names the groups, such as ``/proc/self/cgroup``
    root : folder of all groups; in a container it may be that of its own group
    """
    for line in own.read_text().splitlines() if own.exists() else ():
        _, kind, path = line.split(":", 2)
        if kind not in FILES:
            continue
        group = root / kind / path.strip("/")
        for folder in (group, *group.parents):
            if root not in (folder, *folder.parents):
                break
            yield from _free_of_group(folder, *FILES[kind])


def _free_of_group(folder: Path, limit: str, used: str, cache: str) -> Iterator[int]:
    try:
        most, now = (int((folder / name).read_text()) for name in (limit, used))
    except (OSError, ValueError):  # no such group here, or without a limit
        return
    yield most - now + _values(folder / "memory.stat").get(cache, 0)


def _values(path: Path) -> dict[str, int]:
    """The numbers of a file with a name and a number in each line."""
    words = (line.split() for line in path.read_text().splitlines())
    return {name: int(value) for name, value, *_ in words}


def readable(count: float) -> str:
    """Bytes as a person reads them.

    >>> readable(500), readable(3 * 2**20), readable(5.25 * 2**30)
    ('1 KiB', '3.0 MiB', '5.2 GiB')
    """
    for unit, name in ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB")):
        if count >= unit:
            return f"{count / unit:.{1 if count < 100 * unit else 0}f} {name}"
    return f"{math.ceil(count / 2**10)} KiB"


def is_exhausted(error: Exception) -> bool:
    """Whether an error of JAX says that a device ran out of memory."""
    return "RESOURCE_EXHAUSTED" in str(error)


def halved(sizes: Sequence[int], strides: Sequence[int]) -> tuple[int, ...]:
    """Half of each size, as a multiple of a stride that is at least one.

    >>> halved((256, 24), (16, 16))
    (128, 16)
    """
    return tuple(
        max(size // 2 // stride, 1) * stride for size, stride in zip(sizes, strides, strict=True)
    )
