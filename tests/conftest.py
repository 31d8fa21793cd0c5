"""Settings that must stand before JAX is imported, and the fixtures all tests share."""

from __future__ import annotations

import os
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


@pytest.fixture(scope="module")
def quick_compilation() -> Iterator[None]:
    """Compile without most optimisations, which take longer than small programs run.

    Modules ask for it with ``pytestmark = pytest.mark.usefixtures("quick_compilation")``.
    """
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture
def no_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait for the disk, which takes longer than what these tests look at."""
    monkeypatch.setattr("os.fsync", lambda descriptor: None)


@pytest.fixture
def rng() -> np.random.Generator:
    """A fixed stream of random numbers."""
    return np.random.default_rng(0)
