"""``jaxseg plan --config FILE``: what a run needs of memory, disk space and time."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from jaxseg.cli.options import Configured
from jaxseg.config import Config


@dataclass(frozen=True, kw_only=True)
class Arguments(Configured):
    """Check a configuration and print the memory, disk space and time that it needs.

    The options are those of jaxseg run. Nothing is written.
    """


def execute(arguments: Arguments) -> int:
    """Print the plan; return the exit code."""
    show(arguments.options)
    return 0


def show(config: Config) -> None:
    """Check everything, and print what the run would need."""
    prepare(config)
    from jaxseg.cli.foreign_weights import with_checkpoint
    from jaxseg.planning import plan_run
    from jaxseg.planning.text import lines

    with tempfile.TemporaryDirectory() as folder:
        config = with_checkpoint(config, folder=Path(folder) / "imported")
        for line in lines(plan_run(config), config):
            print(line, flush=True)


def prepare(config: Config) -> None:
    """Settings of the process, before JAX starts its backend, which reads them once."""
    from jaxseg import hosts, runtime

    place = hosts.find(os.environ) if "train" in config.phases else None
    share = max(1, config.train.batch // place.processes) if place else config.train.batch
    runtime.configure(cpu_devices=config.cpu_devices, batch=share)
