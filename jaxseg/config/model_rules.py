"""What can be wrong with the options of a network, and how much it reduces an image."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

from jaxseg.config.architectures import (
    UNETR,
    Model,
    Package,
    ResUNet,
    ResUNetPlusPlus,
    ResUNetSE,
    STUNet,
    UNeXt,
)
from jaxseg.config.schema import Config
from jaxseg.errors import ConfigError

# Fewest feature maps that are still a pyramid: ResUNet++ has a bridge beyond two resolutions.
LEAST_LEVELS: Mapping[type, int] = MappingProxyType({ResUNetPlusPlus: 3})
STAGES = 6
# Fields of numbers that must be at least 1 where a network has them.
COUNTS = ("convs", "reduction", "width", "modules", "blocks", "embed", "filters", "attention_heads",
          "dilations")  # fmt: skip


def steps(model: Any, ndim: int) -> tuple[tuple[int, ...], ...]:
    """Reduction of every axis at each step down of a network, (z)yx.

    >>> from jaxseg.config import UNet
    >>> steps(UNet(features=(8, 16, 32), z_down=(1, 2)), 3)
    ((1, 2, 2), (2, 2, 2))
    """
    plane = model.reductions
    z = getattr(model, "z_down", ()) or plane
    return tuple((z_step, step, step)[-ndim:] for z_step, step in zip(z, plane, strict=True))


def strides(model: Model, ndim: int) -> tuple[int, ...]:
    """How much the network reduces every axis, (z)yx.

    >>> from jaxseg.config import UNet
    >>> strides(UNet(features=(8, 16, 32), z_down=(1, 2)), 3)
    (2, 4, 4)
    """
    return tuple(math.prod(axis) for axis in zip(*steps(model, ndim), strict=True))


def lengths(model: Model) -> dict[str, int]:
    """How many values each list of a network has, for the lists that may be empty."""
    down = len(model.reductions)
    if isinstance(model, UNeXt):
        return {"z_down": down, "isotropic": down, "depth": down}
    if isinstance(model, STUNet):
        return {"z_down": down, "isotropic": STAGES, "features": STAGES}
    return {"z_down": down, "isotropic": down + 1, "dropout": down + (not isinstance(model, UNETR))}


def model_mistakes(config: Config) -> Iterator[ConfigError]:
    """Everything that is wrong with the options of the network itself."""
    model = config.model
    if isinstance(model, Package):
        yield from _package(config, model)
        return
    fewest = LEAST_LEVELS.get(type(model), 2)
    features = getattr(model, "features", None)
    if features is not None and not isinstance(model, STUNet) and len(features) < fewest:
        yield ConfigError(
            "too few feature maps",
            file="model.features",
            found=features,
            expected=f"at least {fewest} levels of at least one",
        )
        return
    for field, length in lengths(model).items():
        value = getattr(model, field, ())
        if value and len(value) != length:
            yield ConfigError(
                "wrong number of values",
                file=f"model.{field}",
                found=value,
                expected=f"{length} for this network",
            )
    yield from _numbers(model)
    yield from _space(model, config.ndim)
    if isinstance(model, UNETR):
        yield from _transformer(model, config.ndim)


def _package(config: Config, model: Package) -> Iterator[ConfigError]:
    """What a network out of a file cannot do."""
    if not model.path:
        fix = "--model.path FILE.zip, or FILE.onnx"
        yield ConfigError("no package given", file="model.path", fix=fix)
    letters = "bc" + "zyx"[-config.ndim :]
    if model.axes and (set(model.axes) - set(letters) or len(set(model.axes)) < len(model.axes)):
        yield _range("axes", f"each of {letters} at most once", model.axes)
    if "train" in config.phases:
        yield ConfigError(
            "a package is for prediction, it cannot be trained",
            file="model.path, phases",
            found=config.phases,
            fix="--phases predict decode evaluate",
        )
    if config.predict.checkpoint:
        yield ConfigError(
            "two networks to predict with",
            file="predict.checkpoint, model.path",
            found=(config.predict.checkpoint, model.path),
            fix="give one of them",
        )
    if config.predict.precision != "float32":
        yield ConfigError(
            "a package computes as it was written",
            file="predict.precision",
            expected="float32",
            found=config.predict.precision,
        )


def _numbers(model: Any) -> Iterator[ConfigError]:
    """Ranges of single values."""
    least = 2 if isinstance(model, (ResUNet, ResUNetSE, ResUNetPlusPlus)) else 1
    for field in (*COUNTS, "features", "depth"):
        value = getattr(model, field, None)
        values = value if isinstance(value, tuple) else (value,)
        bound = {"convs": least, "depth": 0 if isinstance(model, STUNet) else 1}.get(field, 1)
        if value is not None and any(item < bound for item in values):
            yield _range(field, f"at least {bound}", value)
    kernel = getattr(model, "kernel", 1)
    if kernel % 2 == 0 or kernel < 1:
        yield _range("kernel", "an odd number", kernel)
    for field in ("dropout", "stochastic_depth"):
        value = getattr(model, field, ())
        rates = value if isinstance(value, tuple) else (value,)
        if not all(0 <= rate < 1 for rate in rates):
            yield _range(field, "0 <= rate < 1", value)
    if getattr(model, "layer_scale", 1) <= 0:
        yield _range("layer_scale", "above 0", model.layer_scale)
    if getattr(model, "divide_decoders", False) and not model.separate_decoders:
        yield ConfigError(
            "only separate decoders are divided",
            file="model.divide_decoders",
            fix="model.separate_decoders as well",
        )


def _space(model: Any, ndim: int) -> Iterator[ConfigError]:
    """What only makes sense along z."""
    z_down = getattr(model, "z_down", ())
    if ndim == 2 and (z_down or getattr(model, "isotropic", ())):
        yield ConfigError("z_down and isotropic need three dimensions", file="model")
    if any(step not in (1, 2) for step in z_down):
        yield _range("z_down", "1 or 2 per step", z_down)


def _transformer(model: UNETR, ndim: int) -> Iterator[ConfigError]:
    """How the sizes of a transformer fit together."""
    if model.token < 2 or model.token & (model.token - 1):
        yield _range("token", "a power of 2, at least 2", model.token)
    heads = max(model.attention_heads, 1)
    if model.embed % heads:
        yield _range("embed", f"a multiple of attention_heads ({heads})", model.embed)
    if model.mlp_ratio <= 0:
        yield _range("mlp_ratio", "above 0", model.mlp_ratio)
    skips = max(len(model.reductions) - 1, 1)
    if model.skip_every < 0 or max(model.skip_every, 1) * skips > model.depth:
        yield ConfigError(
            "too few blocks for the skip connections",
            file="model.depth, model.skip_every",
            expected=f"depth of at least {skips} times skip_every",
            found=(model.depth, model.skip_every),
        )
    if model.position == "learned" and (len(model.grid) != ndim or min(model.grid) < 1):
        yield _range("grid", f"{ndim} numbers of tokens, for learned positions", model.grid)
    if model.position != "learned" and model.grid:
        yield _range("grid", "none, unless positions are learned", model.grid)
    if model.position == "sinusoidal" and model.embed % (2 * ndim):
        yield _range("embed", f"a multiple of {2 * ndim}, for waves along {ndim} axes", model.embed)


def _range(field: str, expected: str, found: Any) -> ConfigError:
    return ConfigError("illegal value", file=f"model.{field}", expected=expected, found=found)
