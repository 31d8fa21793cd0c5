"""The command line: ``python -m jaxseg.main --config configs/inst2d.py [--train.epochs 5 ...]``.

Exit codes: 0 done, 2 configuration or refusal, 3 non-finite numbers, 4 resources, 5 bad input,
75 interrupted (run the same command again to continue).
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence

from jaxseg.config import Config
from jaxseg.config.load import load, parse
from jaxseg.errors import ConfigError, Interrupted, JaxsegError
from jaxseg.signals import stoppable


def main(args: Sequence[str] | None = None) -> int:
    """Run the phases that the command line asks for; return the exit code."""
    args = list(sys.argv[1:] if args is None else args)
    debug, args = "--debug" in args, [arg for arg in args if arg != "--debug"]
    try:
        config = configuration(args)
        run(config)
    except KeyboardInterrupt:
        print("interrupted; run the same command again to continue", file=sys.stderr)
        return Interrupted.exit_code
    except JaxsegError as error:
        if debug:
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
    from jaxseg import runtime

    # Before JAX starts its backend, which reads these settings once.
    runtime.configure(cpu_devices=config.cpu_devices, batch=config.train.batch)
    from jaxseg import workflows

    workflows.run(config)


def script() -> int:
    """``main`` as a program: a warning is a line for the user, without a place in our code."""
    warnings.formatwarning = lambda message, *_, **__: f"warning: {message}\n"
    return main()


if __name__ == "__main__":
    sys.exit(script())
