"""Networks trained with BiaPy as ours.

``jaxseg import-weights --from FILE --to DIR --config CONFIG`` writes a checkpoint.

The folder can be predicted with: ``jaxseg run --config DIR/config.json --predict.checkpoint DIR
--phases predict decode --data.test.raw IMAGES``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from jaxseg.cli.new_config import shipped
from jaxseg.config import Config
from jaxseg.config.load import digest, load, to_plain
from jaxseg.errors import ConfigError, InputError, JaxsegError, raise_all
from jaxseg.tasks.checking import check


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments:
    """Turn a network that BiaPy 3.7.1 trained into a checkpoint and a configuration for it."""

    source: Annotated[str, tyro.conf.arg(name="from")]
    """weights of BiaPy: .safetensors, .pth or .pt; nothing in the file is ever run"""
    to: str
    """folder of the checkpoint to write"""
    config: str
    """configuration that says what the planes mean: task, ndim, channels, normalisation; a .pth
    file that holds BiaPy's configuration replaces its network"""


def execute(arguments: Arguments) -> int:
    """Convert one file; return the exit code."""
    config = load(shipped(arguments.config))
    config = import_weights(arguments.source, arguments.to, config)
    print(f"{config.model.architecture} in {arguments.to}, its configuration in config.json")
    return 0


def import_weights(source: str | Path, to: str | Path, config: Config) -> Config:
    """Write a checkpoint that prediction uses, and the configuration that it implies.

    Parameters
    ----------
    source : see :func:`jaxseg.interop.biapy.read`
    to : folder, made when missing
    config : says what the planes mean

    Returns
    -------
    the configuration with the network of the weights

    Raises
    ------
    ConfigError : an option of the network that we do not have, or that is not legal; or there is a
        network in the folder already
    InputError : the weights do not fit the network; names all tensors that do not
    """
    from jaxseg import checkpoint, io
    from jaxseg.interop import biapy

    folder = Path(to)
    if checkpoint.checkpoints(folder / checkpoint.BEST):
        raise ConfigError("there is a network here already", where=folder, fix="another --to")
    weights = biapy.read(source)
    if weights.options:
        config = dataclasses.replace(config, model=biapy.network_of(weights.options, config.ndim))
    raise_all(_problems(config))
    channels = _input_channels(weights.tensors, config, str(source))
    shapes = shapes_of(config, channels)
    arrays = biapy.convert(weights.tensors, shapes, config.model, config.ndim, file=str(source))
    meta = {
        "config": to_plain(config),
        "stats": ((0.0,) * channels, (1.0,) * channels),
        "digest": digest({name: checkpoint.describe(array) for name, array in arrays.items()}),
        "source": str(source),
    }
    checkpoint.save(folder / checkpoint.BEST, 0, checkpoint.nested(arrays), meta, keep=1)
    io.write_json(folder / "config.json", to_plain(config))
    return config


def _problems(config: Config) -> list[JaxsegError]:
    """What makes the configuration useless; folders of images are of no account here."""
    problems: list[JaxsegError] = [
        problem for problem in check(config) if not str(problem.where).startswith("data.")
    ]
    if config.normalize.scope == "dataset":
        problems.append(
            ConfigError(
                "the statistics of the training images are not in these weights",
                where="normalize.scope",
                found=config.normalize.scope,
                expected="image",
            )
        )
    model: Any = config.model
    if getattr(model, "position", "none") != "none":
        problems.append(
            ConfigError(
                "the peer's tokens have no position",
                where="model.position",
                found=model.position,
                expected="none",
            )
        )
    return problems


def shapes_of(config: Config, channels: int) -> dict[str, tuple[int, ...]]:
    """Shape of every array of the network, for images of so many channels."""
    import jax

    from jaxseg import checkpoint
    from jaxseg.network import network

    model = network(config, dtype="float32")
    image = jax.ShapeDtypeStruct((1,) * (config.ndim + 1) + (channels,), "float32")
    variables = jax.eval_shape(lambda key: model.init(key, image), jax.random.key(0))
    return {name: tuple(leaf.shape) for name, leaf in checkpoint.flatten(variables).items()}


def _input_channels(tensors: Mapping[str, np.ndarray], config: Config, file: str) -> int:
    """Channels of the images: of the tensors whose shape depends on them, as the first one has."""
    from jaxseg.interop.biapy.names import peer_place

    one, two = shapes_of(config, 1), shapes_of(config, 2)
    name = next(name for name in one if name.endswith("kernel") and one[name] != two[name])
    place = peer_place(name.split("/", 1)[1], config.model)
    if place.name not in tensors:
        raise InputError(
            f"no tensor {place.name}",
            where=file,
            expected=f"the weights of a {config.model.architecture} with the options given",
            found=", ".join(sorted(tensors)[:4]) or "no tensors",
        )
    return tensors[place.name].shape[1]
