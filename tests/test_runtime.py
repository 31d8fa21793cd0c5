from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxseg import runtime

NAMES = (
    "JAX_NUM_CPU_DEVICES",
    "PJRT_NPROC",
    "JAX_COMPILATION_CACHE_DIR",
    "JAXSEG_RECIPE",
    "XDG_CACHE_HOME",
)
SCRIPT = """
import json, os, sys
from jaxseg import runtime
runtime.usable_cores = lambda: 4
before = sorted(sys.modules)
done = runtime.configure(**json.loads(sys.argv[1]))
heavy = {"jax", "numpy"} & set(sys.modules)
import jax
print(json.dumps([done, sorted(heavy), jax.device_count(), dict(os.environ),
                  jax.config.jax_compilation_cache_dir, runtime.data_mesh(6).shape["data"]]))
"""


def process(options: dict, **environment: str):
    """What a fresh process finds after configuring itself."""
    clean = {name: value for name, value in os.environ.items() if name not in NAMES}
    command = [sys.executable, "-c", SCRIPT, json.dumps(options)]
    output = subprocess.run(command, env=clean | environment, capture_output=True, check=True)
    return json.loads(output.stdout)


def test_configure_sets_what_jax_reads(tmp_path):
    done, heavy, devices, environment, cache, shared = process(
        {"batch": 6}, XDG_CACHE_HOME=str(tmp_path), JAXSEG_RECIPE="cpu"
    )
    assert done
    assert not heavy
    assert devices == shared == 3
    assert int(environment["PJRT_NPROC"]) >= 16
    assert cache == str(tmp_path / "jaxseg" / "compiled")


@pytest.mark.skipif(not runtime.has_kernels(), reason="no compiled kernels")
def test_one_device_uses_all_cores_with_compiled_kernels():
    _, _, devices, environment, _, shared = process({"batch": 6})
    assert devices == shared == 1
    assert "PJRT_NPROC" not in environment


def test_what_the_user_set_stands(tmp_path):
    _, _, devices, environment, cache, shared = process(
        {"batch": 6, "cpu_devices": 1},
        JAX_NUM_CPU_DEVICES="5",
        PJRT_NPROC="20",
        JAX_COMPILATION_CACHE_DIR=str(tmp_path),
    )
    assert (devices, environment["PJRT_NPROC"], cache, shared) == (5, "20", str(tmp_path), 3)


def test_nothing_changes_after_jax_was_imported(monkeypatch):
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    import jax  # noqa: F401

    assert not runtime.configure(batch=8)
    assert not set(NAMES) & set(os.environ)


@given(st.integers(1, 200), st.integers(0, 64))
def test_device_count_is_the_largest_divisor(batch, available):
    count = runtime.device_count(batch, available)
    assert batch % count == 0
    assert 1 <= count <= max(available, 1)
    assert all(batch % more for more in range(count + 1, available + 1))


@pytest.mark.skipif(sys.platform != "linux", reason="the settings are those of glibc")
def test_allocator_takes_the_settings():
    assert runtime.keep_memory()


LARGE = """
from pathlib import Path
from jaxseg import runtime
runtime.keep_memory()
before = Path("/proc/self/status").read_text()
import numpy as np
array = np.ones(64 * 2**20, np.uint8)
print(before + Path("/proc/self/smaps_rollup").read_text())
"""


def _kib(text: str, name: str) -> int:
    return int(text.split(f"{name}:")[1].split()[0])


@pytest.mark.skipif(sys.platform != "linux", reason="the settings are those of glibc")
def test_large_arrays_lie_in_large_pages_and_nothing_is_used_before() -> None:
    choice = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    if not choice.exists() or "[never]" in choice.read_text():
        pytest.skip("this system has no large pages")
    found = subprocess.run(
        [sys.executable, "-c", LARGE], capture_output=True, check=True, text=True
    )
    assert _kib(found.stdout, "VmRSS") < 100_000
    assert _kib(found.stdout, "AnonHugePages") >= 32 * 1024


@pytest.mark.skipif(sys.platform != "linux", reason="the settings are those of glibc")
def test_memory_that_is_counted_is_not_taken() -> None:
    limited = "import resource; resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))\n" + LARGE
    found = subprocess.run(
        [sys.executable, "-c", limited], capture_output=True, check=True, text=True
    )
    assert _kib(found.stdout, "VmPeak") < 2**20
