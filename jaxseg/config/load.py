"""A configuration from a file and the command line: command line > file > defaults."""

from __future__ import annotations

import dataclasses
import json
import re
import runpy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tyro

from jaxseg import config as options
from jaxseg.config.architectures import SOURCES
from jaxseg.config.option import nearest, problems
from jaxseg.config.saved import (
    architecture,
    differing,
    digest,
    flat,
    from_plain,
    plain,
    select,
    to_plain,
    unknown_option,
    values,
)
from jaxseg.config.schema import Config
from jaxseg.errors import ConfigError, JaxsegError, raise_all

__all__ = [
    "differing",
    "digest",
    "from_plain",
    "load",
    "nearest_option",
    "parse",
    "select",
    "to_plain",
    "values",
]

LARGEST_FILE = 16 * 2**20
UNKNOWN_KEYWORD = re.compile(r"(\w+)\.__init__\(\) got an unexpected keyword argument '(\w+)'")


def load(path: str | Path) -> Config:
    """The configuration that a file defines.

    Parameters
    ----------
    path : a ``.py`` file that defines ``config = Config(...)`` (it is run as code), or a ``.json``
        file saved beside earlier results

    Returns
    -------
    Config

    Raises
    ------
    ConfigError : the file is missing, cannot be run, or does not define a legal configuration
    """
    path = Path(path)
    if not path.is_file():
        raise ConfigError(
            "no such configuration file", file=path, fix="check the path after --config"
        )
    if path.suffix == ".json":
        return from_plain(_read_json(path), str(path))
    if path.suffix != ".py":
        raise ConfigError("unknown kind of configuration", file=path, expected=".py or .json")
    config = _run(path).get("config")
    if not isinstance(config, Config):
        found = "no such name" if config is None else type(config).__name__
        raise ConfigError("the file defines no configuration", file=path,
                          expected="config = Config(...)", found=found)  # fmt: skip
    raise_all(problems(config))
    return config


def _run(path: Path) -> dict[str, Any]:
    """Names that a configuration file defines; an error in it becomes one line with its place."""
    try:
        return runpy.run_path(str(path))
    except JaxsegError as error:
        raise ConfigError(str(error), file=path) from error
    except Exception as error:
        # A configuration is the user's own code: whatever it raises is theirs to mend.
        trace, line = error.__traceback__, getattr(error, "lineno", None)
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == str(path):
                line = trace.tb_lineno
            trace = trace.tb_next
        where = f"{path}:{line}" if line else str(path)
        unknown = UNKNOWN_KEYWORD.match(str(error))
        if unknown and hasattr(options, unknown[1]):
            raise unknown_option(unknown[2], getattr(options, unknown[1]), where) from error
        raise ConfigError(f"{type(error).__name__}: {error}", file=where) from error


def _read_json(path: Path) -> Any:
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ConfigError("too large for a configuration", file=path,
                              expected=f"at most {LARGEST_FILE // 2**20} MiB")  # fmt: skip
        return json.loads(path.read_text())
    except RecursionError as error:
        raise ConfigError("too deeply nested for a configuration", file=path) from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"not a readable JSON file: {error}", file=path) from error


def parse(args: Sequence[str], base: Config) -> Config:
    """The configuration after the options of a command line.

    ``--model NAME`` chooses another network; what the configuration sets of the one that it had
    stays, as far as the other has the same option.

    Raises
    ------
    ConfigError : unknown options, all of them, each with the nearest legal one
    SystemExit : for ``--help``, and with code 2 for values that cannot be read
    """
    base, args = _choose_network(list(args), base)
    config, unknown = tyro.cli(
        Config,
        default=base,
        args=args,
        prog="python -m jaxseg.main",
        description="Train, predict, make instances and evaluate. --config FILE gives the values "
        "that the options below change; --dry-run checks everything and prints what the run needs "
        "of memory, disk and time; --debug shows the traceback of an error. --model NAME "
        f"chooses the network: {', '.join(SOURCES)}.",
        config=(tyro.conf.AvoidSubcommands, tyro.conf.CascadeSubcommandArgs),
        return_unknown_args=True,
    )
    raise_all(_unknown(unknown, config))
    return config


def _unknown(words: Sequence[str], config: Config) -> list[ConfigError]:
    """An error for every word of a command line that is neither an option nor a value of one."""
    legal = ["--" + name.replace("_", "-") for name in flat(plain(config))]
    wrong = [word.partition("=")[0] for word in words if word.startswith("--")]
    errors = [
        ConfigError(
            f"unknown option {option}{nearest_option(option, legal)}",
            expected=_of_section(option, legal),
            fix="--help lists all options",
        )
        for option in dict.fromkeys(wrong)
    ]
    if words and not wrong:
        errors.append(ConfigError(f"unexpected {' '.join(words)!r} on the command line"))
    return errors


def _of_section(option: str, legal: Sequence[str]) -> str:
    """The legal options of the part of the configuration that an option names."""
    section = option.rpartition(".")[0] + "."
    found = [name for name in legal if name.startswith(section)]
    return ", ".join(found) if "." in option else ""


def nearest_option(option: str, legal: Sequence[str]) -> str:
    """Like ``nearest``, but a legal option that ends in the same word comes first.

    >>> nearest_option("--epochs", ["--run", "--train.epochs"])
    "; did you mean '--train.epochs'?"
    """
    last = option.replace("_", "-").rpartition(".")[2].lstrip("-")
    same = [name for name in legal if name.lstrip("-").rpartition(".")[2] == last]
    return f"; did you mean {same[0]!r}?" if same else nearest(option, legal)


def _choose_network(args: list[str], base: Config) -> tuple[Config, list[str]]:
    """The configuration with the network that ``--model`` names, and the other arguments."""
    for index, arg in enumerate(args):
        option, equals, name = arg.partition("=")
        if option != "--model":
            continue
        if not equals and index + 1 == len(args):
            raise ConfigError("no network after --model", expected="one of " + ", ".join(SOURCES))
        name = name if equals else args[index + 1]
        rest = args[:index] + args[index + (1 if equals else 2) :]
        return dataclasses.replace(base, model=_network(name, base.model)), rest
    return base, args


def _network(name: str, before: Any) -> Any:
    """A network by name, with what was set of another one where it has the same option."""
    kind, usual = architecture(name, "--model"), type(before)()
    if kind is type(before):
        return before
    values = {field.name: getattr(before, field.name) for field in dataclasses.fields(before)}
    chosen = {key: value for key, value in values.items() if value != getattr(usual, key)}
    legal = {field.name for field in dataclasses.fields(kind)}
    return kind(**{key: value for key, value in chosen.items() if key in legal})
