"""The command line: ``python -m jaxseg.main --config configs/inst2d.py [--train.epochs 5 ...]``.

``--dry-run`` checks everything and prints what the run needs of memory, disk and time, without
running it.

Exit codes: 0 done, 1 some blocks failed (they are named), 2 configuration or refusal, 3 non-finite
numbers, 4 resources, 5 bad input, 75 interrupted (run the same command again to continue).
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence

from jaxseg import signals

if __name__ == "__main__":
    # Before anything else is imported, which takes seconds.
    signals.take_over()

from jaxseg.config import Config
from jaxseg.config.load import load, parse
from jaxseg.errors import ConfigError, Interrupted, JaxsegError
from jaxseg.signals import stoppable

# Options of the command line alone, which no configuration holds.
FLAGS = {"--debug", "--dry-run"}


def main(args: Sequence[str] | None = None) -> int:
    """Run the phases that the command line asks for; return the exit code."""
    args = list(sys.argv[1:] if args is None else args)
    flags, args = set(args) & FLAGS, [arg for arg in args if arg not in FLAGS]
    try:
        config = configuration(args)
        (plan if "--dry-run" in flags else run)(config)
    except KeyboardInterrupt:
        print("interrupted; run the same command again to continue", file=sys.stderr)
        return Interrupted.exit_code
    except JaxsegError as error:
        if "--debug" in flags:
            raise
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def configuration(args: Sequence[str]) -> Config:
    """The configuration of a command line: the file after ``--config``, then the other options."""
    rest = list(args)
    base = Config()
    for index, arg in enumerate(args):
        name, _, value = arg.partition("=")
        if name != "--config":
            continue
        if not value and index + 1 == len(args):
            raise ConfigError("no file after --config", fix="--config configs/inst2d.py")
        base = load(value or args[index + 1])
        del rest[index : index + (1 if value else 2)]
        break
    return parse(rest, base)


@stoppable()
def run(config: Config) -> None:
    """Check everything, then run the phases of a configuration."""
    _prepare(config)
    from jaxseg import workflows

    workflows.run(config)


def plan(config: Config) -> None:
    """Check everything, and print what the run would need; nothing is written."""
    _prepare(config)
    from jaxseg.planning import plan_run
    from jaxseg.planning.text import lines

    for line in lines(plan_run(config), config):
        print(line, flush=True)


def _prepare(config: Config) -> None:
    """Settings of the process, before JAX starts its backend, which reads them once."""
    from jaxseg import runtime

    runtime.configure(cpu_devices=config.cpu_devices, batch=config.train.batch)


def script() -> int:
    """``main`` as a program: a warning is a line for the user, without a place in our code."""
    warnings.formatwarning = lambda message, *_, **__: f"warning: {message}\n"
    return main()


if __name__ == "__main__":
    sys.exit(signals.ended(script()))
