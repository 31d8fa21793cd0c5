"""Settings that must stand before JAX is imported, and the fixtures all tests share."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

# Several virtual CPU devices let every test of data parallelism run on any machine; without the
# larger thread pool their all-reduce can dead-lock on two cores.
os.environ.setdefault("JAX_NUM_CPU_DEVICES", "4")
os.environ.setdefault("PJRT_NPROC", "16")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("MPLBACKEND", "Agg")
# Scripts that tests start find what the tests share.
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
)
# Compiling takes most of the time of the tests; what one of them compiled serves all the others, in
# other processes, too.
os.environ.setdefault(
    "JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parents[1] / ".pytest_cache" / "compiled")
)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
# Programs for arrays as small as those of tests run sooner than they are optimised.
# `make test-slow` compiles as users do.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "true")

import signal

import jax
import numpy as np
import pytest

# A program that was started in the background ignores Ctrl-C, and so would all that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
from hypothesis import settings

# The machine is shared: a deadline would test its load, not the code.
settings.register_profile("jaxseg", deadline=None, max_examples=25, derandomize=True)
settings.load_profile("jaxseg")

# Bytes of compiled programs and of all else that a process may hold after a module.
MOST_MEMORY = 1.2e9


@pytest.fixture(scope="module")
def quick_compilation() -> Iterator[None]:
    """Compile without most optimisations in the slow tests of a module, too.

    Modules ask for it with ``pytestmark = pytest.mark.usefixtures("quick_compilation")``.
    """
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


@pytest.fixture(scope="module", autouse=True)
def little_memory() -> Iterator[None]:
    """Forget the programs that a module compiled when they have become many."""
    yield
    if sys.platform == "linux" and held() > MOST_MEMORY:
        jax.clear_caches()
        gc.collect()
        # The C library would keep what was freed.
        ctypes.CDLL(None).malloc_trim(0)


def held() -> int:
    """Bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture
def no_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not draw the course of a training, which takes as long as a small one."""
    monkeypatch.setattr("jaxseg.train.logs.draw", lambda folder, rows: None)


@pytest.fixture
def no_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait for the disk, which takes longer than what these tests look at."""
    monkeypatch.setattr("os.fsync", lambda descriptor: None)


@pytest.fixture
def rng() -> np.random.Generator:
    """A fixed stream of random numbers."""
    return np.random.default_rng(0)
