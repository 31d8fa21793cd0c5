"""Configuration files of BiaPy as configurations of ours, and the options of its command line."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jaxseg.config.python_file import python_text
from jaxseg.config.schema import Config
from jaxseg.config.yaml_file import Document, read_yaml
from jaxseg.errors import ConfigError
from jaxseg.interop.biapy.report import meaning, report
from jaxseg.interop.biapy.translation import is_foreign, translate


def config_of(document: Document, tell: Callable[[str], Any] = print) -> Config:
    """The configuration that a YAML file of BiaPy describes.

    Parameters
    ----------
    document : see :func:`jaxseg.config.yaml_file.read_yaml`
    tell : is given the table of all keys, before anything is refused

    Returns
    -------
    Config

    Raises
    ------
    ConfigError : unknown or refused keys; all of them, each with its line
    """
    found = translate(document)
    tell(report(found))
    return found.config()


def new_config(from_yaml: str | Path) -> str:
    """A configuration file in Python that says what a YAML file says.

    Parameters
    ----------
    from_yaml : a file of BiaPy or of ours

    Returns
    -------
    text of a Python file that defines ``config``

    Raises
    ------
    ConfigError : unknown or refused keys, or not a YAML file
    """
    document = read_yaml(from_yaml)
    name = Path(from_yaml).name
    if not is_foreign(document):
        from jaxseg.config.load import load

        return python_text(load(from_yaml), f"What {name} says.")
    found = translate(document)
    changed = [row for row in found.rows if row.verdict.kind in ("approximated", "no effect")]
    notes = [f"{row.key}, {row.verdict.kind}: {meaning(row)}" for row in changed]
    head = [f"What {name}, a configuration of BiaPy, says."]
    head += ["", "Not translated exactly:", "", *(f"- {note}" for note in notes)] if notes else []
    return python_text(found.config(), "\n".join(head))


class Flag(NamedTuple):
    """An option of the documents' command line."""

    becomes: str
    """Our option; empty = handled here."""


FLAGS = {
    "--result_dir": Flag("--out"),
    "--name": Flag("--name"),
    "--run_id": Flag("--run"),
    "--gpu": Flag(""),
}


def documented_flags(args: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """The arguments of a command line with the documents' flags as our options.

    Call it before JAX starts its backend: ``--gpu 0,1`` limits what it sees, ``--gpu ""`` or
    ``--gpu cpu`` leaves the CPU.

    Parameters
    ----------
    args : of the command line

    Returns
    -------
    args : the same without ``--gpu``, and with ``--out`` and ``--run`` for ``--result_dir`` and
        ``--run_id``
    environment : variables to set for the process, for ``--gpu``

    Raises
    ------
    ConfigError : a flag without its value, or no number of a GPU

    >>> documented_flags(["--result_dir", "out", "--run_id=2", "--gpu", "0", "--seed", "1"])
    (['--out', 'out', '--run=2', '--seed', '1'], {'CUDA_VISIBLE_DEVICES': '0'})
    """
    rest: list[str] = []
    environment: dict[str, str] = {}
    words = list(args)
    while words:
        word = words.pop(0)
        name, equals, value = word.partition("=")
        flag = FLAGS.get(name)
        if flag is None:
            rest.append(word)
        elif flag.becomes:
            rest.append(flag.becomes + equals + value)
        else:
            if not equals and not words:
                raise ConfigError(f"no value after {name}", fix="--gpu 0, or --gpu cpu")
            environment |= devices(value if equals else words.pop(0))
    return rest, environment


def devices(value: str) -> dict[str, str]:
    """Variables of the environment that leave some GPUs visible, or none.

    >>> devices("cpu"), devices("1,3")
    ({'JAX_PLATFORMS': 'cpu'}, {'CUDA_VISIBLE_DEVICES': '1,3'})
    """
    numbers = [part.strip() for part in value.split(",") if part.strip()]
    if not numbers or value.strip().lower() in ("cpu", "-1", "none"):
        return {"JAX_PLATFORMS": "cpu"}
    if not all(number.isdecimal() for number in numbers):
        raise ConfigError("not the number of a GPU", where="--gpu", found=value,
                          expected="0, or 0,1, or cpu")  # fmt: skip
    return {"CUDA_VISIBLE_DEVICES": ",".join(numbers)}


def apply(environment: dict[str, str]) -> None:
    """Set variables of this process."""
    os.environ.update(environment)
