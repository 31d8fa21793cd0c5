"""Settings of the process that JAX and the memory allocator read once, before they start.

Functions only, called by the command line first of all; importing this module changes nothing and
imports neither JAX nor NumPy.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from jaxseg.errors import ConfigError

if TYPE_CHECKING:
    from jax.sharding import Mesh

# With fewer threads than this, the all-reduce between virtual CPU devices can wait for ever on a
# machine of few cores (seen with jax 0.10; 8 were enough for 4 devices).
LEAST_THREADS = 16

# Parameters of glibc's mallopt.
M_TRIM_THRESHOLD, M_MMAP_MAX, M_ARENA_MAX = -1, -4, -8
NEVER = -1
# Advice of madvise: pages of 2 MiB, for the bytes that a process may use at most that way.
HUGE, PAGE, MOST_LARGE = 14, 4096, 8 * 2**30


def configure(*, cpu_devices: int = 0, batch: int = 1) -> bool:
    """Prepare the process for JAX; a variable that the user has set stands.

    One device uses all cores where the compiled kernels do most of the work. Elsewhere several
    virtual CPU devices, one per core, use them better than one device with several threads, though
    each has the network and its optimiser for itself and waits for the others. The allocator keeps
    large arrays instead of returning them to the system at every step, which saves page faults.
    Compiled functions are kept on disk for the next run.

    Parameters
    ----------
    cpu_devices : virtual CPU devices; 0 = 1 with compiled kernels, else :func:`device_count` of the
        cores that this process may use
    batch : samples per step, to be spread over the devices

    Returns
    -------
    False when JAX was imported before, so that its settings stay as they are
    """
    keep_memory()
    if "jax" in sys.modules:
        return False
    cores = usable_cores()
    devices = cpu_devices or (1 if has_kernels() else device_count(batch, cores))
    os.environ.setdefault("JAX_NUM_CPU_DEVICES", str(devices))
    if os.environ["JAX_NUM_CPU_DEVICES"] != "1":
        os.environ.setdefault("PJRT_NPROC", str(max(LEAST_THREADS, 4 * devices)))
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache_folder()))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.5")
    return True


def has_kernels() -> bool:
    """Whether the compiled kernels were built and are wanted; loads nothing."""
    built = any((Path(__file__).parent / "models").glob("_native.*"))
    return built and (os.environ.get("JAXSEG_RECIPE") or "native") == "native"


def device_count(batch: int, available: int) -> int:
    """The largest number of devices among which a batch divides evenly.

    >>> device_count(batch=6, available=4)
    3
    """
    return max(count for count in range(1, max(available, 1) + 1) if batch % count == 0)


def data_mesh(batch: int) -> Mesh:
    """The devices that share a batch, along one axis "data".

    Parameters
    ----------
    batch : samples per step; as many devices are used as it divides among

    Returns
    -------
    Mesh

    Raises
    ------
    ConfigError : the batch does not divide among the devices of several processes
    """
    import jax

    devices = jax.devices()
    if jax.process_count() > 1 and batch % len(devices):
        raise ConfigError(
            "the batch does not divide among the devices of all processes",
            where="train.batch",
            expected=f"a multiple of {len(devices)}",
            found=batch,
        )
    return jax.make_mesh(
        (device_count(batch, len(devices)),),
        ("data",),
        devices=devices[: device_count(batch, len(devices))],
        axis_types=(jax.sharding.AxisType.Auto,),
    )


def devices_in_words() -> str:
    """The devices that JAX computes on, for the log: ``"2 x NVIDIA H100"``, or cores of a CPU."""
    import jax

    devices = jax.devices()
    if devices[0].platform == "cpu":
        return f"CPU, {usable_cores()} core(s)"
    return f"{len(devices)} x {devices[0].device_kind}"


def usable_cores() -> int:
    """Cores that this process may use, which can be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cache_folder() -> Path:
    """Where compiled functions are kept: below the user's cache folder."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "jaxseg" / "compiled"


def keep_memory() -> bool:
    """Let the allocator of glibc keep freed memory for the next step, in large pages.

    Returns
    -------
    True when all settings were accepted; False elsewhere than on Linux with glibc
    """
    if sys.platform != "linux" or platform.libc_ver()[0] != "glibc":
        return False
    library = ctypes.CDLL(None)
    settings = ((M_ARENA_MAX, 1), (M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, NEVER))
    accepted = [library.mallopt(parameter, value) == 1 for parameter, value in settings]
    _take_large_pages(library)
    return all(accepted)


def _take_large_pages(library: ctypes.CDLL) -> None:
    """Ask for pages of 2 MiB where the memory of the process grows next.

    Arrays of a training step lie in hundreds of MiB; to look up their small pages took 3 to 15 % of
    a step. The memory is taken and freed without being touched, so that none is used.
    """
    size = min(MOST_LARGE, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2)
    if _memory_is_counted():
        return
    library.malloc.restype = ctypes.c_void_p
    start = library.malloc(ctypes.c_size_t(size))
    if start:
        first = -(-start // PAGE) * PAGE
        library.madvise(ctypes.c_void_p(first), ctypes.c_size_t(start + size - first), HUGE)
        library.free(ctypes.c_void_p(start))


def _memory_is_counted() -> bool:
    """Whether memory counts from when it is asked for, in place of from when it is used."""
    import resource

    limits = (resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA))
    strict = Path("/proc/sys/vm/overcommit_memory")
    return any(limit != resource.RLIM_INFINITY for limit in limits) or (
        strict.exists() and strict.read_text().strip() == "2"
    )
