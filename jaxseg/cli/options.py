"""The options of a configuration on the command line: command line > file > defaults."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Sequence
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import tyro

from jaxseg.cli.new_config import shipped
from jaxseg.config import Config
from jaxseg.config.architectures import SOURCES
from jaxseg.config.channels import nearest
from jaxseg.config.load import load
from jaxseg.config.saved import architecture, flat, plain
from jaxseg.errors import ConfigError, raise_all

NETWORK = tyro.conf.arg(
    name="model",
    metavar="NAME",
    help=f"another network than that of the file, one of {', '.join(SOURCES)}; "
    "the options that begin with --model. are those of the chosen one",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Configured:
    """Options of every command that takes a configuration."""

    config: str = ""
    """configuration file (.py, .json or .yaml) with the values that the options below change, or
    the name of a shipped one: jaxseg new-config lists them"""
    network: Annotated[str, NETWORK] = ""
    debug: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """show the traceback of an error"""
    options: Annotated[Config, tyro.conf.arg(name="")] = dataclasses.field(default_factory=Config)
    """the configuration itself"""
    words: Annotated[tuple[str, ...], tyro.conf.Suppress] = ()
    """the command line, as it was given"""


Kind = TypeVar("Kind", bound=Configured)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Start:
    """What must be known before the other options are."""

    config: str = ""
    network: Annotated[str, tyro.conf.arg(name="model")] = ""


def starting_point(kind: type[Kind], words: Sequence[str]) -> Kind:
    """The values that the options of a command line change: of its file and its network.

    Parameters
    ----------
    kind : type
        Dataclass of the command's options.
    words : sequence of str
        The words after the command.

    Returns
    -------
    Configured
        Of the given kind.

    Raises
    ------
    ConfigError
        The file cannot be used, or there is no such network.
    """
    start, _ = tyro.cli(Start, args=list(words), return_unknown_args=True, add_help=False)
    config = load(shipped(start.config)) if start.config else Config()
    if start.network:
        config = with_network(config, start.network)
    return kind(config=start.config, network=start.network, options=config, words=tuple(words))


def parse(words: Sequence[str], base: Config | None = None) -> Config:
    """The configuration of a command line.

    ``--config FILE`` gives the values that the other options change. ``--model NAME`` chooses
    another network; what the configuration sets of the one that it had stays, as far as the other
    has the same option.

    Parameters
    ----------
    words : sequence of str
        Options and their values.
    base : Config, optional
        Values to change where the words name no file.

    Returns
    -------
    Config

    Raises
    ------
    ConfigError
        Unknown options, all of them, each with the nearest legal one.
    SystemExit
        For ``--help``, and with code 2 for values that cannot be read.
    """
    start = starting_point(Configured, words)
    if base is not None and not start.config:
        start = dataclasses.replace(
            start, options=with_network(base, start.network) if start.network else base
        )
    arguments, unknown = tyro.cli(
        Configured,
        default=start,
        args=list(words),
        prog="jaxseg run",
        config=(tyro.conf.AvoidSubcommands,),
        return_unknown_args=True,
    )
    refuse_unknown(unknown, arguments)
    return arguments.options


def refuse_unknown(words: Sequence[str], arguments: Configured) -> None:
    """Raise an error for every word that is neither an option nor the value of one."""
    own = [field.name for field in dataclasses.fields(arguments)]
    names = [*flat(plain(arguments.options)), *(name for name in own if name != "words")]
    legal = ["--" + name.replace("_", "-") for name in names]
    wrong = [word.partition("=")[0] for word in words if word.startswith("--")]
    errors = [_unknown(option, legal) for option in dict.fromkeys(wrong)]
    if words and not wrong:
        errors.append(ConfigError(f"unexpected {' '.join(words)!r} on the command line"))
    raise_all(errors)


def _unknown(option: str, legal: Sequence[str]) -> ConfigError:
    """The error of an option that a command line does not have."""
    field = option.removeprefix("--").partition(".")[0].replace("-", "_")
    kind = get_type_hints(Config).get(field)
    if get_origin(kind) is tuple and dataclasses.is_dataclass(get_args(kind)[0]):
        return ConfigError(
            f"{field} is a list that only a configuration file sets",
            where=option,
            fix="jaxseg new-config writes a file to change",
        )
    return ConfigError(
        f"unknown option {option}{nearest_option(option, legal)}",
        expected=_of_section(option, legal),
        fix="--help lists all options",
    )


def _of_section(option: str, legal: Sequence[str]) -> str:
    """The legal options of the part of the configuration that an option names."""
    section = option.rpartition(".")[0] + "."
    names = [name for name in legal if name.startswith(section)]
    return ", ".join(names) if "." in option else ""


def nearest_option(option: str, legal: Sequence[str]) -> str:
    """Like ``nearest``, but the last word of an option counts where its section is not given.

    >>> nearest_option("--epochs", ["--run", "--train.epochs"])
    "; did you mean '--train.epochs'?"
    >>> nearest_option("--bacth", ["--patch", "--train.batch"])
    "; did you mean '--train.batch'?"
    """
    option = option.replace("_", "-")
    by_word: dict[str, str] = {}
    for name in legal:
        by_word.setdefault(name.lstrip("-").rpartition(".")[2], name)
    word = option.lstrip("-").rpartition(".")[2]
    if word in by_word:
        return f"; did you mean {by_word[word]!r}?"
    if "." in option:
        return nearest(option, legal)
    close = difflib.get_close_matches(word, by_word, n=1)
    return f"; did you mean {by_word[close[0]]!r}?" if close else ""


def with_network(config: Config, name: str) -> Config:
    """A configuration with another network.

    Options that both networks have keep the values that were set.

    >>> with_network(Config(), "resunet").model.architecture
    'resunet'
    """
    before: Any = config.model
    kind, usual = architecture(name, "--model"), type(before)()
    if kind is type(before):
        return config
    values = {field.name: getattr(before, field.name) for field in dataclasses.fields(before)}
    chosen = {key: value for key, value in values.items() if value != getattr(usual, key)}
    legal = {field.name for field in dataclasses.fields(kind)}
    model = kind(**{key: value for key, value in chosen.items() if key in legal})
    return dataclasses.replace(config, model=model)
