"""The command line in several processes that train together on this machine."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Sequence

# One device per process, and few threads: the machine is small.
ALONE = {"JAX_NUM_CPU_DEVICES": "1", "PJRT_NPROC": "8"}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("localhost", 0))
        return found.getsockname()[1]


def together(words: Sequence[str], processes: int = 2) -> list[subprocess.Popen[str]]:
    """Start the same command in several processes."""
    others = {"JAX_COORDINATOR_ADDRESS": f"localhost:{free_port()}"}
    others["JAX_NUM_PROCESSES"] = str(processes)
    return [
        start(words, {**ALONE, **others, "JAX_PROCESS_ID": str(number)})
        for number in range(processes)
    ]


def start(words: Sequence[str], more: dict[str, str]) -> subprocess.Popen[str]:
    """Start the command line."""
    command = [sys.executable, "-m", "jaxseg.main", *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, env={**os.environ, **more}, **pipes)


def ended(process: subprocess.Popen[str], timeout: float = 600) -> tuple[int, str]:
    """Exit code and what a process said."""
    out, _ = process.communicate(timeout=timeout)
    return process.returncode, out
