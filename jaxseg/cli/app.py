"""The program ``jaxseg``: one parser for all commands; a command is imported when it is used.

``jaxseg COMMAND --help`` lists the options of a command.
"""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Annotated, Any, Union

import tyro

from jaxseg.errors import ConfigError, Interrupted, JaxsegError

# Every command with what it does. The module of the same name in this package holds its options,
# the dataclass ``Arguments``, and the function ``execute(arguments) -> exit code``.
COMMANDS = {
    "run": "Train a network, predict images, make instances and evaluate them.",
    "plan": "Check a configuration and print the memory, disk space and time that it needs.",
    "check": "Show what each representation can recover of your own labels, before training.",
    "new-config": "Print a configuration to start from; without a name, list them.",
    "demo": "Write real images with labels for a first run.",
    "export": "Write a trained network as ONNX or as a BioImage.IO package.",
    "import-weights": "Turn a network that BiaPy trained into a checkpoint.",
    "status": "Show what is done of a run and what is left to do.",
    "verify": "Read all that is finished again, compare it with its hashes, name what is missing.",
    "slurm": "Print the commands that submit a run by blocks to SLURM.",
}
# Exit code of a program whose output nobody reads any more, as shells give it.
PIPE_ENDED = 141
DESCRIPTION = """Segment microscopy images in 2D and 3D.

Exit codes: 0 done, 1 some blocks failed or are missing, 2 wrong configuration or command,
3 non-finite numbers, 4 too little memory or disk space, 5 wrong or damaged input,
75 interrupted (run the same command again to continue)."""


def main(args: Sequence[str] | None = None) -> int:
    """Carry out one command.

    Parameters
    ----------
    args : sequence of str, optional
        The words after ``jaxseg``; by default those that the process was started with.

    Returns
    -------
    int
        Exit code.

    Raises
    ------
    SystemExit
        For ``--help``, and with code 2 for values that cannot be read.
    """
    words = list(sys.argv[1:] if args is None else args)
    try:
        return _execute(words)
    except KeyboardInterrupt:
        print("interrupted; run the same command again to continue", file=sys.stderr)
        return Interrupted.exit_code
    except JaxsegError as error:
        if "--debug" in words:
            raise
        print(error, file=sys.stderr)
        return error.exit_code


def program(args: Sequence[str] | None = None) -> int:
    """``main`` as a program: a warning is one line for the user, without a place in our code."""
    warnings.formatwarning = lambda message, *_, **__: f"warning: {message}\n"
    try:
        try:
            return main(args)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # What is left in the buffer must go somewhere when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        print("stopped: what read the output has ended", file=sys.stderr)
        return PIPE_ENDED


def _execute(words: list[str]) -> int:
    """Read the words and carry out the command that they name."""
    name = words[0] if words else "--help"
    if name not in COMMANDS and not name.startswith("-"):
        from jaxseg.config.channels import nearest

        raise ConfigError(
            f"unknown command {name!r}{nearest(name, COMMANDS)}",
            expected="one of " + ", ".join(COMMANDS),
        )
    command = _module(name) if name in COMMANDS else None
    if command is not None and takes_configuration(command):
        from jaxseg.interop.biapy.job import apply, documented_flags

        rest, environment = documented_flags(words[1:])
        apply(environment)
        words = [name, *rest]
    arguments = _parse(words or ["--help"], name, command)
    return command.execute(arguments) if command else 0


def _module(name: str) -> Any:
    return importlib.import_module(f"jaxseg.cli.{name.replace('-', '_')}")


def _parse(words: Sequence[str], chosen: str, command: Any) -> Any:
    """The options of the chosen command; of the others the parser knows the names only."""

    def nothing() -> None: ...

    kinds: list[Any] = []
    for name, summary in COMMANDS.items():
        if name != chosen:
            about = tyro.conf.subcommand(name=name, description=summary, constructor=nothing)
            kinds.append(Annotated[Any, about])
            continue
        about = tyro.conf.subcommand(name=name, description=command.Arguments.__doc__)
        if takes_configuration(command):
            from jaxseg.cli.options import starting_point

            start = starting_point(command.Arguments, words[1:])
            about = tyro.conf.subcommand(name=name, description=start.__doc__, default=start)
        kinds.append(Annotated[command.Arguments, about])
    configured = command is not None and takes_configuration(command)
    parse: Any = tyro.cli  # the type of the options is known at run time only
    result = parse(
        Union[tuple(kinds)],  # noqa: UP007
        prog="jaxseg",
        description=DESCRIPTION,
        args=words,
        config=(tyro.conf.AvoidSubcommands,),
        return_unknown_args=configured,
    )
    if not configured:
        return result
    from jaxseg.cli.options import refuse_unknown

    arguments, unknown = result
    refuse_unknown(unknown, arguments)
    return arguments


def takes_configuration(command: Any) -> bool:
    """Whether the options of a command include those of a configuration."""
    return "options" in command.Arguments.__dataclass_fields__


if __name__ == "__main__":
    sys.exit(program())
