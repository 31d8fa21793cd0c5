"""A configuration from a file, as plain data, and compared with another."""

from __future__ import annotations

import importlib
import json
import re
import runpy
from pathlib import Path
from typing import Any

from jaxseg import config as options
from jaxseg.config.option import problems
from jaxseg.config.places import remember
from jaxseg.config.saved import (
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
from jaxseg.config.yaml_file import read_yaml
from jaxseg.errors import ConfigError, JaxsegError, raise_all

__all__ = [
    "differing",
    "digest",
    "flat",
    "from_plain",
    "load",
    "plain",
    "select",
    "to_plain",
    "values",
]

# Modules that read YAML files of other programs: ``is_foreign(document)``, ``config_of(document)``.
# They stand above this one, so they are named and not imported.
OTHER_PROGRAMS = ("jaxseg.interop.biapy.job",)
LARGEST_FILE = 16 * 2**20
UNKNOWN_KEYWORD = re.compile(r"(\w+)\.__init__\(\) got an unexpected keyword argument '(\w+)'")


def load(path: str | Path) -> Config:
    """The configuration that a file defines.

    Parameters
    ----------
    path : a ``.py`` file that defines ``config = Config(...)`` (it is run as code), a ``.json``
        file saved beside earlier results, or a ``.yaml`` file with the same names; of another
        program's YAML (BiaPy's) a table is printed that says what becomes of every key

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
            "no such configuration file", where=path, fix="check the path after --config"
        )
    if path.suffix == ".json":
        return from_plain(_read_json(path), str(path))
    if path.suffix in (".yaml", ".yml"):
        return _from_yaml(path)
    if path.suffix != ".py":
        raise ConfigError(
            "unknown kind of configuration", where=path, expected=".py, .json or .yaml"
        )
    config = _run(path).get("config")
    if not isinstance(config, Config):
        found = "no such name" if config is None else type(config).__name__
        raise ConfigError("the file defines no configuration", where=path,
                          expected="config = Config(...)", found=found)  # fmt: skip
    raise_all(problems(config))
    return config


def _run(path: Path) -> dict[str, Any]:
    """Names that a configuration file defines; an error in it becomes one line with its place."""
    try:
        found = runpy.run_path(str(path))
        remember(path, found)
        return found
    except JaxsegError as error:
        raise ConfigError(str(error), where=path) from error
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
        raise ConfigError(f"{type(error).__name__}: {error}", where=where) from error


def _from_yaml(path: Path) -> Config:
    """The configuration of a YAML file, of ours or of another program's."""
    document = read_yaml(path)
    for name in OTHER_PROGRAMS:
        program = importlib.import_module(name)
        if program.is_foreign(document):
            return program.config_of(document)
    for notice in document.notices:
        print(f"{path}: {notice}", flush=True)
    data = document.nested()
    # As on the command line, a network and a channel with the usual options are their names.
    if isinstance(data.get("model"), str):
        data["model"] = {"architecture": data["model"]}
    if isinstance(data.get("channels"), list):
        data["channels"] = [
            {"name": item} if isinstance(item, str) else item for item in data["channels"]
        ]
    return from_plain(data, str(path))


def _read_json(path: Path) -> Any:
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ConfigError("too large for a configuration", where=path,
                              expected=f"at most {LARGEST_FILE // 2**20} MiB")  # fmt: skip
        return json.loads(path.read_text())
    except RecursionError as error:
        raise ConfigError("too deeply nested for a configuration", where=path) from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"not a readable JSON file: {error}", where=path) from error
