"""Weights of BiaPy in place of a checkpoint: imported once, on the way.

They may stand in ``predict.checkpoint`` and in ``train.start_from``.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from jaxseg.cli.import_weights import import_weights, shapes_of
from jaxseg.config import Config
from jaxseg.config.load import load
from jaxseg.errors import ConfigError, InputError
from jaxseg.interop.biapy.keys.model import BY_BIAPY
from jaxseg.io.atomic import PARTIAL

ENDINGS = (".pth", ".pt", ".safetensors")


def with_checkpoint(config: Config, folder: str | Path = "") -> Config:
    """A configuration whose checkpoint is one of ours, with the network of its weights.

    Parameters
    ----------
    config : Config
        ``predict.checkpoint`` or ``train.start_from`` may be a file of weights.
    folder : path, optional
        Where the imported checkpoint goes; by default beside those of the experiment, named after
        the file and its content, so that it is there the next time.

    Returns
    -------
    Config
        The same one where the checkpoint is no such file.

    Raises
    ------
    ConfigError
        torch, which reads ``.pth`` files, is not installed, or a training is asked for together
        with weights to predict with.
    InputError
        The file is missing or does not fit the network.
    """
    if config.predict.checkpoint.lower().endswith(ENDINGS):
        if "train" in config.phases:
            raise ConfigError(
                "a network that is trained now and weights of another one",
                where="predict.checkpoint, phases",
                found=config.predict.checkpoint,
                fix="leave train out of the phases, or give the weights as train.start_from",
            )
        target, config = _imported(Path(config.predict.checkpoint), config, folder)
        predict = dataclasses.replace(config.predict, checkpoint=str(target))
        config = dataclasses.replace(config, predict=predict)
    if config.train.start_from.lower().endswith(ENDINGS):
        target, config = _imported(Path(config.train.start_from), config, folder)
        train = dataclasses.replace(config.train, start_from=str(target))
        config = dataclasses.replace(config, train=train)
    return with_own_names(config)


def with_own_names(config: Config) -> Config:
    """A configuration whose patterns of BiaPy's names are our names of the same parameters.

    Parameters
    ----------
    config : Config
        ``train.freeze`` may hold ``biapy:REGEX``, which is searched in BiaPy's names.

    Raises
    ------
    ConfigError
        An expression that no parameter of the network fits.
    """
    theirs = [one for one in config.train.freeze if one.startswith(BY_BIAPY)]
    if not theirs:
        return config
    names = {ours: name for ours, name in _both_names(config) if name}
    found = [one for one in config.train.freeze if one not in theirs]
    for pattern in theirs:
        search = re.compile(pattern.removeprefix(BY_BIAPY)).search
        fitting = [ours for ours, name in names.items() if search(name)]
        if not fitting:
            raise ConfigError(
                f"no parameter of BiaPy's network fits {pattern.removeprefix(BY_BIAPY)!r}",
                where="train.freeze",
                expected=", ".join(list(dict.fromkeys(names.values()))[:6]),
            )
        found += [ours for ours in fitting if ours not in found]
    return dataclasses.replace(config, train=dataclasses.replace(config.train, freeze=tuple(found)))


def _both_names(config: Config) -> Iterator[tuple[str, str]]:
    """Our name of every parameter, and BiaPy's; empty where BiaPy has none."""
    from jaxseg.interop.biapy.names import peer_place

    for name in shapes_of(config, 1):
        kind, _, ours = name.partition("/")
        if kind == "params":
            try:
                yield ours, peer_place(ours, config.model).name
            except KeyError:
                yield ours, ""


def _imported(source: Path, config: Config, folder: str | Path) -> tuple[Path, Config]:
    """The folder of an imported checkpoint, and the configuration with the network of it."""
    if not source.is_file():
        raise InputError("no such file of weights", where=source)
    own = Path(config.out) / config.name / "checkpoints" / f"{source.stem}_{_digest(source)}"
    target = Path(folder) if folder else own
    if not (target / "config.json").is_file():
        partial = target.with_name(target.name + PARTIAL)
        shutil.rmtree(partial, ignore_errors=True)
        import_weights(source, partial, config)
        os.replace(partial, target)
        print(f"imported the weights of {source} into {target}", flush=True)
    return target, dataclasses.replace(config, model=load(target / "config.json").model)


def _digest(path: Path) -> str:
    """A short hash of the content of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()[:12]
