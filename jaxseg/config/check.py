"""Everything about a configuration that can be wrong before any file is opened."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterator

from jaxseg.config.channels import Affinity, channel_mistakes, nearest
from jaxseg.config.check_blocks import blocks_mistakes
from jaxseg.config.schema import Config, Source, UNet
from jaxseg.errors import ConfigError

NEIGHBORHOODS = {2: (0, 4, 8), 3: (0, 6, 18, 26)}


def check(config: Config) -> list[ConfigError]:
    """All mistakes of a configuration, each with what is expected and how to mend it.

    Returns
    -------
    list of ConfigError, empty when the configuration is sound
    """
    return [problem for rule in RULES for problem in rule(config)]


def strides(model: UNet, ndim: int) -> tuple[int, ...]:
    """How much the network reduces every axis, (z)yx.

    >>> strides(UNet(features=(8, 16, 32), z_down=(1, 2)), 3)
    (2, 4, 4)
    """
    down = len(model.features) - 1
    z = math.prod(model.z_down) if model.z_down else 2**down
    return (*((z,) if ndim == 3 else ()), 2**down, 2**down)


def _names(config: Config) -> Iterator[ConfigError]:
    for field in ("name", "run"):
        value = getattr(config, field)
        if not re.fullmatch(r"[A-Za-z0-9._-]+", value) or set(value) == {"."}:
            yield ConfigError(
                "illegal name",
                file=field,
                found=repr(value),
                expected="letters, digits, '.', '_' and '-'",
            )


def _lengths(config: Config) -> Iterator[ConfigError]:
    predict = config.predict
    sizes = {
        "patch": config.patch,
        "data.spacing": config.data.spacing,
        "predict.tile": predict.tile,
        "blocks.size": config.blocks.size,
        "blocks.halo": config.blocks.halo,
    }
    margins = {
        "predict.halo": predict.halo,
        "predict.overlap": predict.overlap,
        "evaluate.border_crop": config.evaluate.border_crop,
    }
    for field, value in (sizes | margins).items():
        if len(value) != config.ndim and (value or field == "patch"):
            axes = "zyx"[-config.ndim :]
            expected = f"{config.ndim} values ({axes})"
            yield ConfigError("wrong number of values", file=field, expected=expected, found=value)
        if any(item < 0 or (field in sizes and item == 0) for item in value):
            expected = "above 0" if field in sizes else "at least 0"
            yield ConfigError("illegal size", file=field, expected=expected, found=value)


def _representation(config: Config) -> Iterator[ConfigError]:
    names = [channel.name for channel in config.channels]
    if not names:
        yield ConfigError(
            "no channel to learn",
            file="channels",
            fix="channels=(ch('F'), ch('C'), ch('Db')), or (ch('S', classes=2),) for classes",
        )
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield ConfigError(f"channel {name} is listed twice", file="channels")
    if config.task == "semantic" and names and names != ["S"]:
        yield ConfigError(
            "a semantic task learns exactly the channel S", file="channels", found=names
        )
    if config.task == "instances" and "S" in names:
        yield ConfigError(
            "S is a channel of the semantic task",
            file="channels",
            found=names,
            fix="--task semantic, or remove it",
        )
    if ("H" in names) != ("V" in names) or ("Z" in names and "H" not in names):
        yield ConfigError("H and V belong together, and Z to them", file="channels", found=names)
    if "Z" in names and config.ndim == 2:
        yield ConfigError(
            "Z needs three dimensions", file="channels", fix="remove it or set ndim=3"
        )
    for index, channel in enumerate(config.channels):
        yield from channel_mistakes(channel, f"channels.{index}")


def _affinities(config: Config) -> Iterator[ConfigError]:
    for channel in config.channels:
        if not isinstance(channel.options, Affinity):
            continue
        offsets, legal = channel.options.offsets, NEIGHBORHOODS[config.ndim]
        if channel.options.neighborhood not in legal:
            yield ConfigError(
                "illegal neighborhood",
                file="channels.A.neighborhood",
                expected=legal,
                found=channel.options.neighborhood,
            )
        if any(len(offset) != config.ndim or not any(offset) for offset in offsets):
            yield ConfigError(
                "illegal offset",
                file="channels.A.offsets",
                found=offsets,
                expected=f"{config.ndim} numbers each, not all zero",
            )


def _model(config: Config) -> Iterator[ConfigError]:
    model, levels = config.model, len(config.model.features)
    if levels < 2 or min(model.features, default=0) < 1:
        yield ConfigError(
            "too few feature maps",
            file="model.features",
            found=model.features,
            expected="at least two levels of at least one",
        )
        return
    for field, value, length in (
        ("z_down", model.z_down, levels - 1),
        ("isotropic", model.isotropic, levels),
        ("dropout", model.dropout, levels),
    ):
        if value and len(value) != length:
            yield ConfigError(
                "wrong number of values",
                file=f"model.{field}",
                found=value,
                expected=f"{length} for {levels} levels",
            )
    if model.kernel % 2 == 0 or model.kernel < 1 or model.convs < 1:
        yield ConfigError(
            "illegal convolutions",
            file="model.kernel, model.convs",
            expected="an odd kernel, at least one",
            found=(model.kernel, model.convs),
        )
    if config.ndim == 2 and (model.z_down or model.isotropic):
        yield ConfigError("z_down and isotropic need three dimensions", file="model")
    if any(step not in (1, 2) for step in model.z_down):
        yield ConfigError("illegal stride", file="model.z_down", expected="1 or 2 per step")
    if any(not 0 <= rate < 1 for rate in model.dropout):
        yield ConfigError("illegal rate", file="model.dropout", expected="0 <= rate < 1")
    yield from _divisible(config)


def _divisible(config: Config) -> Iterator[ConfigError]:
    steps = strides(config.model, config.ndim)
    for field, size in (("patch", config.patch), ("predict.tile", config.predict.tile)):
        if len(size) == config.ndim and any(n % step for n, step in zip(size, steps, strict=True)):
            nearby = tuple(max(round(n / s), 1) * s for n, s in zip(size, steps, strict=True))
            yield ConfigError(
                "the network cannot halve this size often enough",
                file=field,
                expected=f"multiples of {steps}",
                found=size,
                fix=f"e.g. {nearby}",
            )
    tile, halo = config.predict.tile, config.predict.halo
    if len(tile) == len(halo) == config.ndim and any(
        n <= 2 * h for n, h in zip(tile, halo, strict=True)
    ):
        yield ConfigError(
            "the halo leaves nothing of the tile",
            file="predict.halo",
            expected=f"less than half of {tile}",
            found=halo,
        )


RANGES: dict[str, tuple[Callable[[float], bool], tuple[str, ...]]] = {
    "at least 1": (
        lambda value: value >= 1,
        (
            "train.epochs",
            "train.batch",
            "train.save_every",
            "blocks.band",
            "blocks.workers",
            "augment.zoom",
            "augment.gamma",
            "predict.batch",
            "watershed.min_seed",
            "watershed.min_size",
        ),
    ),
    "at least 0": (
        lambda value: value >= 0,
        (
            "train.steps",
            "train.warmup",
            "train.clip",
            "train.patience",
            "train.minutes",
            "train.weight_decay",
            "train.val_patches",
            "augment.brightness",
            "augment.contrast",
            "augment.noise",
            "augment.blur",
            "augment.rotate",
            "data.cache_gib",
            "cpu_devices",
        ),
    ),
    "above 0": (lambda value: value > 0, ("train.lr",)),
    "from 0 to 1": (lambda value: 0 <= value <= 1, ("train.final_lr", "data.foreground")),
    "at least 0 and below 1": (
        lambda value: 0 <= value < 1,
        ("train.ema", "blocks.merge_threshold"),
    ),
    "between 0 and 1": (
        lambda value: 0 < value < 1,
        ("data.val_fraction", "semantic.threshold"),
    ),
    "above 0 and at most 1": (
        lambda value: 0 < value <= 1,
        ("evaluate.overlay", "evaluate.thresholds"),
    ),
}


def _numbers(config: Config) -> Iterator[ConfigError]:
    for expected, (good, fields) in RANGES.items():
        for field in fields:
            value = operator.attrgetter(field)(config)
            values = value if isinstance(value, tuple) else (value,)
            if not all(good(item) for item in values):  # NaN fails every comparison
                yield ConfigError("value out of range", file=field, expected=expected, found=value)


def _pairs(config: Config) -> Iterator[ConfigError]:
    low, high = config.normalize.percentiles
    if not 0 <= low < high <= 100:
        yield ConfigError(
            "illegal percentiles",
            file="normalize.percentiles",
            found=(low, high),
            expected="0 <= low < high <= 100",
        )
    devices = config.cpu_devices
    if devices > 1 and config.train.batch % devices:
        yield ConfigError(
            "the batch does not divide",
            file="train.batch",
            found=config.train.batch,
            expected=f"a multiple of cpu_devices ({devices})",
        )


def _watershed(config: Config) -> Iterator[ConfigError]:
    names = [channel.name for channel in config.channels]
    for field in ("seeds", "growth", "surface"):
        for name in getattr(config.watershed, field):
            if name not in names:
                yield ConfigError(
                    f"{name!r} is not learned{nearest(name, names)}",
                    file=f"watershed.{field}",
                    expected=f"some of {names}",
                )
    for field, thresholds in (("seeds", "seed_thresholds"), ("growth", "growth_thresholds")):
        listed, given = getattr(config.watershed, field), getattr(config.watershed, thresholds)
        if given and len(given) != len(listed):
            yield ConfigError(
                "one threshold per channel",
                file=f"watershed.{thresholds}",
                expected=f"{len(listed)} for watershed.{field} {listed}",
                found=given,
            )


def _phases(config: Config) -> Iterator[ConfigError]:
    if not config.phases:
        yield ConfigError(
            "nothing to do", file="phases", fix="--phases train predict decode evaluate"
        )
    if len(set(config.phases)) < len(config.phases):
        yield ConfigError("a phase is listed twice", file="phases", found=config.phases)
    data = config.data
    if "train" in config.phases:
        yield from _source(data.train, "data.train")
        if data.val.raw or data.val.labels:
            yield from _source(data.val, "data.val")
    if "predict" in config.phases and not data.test.raw:
        yield ConfigError(
            "no images to predict",
            file="data.test.raw",
            fix="--data.test.raw DIR, or --phases train",
        )
    if "evaluate" in config.phases and "predict" not in config.phases and not data.test.labels:
        yield ConfigError(
            "no labels to compare with", file="data.test.labels", fix="--data.test.labels DIR"
        )


def _source(source: Source, field: str) -> Iterator[ConfigError]:
    for part in ("raw", "labels"):
        if not getattr(source, part):
            yield ConfigError(
                "no folder given", file=f"{field}.{part}", fix=f"--{field}.{part} DIR"
            )


RULES = (
    _names,
    _lengths,
    _representation,
    _affinities,
    _model,
    _numbers,
    _pairs,
    _watershed,
    _phases,
    blocks_mistakes,
)
