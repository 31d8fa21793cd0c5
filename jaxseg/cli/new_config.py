"""``jaxseg new-config [NAME]``: the configurations that are shipped with the library."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

import jaxseg
from jaxseg.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Print a configuration to start from; without a name, list them.

    jaxseg new-config inst2d > mine.py
    jaxseg new-config --from job.yaml > mine.py
    """

    name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NAME")] = ""
    """which configuration"""
    source: Annotated[str, tyro.conf.arg(name="from", metavar="FILE")] = ""
    """a YAML file, of BiaPy or with our names, to write as Python"""


def execute(arguments: Arguments) -> int:
    """Print one configuration, or the list; return the exit code."""
    if arguments.source:
        from jaxseg.interop.biapy.job import new_config

        print(new_config(arguments.source), end="")
        return 0
    files = configurations()
    if arguments.name:
        print(_named(arguments.name, files).read_text(encoding="utf-8"), end="")
        return 0
    width = max(map(len, files), default=0)
    for name, path in files.items():
        print(f"{name:{width}}  {_about(path)}")
    return 0


def configurations() -> Mapping[str, Path]:
    """The shipped configurations by name.

    In a wheel they lie in the package, in a checkout beside it.
    """
    package = Path(jaxseg.__file__).parent
    for folder in (package / "templates", package.parent / "configs"):
        if folder.is_dir():
            return {path.stem: path for path in sorted(folder.glob("[a-z]*.py"))}
    return {}


def shipped(name: str) -> Path:
    """The path of a configuration file, or of the shipped configuration of that name.

    >>> shipped("inst2d").name
    'inst2d.py'
    >>> shipped("folder/mine.py").as_posix()
    'folder/mine.py'
    """
    if Path(name).suffix or Path(name).exists():
        return Path(name)
    return _named(name, configurations())


def _named(name: str, files: Mapping[str, Path]) -> Path:
    if name not in files:
        from jaxseg.config.channels import nearest

        raise ConfigError(
            f"no such configuration {name!r}{nearest(name, files)}",
            expected="a file, or one of " + ", ".join(files),
        )
    return files[name]


def _about(path: Path) -> str:
    """The first line of a configuration's docstring."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0]
