"""Requests to stop are never lost: exit code 75 from the first instant to the last."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from jaxseg.signals import interruptible, safe_point, stoppable

pytestmark = pytest.mark.full

HEAD = """
import hashlib, sys, time
from jaxseg import signals
signals.GRACE = 0.2
signals.take_over()
def busy():  # outside of Python, as a compiler is
    hashlib.pbkdf2_hmac("sha256", b"", b"", 10**9)
def ready():
    print("ready", flush=True)
"""


def begun(body: str) -> subprocess.Popen[str]:
    """A program with pipes to its output."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", HEAD + body], **pipes)


def started(body: str) -> subprocess.Popen[str]:
    """A program that has printed that it is ready, and prints no more until it is asked to stop.

    What it printed at once would come with the line that is read here, and be lost to
    ``communicate``, which reads the pipe itself.
    """
    process = begun(body)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGUSR1"])
def test_before_anything_is_begun_it_ends_at_once(name: str) -> None:
    process = started("ready(); busy()")
    process.send_signal(getattr(signal, name))
    _, errors = process.communicate(timeout=20)
    assert process.returncode == 75
    assert errors == "interrupted before anything was done; run the same command again\n"


def test_with_nothing_in_hand_it_ends_soon_however_busy() -> None:
    process = started("with signals.stoppable():\n    ready(); busy()")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 75


def test_what_is_in_hand_is_finished() -> None:
    process = started("""
with signals.stoppable():
    try:
        with signals.interruptible() as asked:
            ready()
            time.sleep(1.5)
            print("finished", asked(), flush=True)
    except KeyboardInterrupt:
        sys.exit(75)
""")
    process.send_signal(signal.SIGTERM)
    out, errors = process.communicate(timeout=20)
    assert (process.returncode, out, errors) == (75, "finished True\n", "")


def test_a_second_request_ends_it_at_once() -> None:
    process = started("""
signals.at_last(lambda: print("unlocked", flush=True))
with signals.stoppable(), signals.interruptible():
    ready(); busy()
""")
    process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    out, errors = process.communicate(timeout=20)
    assert (process.returncode, out) == (75, "unlocked\n")
    assert errors == "interrupted at once; run the same command again to continue\n"


def test_after_the_end_its_own_code_stands() -> None:
    process = started("signals.ended(3); ready(); busy()")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 3


def test_children_die_of_signals_as_any_other_process() -> None:
    process = begun("""
import os, signal, warnings
entry, exit = os.pipe()
warnings.simplefilter("ignore")  # Python 3.12 and later tell of the thread of `signals`
child = os.fork()
if not child:
    os.write(exit, b"."); time.sleep(20); os._exit(9)
os.read(entry, 1); os.kill(child, signal.SIGTERM)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
""")
    out, errors = process.communicate(timeout=60)
    assert (process.returncode, out, errors) == (0, f"{-signal.SIGTERM}\n", "")


def test_a_request_that_a_callback_swallows_is_known_at_the_next_safe_point() -> None:
    def swallow() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.1)
        except BaseException:
            pass

    with stoppable():
        swallow()
        with interruptible() as asked:
            assert asked()
            safe_point()  # something is in hand
        with pytest.raises(KeyboardInterrupt):
            safe_point()
    safe_point()


def handles_requests(pid: int) -> bool:
    """Whether a process has begun to handle SIGTERM itself."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    caught = next(int(line.split()[1], 16) for line in lines if line.startswith("SigCgt"))
    return bool(caught >> signal.SIGTERM - 1 & 1)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc")
@pytest.mark.parametrize(
    "wait", [0.0, *(pytest.param(t / 4, marks=pytest.mark.slow) for t in range(1, 13))]
)
def test_the_command_line_while_it_imports(wait: float, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "jaxseg.main", "--out", str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not handles_requests(process.pid):
        time.sleep(0.002)
    time.sleep(wait)
    asked = process.poll() is None
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == (75 if asked and "interrupted" in errors else 2)
    assert "Traceback" not in errors
    if not wait:
        assert process.returncode == 75
