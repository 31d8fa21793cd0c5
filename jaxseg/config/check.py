"""Everything about a configuration that can be wrong before any file is opened."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator

from jaxseg.config.channels import nearest
from jaxseg.config.check_blocks import blocks_mistakes
from jaxseg.config.check_channels import affinity_mistakes, representation_mistakes
from jaxseg.config.check_postprocessing import postprocessing_mistakes
from jaxseg.config.decoder_check import decoder_mistakes
from jaxseg.config.model_rules import model_mistakes, strides
from jaxseg.config.schema import Config, Source, Train
from jaxseg.errors import ConfigError


def check(config: Config) -> list[ConfigError]:
    """All mistakes of a configuration, each with what is expected and how to mend it.

    Returns
    -------
    list of ConfigError, empty when the configuration is sound
    """
    return [problem for rule in RULES for problem in rule(config)]


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


def _model(config: Config) -> Iterator[ConfigError]:
    wrong = list(model_mistakes(config))
    yield from wrong or _divisible(config)


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
            "train.plateau_patience",
            "train.accumulation",
            "blocks.band",
            "blocks.workers",
            "predict.batch",
            "watershed.min_seed",
            "watershed.min_size",
            "stardist.min_size",
            "embedseg.min_object_size",
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
            "data.cache_gib",
            "blocks.wait",
            "cpu_devices",
            "embedseg.min_mask_sum",
            "embedseg.min_unclustered_sum",
            "loss.border_weight",
        ),
    ),
    "above 0": (lambda value: value > 0, ("train.lr", "loss.border_sigma")),
    "from 0 to 1": (lambda value: 0 <= value <= 1, ("train.final_lr", "data.foreground")),
    "at least 0 and below 1": (
        lambda value: 0 <= value < 1,
        (
            "train.ema",
            "train.betas",
            "train.momentum",
            "embedseg.foreground_threshold",
            "embedseg.min_free",
            "blocks.merge_threshold",
        ),
    ),
    "between 0 and 1": (
        lambda value: 0 < value < 1,
        (
            "data.val_fraction",
            "train.plateau_factor",
            "semantic.threshold",
            "stardist.prob_threshold",
            "embedseg.seed_threshold",
        ),
    ),
    "above 0 and at most 1": (
        lambda value: 0 < value <= 1,
        (
            "evaluate.overlay",
            "evaluate.thresholds",
            "evaluate.coloured",
            "stardist.nms_threshold",
        ),
    ),
}


def _numbers(config: Config) -> Iterator[ConfigError]:
    for expected, (good, fields) in RANGES.items():
        for field in fields:
            value = operator.attrgetter(field)(config)
            values = value if isinstance(value, tuple) else (value,)
            if not all(good(item) for item in values):  # NaN fails every comparison
                yield ConfigError("value out of range", file=field, expected=expected, found=value)


def _counted(config: Config) -> Iterator[ConfigError]:
    semantic = config.task == "semantic"
    if config.data.ignore != -1 and (semantic or config.data.ignore < 1):
        yield ConfigError(
            "illegal label value to ignore",
            file="data.ignore",
            expected="-1 for classes, which have ignore of S" if semantic else "at least 1, or -1",
            found=config.data.ignore,
        )
    if config.loss.border_weight and semantic:
        yield ConfigError("classes have no objects to part", file="loss.border_weight", expected=0)
    for field in ("border_weight", "balance") if "E" in {c.name for c in config.channels} else ():
        if getattr(config.loss, field):
            yield ConfigError("E has weights of its own", file=f"loss.{field}", fix="remove it")


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


# Options of the training that act with one choice of another option only.
ONLY_WITH: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("betas", "optimizer", ("adamw", "adam")),
    ("momentum", "optimizer", ("sgd",)),
    ("nesterov", "optimizer", ("sgd",)),
    ("plateau_factor", "schedule", ("plateau",)),
    ("plateau_patience", "schedule", ("plateau",)),
    ("final_lr", "schedule", ("cosine", "plateau")),
    ("warmup", "schedule", ("cosine", "constant", "plateau")),
)


def _training(config: Config) -> Iterator[ConfigError]:
    usual = Train()
    for field, choice, values in ONLY_WITH:
        found = getattr(config.train, field)
        if found != getattr(usual, field) and getattr(config.train, choice) not in values:
            yield ConfigError(
                "this does nothing here",
                file=f"train.{field}",
                expected=f"train.{choice} {' or '.join(values)}",
                found=found,
            )
    if config.train.batch % max(config.train.accumulation, 1):
        yield ConfigError(
            "the batch does not divide",
            file="train.batch",
            found=config.train.batch,
            expected=f"a multiple of train.accumulation ({config.train.accumulation})",
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
    if config.predict.reuse and "train" in config.phases:
        yield ConfigError(
            "planes of an earlier start are not those of a network that is trained now",
            file="predict.reuse",
            fix="--phases decode evaluate, or no --predict.reuse",
        )
    yield from _classes_only(config)
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


def _classes_only(config: Config) -> Iterator[ConfigError]:
    if not config.predict.classes_only:
        return
    if config.task != "semantic":
        yield ConfigError(
            "instances are made of planes", file="predict.classes_only", found="task instances"
        )
    if any(config.predict.overlap):
        yield ConfigError(
            "classes cannot be blended", file="predict.overlap", found=config.predict.overlap
        )
    if config.postprocess.filters:
        yield ConfigError(
            "filters act on planes, which are not kept",
            file="postprocess.filters",
            fix="leave out the filters or predict.classes_only",
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
    representation_mistakes,
    affinity_mistakes,
    _model,
    _numbers,
    _counted,
    _pairs,
    _training,
    _watershed,
    decoder_mistakes,
    _phases,
    postprocessing_mistakes,
    blocks_mistakes,
)
