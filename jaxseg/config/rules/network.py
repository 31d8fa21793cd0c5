"""Rules about the network: what it needs of the dimensions and of the rest."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from jaxseg.config.architectures import UNETR, Package
from jaxseg.config.option import problems
from jaxseg.config.rules.sizes import stride_problems
from jaxseg.config.schema import Config
from jaxseg.errors import ConfigError


def network_problems(config: Config) -> Iterator[ConfigError]:
    """Everything about the network that depends on other sections."""
    model = config.model
    if config.train.export.format != "none" and "train" in config.phases:
        yield from _export(config)
    if isinstance(model, Package):
        yield from _package(config, model)
    if next(problems(model, "model"), None) is not None:
        return
    wrong = list(_along_z(model, config.ndim))
    if isinstance(model, UNETR):
        wrong += _positions(model, config.ndim)
    yield from wrong or stride_problems(config)


def _export(config: Config) -> Iterator[ConfigError]:
    """What would be known only when the training has ended."""
    if config.normalize.scope == "patch":
        yield ConfigError(
            "a file cannot say that patches are scaled by themselves",
            where="train.export.format, normalize.scope",
            expected="image or dataset",
            found="patch",
        )
    needed = {"onnx": "onnx", "onnxruntime": "onnx"}
    needed |= {"bioimageio": "bmz"} if config.train.export.format == "package" else {}
    missing = [name for name in needed if find_spec(name) is None]
    if missing:
        yield ConfigError(
            f"the package {missing[0]} is missing",
            where="train.export.format",
            fix=f"pip install 'jaxseg[{needed[missing[-1]]}]'",
        )


def _package(config: Config, model: Package) -> Iterator[ConfigError]:
    """What a network out of a file cannot do."""
    letters = "bc" + "zyx"[-config.ndim :]
    if model.axes and (set(model.axes) - set(letters) or len(set(model.axes)) < len(model.axes)):
        expected = f"each of {letters} at most once"
        yield _illegal("axes", expected, model.axes)
    if "train" in config.phases:
        yield ConfigError(
            "a package is for prediction, it cannot be trained",
            where="model.path, phases",
            found=config.phases,
            fix="--phases predict decode evaluate",
        )
    if config.predict.checkpoint:
        yield ConfigError(
            "two networks to predict with",
            where="predict.checkpoint, model.path",
            found=(config.predict.checkpoint, model.path),
            fix="give one of them",
        )
    if config.predict.precision != "float32":
        yield ConfigError(
            "a package computes as it was written",
            where="predict.precision",
            expected="float32",
            found=config.predict.precision,
        )


def _along_z(model: Any, ndim: int) -> Iterator[ConfigError]:
    """What only makes sense along z."""
    if ndim == 2 and any(getattr(model, name, ()) for name in ("z_down", "isotropic")):
        yield ConfigError("z_down and isotropic need three dimensions", where="model")


def _positions(model: UNETR, ndim: int) -> Iterator[ConfigError]:
    """How a transformer knows where its tokens are."""
    if model.position == "learned" and len(model.grid) != ndim:
        yield _illegal("grid", f"{ndim} numbers of tokens, for learned positions", model.grid)
    if model.position == "sinusoidal" and model.embed % (2 * ndim):
        expected = f"a multiple of {2 * ndim}, for waves along {ndim} axes"
        yield _illegal("embed", expected, model.embed)


def _illegal(field: str, expected: str, found: Any) -> ConfigError:
    return ConfigError("illegal value", where=f"model.{field}", expected=expected, found=found)
