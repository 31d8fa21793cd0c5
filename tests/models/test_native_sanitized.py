"""The compiled kernels under sanitisers, on every kind of processor."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "native").glob("*.cc"))
RUN = """
import ctypes, importlib.machinery, sys
from jaxseg.models import native
native.importlib.util.find_spec = lambda name: importlib.machinery.ModuleSpec(
    name, None, origin={library!r})
import pytest
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", {tests!r}]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("level", ["base", "avx2", ""])
def test_no_kernel_touches_memory_beyond_its_arrays(tmp_path: Path, level: str) -> None:
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("no g++")
    library = str(tmp_path / "_native.so")
    command = [
        compiler, "-std=c++17", "-O1", "-g", "-fPIC", "-shared", "-pthread", "-w",
        "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-DJAXSEG_ONE_KIND",
        "-isystem", jax.ffi.include_dir(), f"-I{ROOT / 'native'}",
        *map(str, SOURCES), "-o", library,
    ]  # fmt: skip
    subprocess.run(command, check=True)
    # The sanitiser looks for the functions of exceptions when it starts, before JAX brings them.
    first = [
        subprocess.run(
            [compiler, f"-print-file-name={name}"], check=True, capture_output=True, text=True
        ).stdout.strip()
        for name in ("libasan.so", "libstdc++.so.6")
    ]
    tests = str(Path(__file__).with_name("test_native.py"))
    environment = {
        **os.environ,
        "LD_PRELOAD": " ".join(first),
        "ASAN_OPTIONS": "detect_leaks=0",
        "JAXSEG_NATIVE_LEVEL": level,
    }
    code = RUN.format(library=library, tests=tests)
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert " passed" in done.stdout
